"""Machines as they are: proxies, settings of other projects, other locales, no git, no POSIX."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lmf_fer import doctor
from tests.checkout import Checkout, Running
from tests.conftest import ROOT

CODE = [file for package in ("flows", "lmf_fer", "stages", "benchmarks") for file in (ROOT / package).rglob("*.py")]
DEAD = "http://127.0.0.1:1"
PROXIES = {"http_proxy": DEAD, "https_proxy": "not a proxy://", "ALL_PROXY": "socks5://127.0.0.1:1"}
CERTIFICATES = {"SSL_CERT_FILE": "/nonexistent", "SSLKEYLOGFILE": "/nonexistent/log"}
PREFECT = {
    "PREFECT_API_URL": "https://api.prefect.cloud/api/accounts/x/workspaces/y",
    "PREFECT_API_KEY": "pnu_x",
    "PREFECT_API_REQUEST_TIMEOUT": "soon",
    "PREFECT_SERVER_API_AUTH_STRING": "a:b",
    "PREFECT_HOME": "/nonexistent/deep",
    "PREFECT_PROFILE": "work",
}
ASCII = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}


def python(code: str, folder: Path = ROOT, **settings: str) -> subprocess.CompletedProcess[str]:
    """What a new process in ``folder`` makes of ``code`` under these settings."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, encoding="utf-8", timeout=60,
                          env=environment | {"PYTHONPATH": str(ROOT)} | settings)  # fmt: skip


@pytest.mark.parametrize("package", ["stages", "flows", "lmf_fer"])
def test_no_setting_of_a_library_changes_how_it_computes(package: str) -> None:
    """As another processor would: the second process is told to use other kernels and more threads."""
    code = f"""
import {package}
import numba, numpy, torch
torch.manual_seed(0)
convolution, x = torch.nn.Conv2d(3, 8, 3), torch.rand(4, 3, 20, 20)
print(torch.backends.cpu.get_cpu_capability(), numba.config.CPU_NAME, torch.get_num_threads())
print(convolution(x).softmax(1).sum().item().hex(), numpy.linalg.eigh(numpy.cov(x.flatten(0, 2)))[0].sum().hex())
"""
    other = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OPENBLAS_CORETYPE": "Nehalem"}
    usual, told = python(code), python(code, NUMBA_CPU_NAME="generic", OMP_NUM_THREADS="3", **other)
    assert usual.stdout.startswith("AVX2 haswell 1\n"), usual.stderr
    assert told.stdout == usual.stdout, told.stderr


class Healthy(BaseHTTPRequestHandler):
    """All that is asked of a Prefect server before it is used."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"true" if self.path == "/api/health" else b"")

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server that answers."""
    with HTTPServer(("127.0.0.1", 0), Healthy) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def test_a_server_on_this_machine_is_asked_by_no_proxy(server: str) -> None:
    ask = f"import httpx; print(httpx.get('{server}/api/health').text)"
    done = python(f"from flows import server; server.connect('{server}/'); {ask}", **PROXIES, **CERTIFICATES)
    assert done.stdout == "true\n", done.stderr
    assert done.stderr == f"Prefect's server: {server}, as --server says\n"


def test_prefect_reads_the_settings_of_the_project_and_no_others(server: str) -> None:
    code = f"""
from flows import server
server.connect("{server}/api")
from prefect.settings import get_current_settings
settings = get_current_settings()
print(settings.home, settings.api.url, settings.api.key, settings.server.api.auth_string, settings.api.request_timeout)
"""
    done = python(code, **PREFECT)
    assert done.stdout == f"{ROOT / '.prefect'} {server}/api None None 60.0\n", done.stderr
    assert "PREFECT_API_URL" in done.stderr
    assert "not read, --server names another" in done.stderr


def test_settings_that_prefect_gave_its_own_process_stay() -> None:
    code = "import os, prefect; from flows import server; print(os.environ['PREFECT_API_URL'], server.IGNORED)"
    assert python(code, PREFECT_API_URL=f"{DEAD}/api").stdout == f"{DEAD}/api []\n"


@pytest.mark.parametrize("address", [DEAD, f"{DEAD}/api", "nonsense", "http://[::1", "ftp://127.0.0.1", "", "http://"])
def test_a_server_that_does_not_answer_is_one_sentence(address: str) -> None:
    code = "from lmf_fer.cli import app; app()"
    done = subprocess.run([sys.executable, "-c", code, "reproduce", "--server", address], cwd=ROOT, text=True,
                          capture_output=True, timeout=10)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"error: no Prefect server answers at '{address}'; without --server a run has its own\n"


def test_a_run_is_the_same_in_the_worst_surroundings_and_without_git(finished: Path, tmp_path: Path) -> None:
    checkout = Checkout.copy(finished, tmp_path / "over all")
    (checkout.folder / ".git").rename(tmp_path / "git")
    before = checkout.results()
    worst = PROXIES | CERTIFICATES | PREFECT | ASCII | {"PYTHONWARNINGS": "error", "HOME": "/nonexistent"}
    run = Running(checkout, "lmf_fer", "reproduce", "-S", "evaluate.draws=20", **worst)
    assert run.end() == 0, run.said[-3000:]
    assert "no git here: all works but dvc exp" in run.said
    assert "±" in run.said
    assert checkout.results() == before
    assert checkout.run("dvc", "status").strip() == "Data and pipelines are up to date."


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with DVC and one stage, without git."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    (tmp_path / "dvc.yaml").write_text("stages: {nothing: {cmd: 'true'}}")
    return tmp_path


def test_dvc_is_told_that_there_is_no_git(repository: Path) -> None:
    ask = "from flows import graph; print(graph.without_git(), graph.without_git(), graph.mend())"
    assert python(ask, repository).stdout == "True True []\n"
    assert "no_scm" in (repository / ".dvc/config.local").read_text()


def test_a_git_repository_stays_one(repository: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    assert (
        python("from flows import graph; print(graph.without_git(), graph.mend())", repository).stdout == "False []\n"
    )
    assert not (repository / ".dvc/config.local").exists()


def test_the_doctor_names_a_folder_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert (doctor.NOTE, doctor.NO_GIT) in list(doctor.python())
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert (doctor.GOOD, "git") in list(doctor.python())


def test_a_folder_that_dvc_cannot_write_is_one_sentence(repository: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    ask = "from flows import graph; from lmf_fer import cli\ntry: graph.mend()\nexcept cli.UserError as e: print(e)"
    done = python(ask, repository, DVC_SITE_CACHE_DIR="/proc/x")
    assert done.stdout.startswith("DVC cannot write /proc/x ("), done.stderr
    assert done.stdout.endswith("; unset DVC_SITE_CACHE_DIR\n")


@pytest.mark.parametrize("settings", [ASCII, {"PYTHONIOENCODING": "ascii"}], ids=["locale", "stream"])
def test_what_is_printed_is_utf8_in_every_locale(settings: dict[str, str]) -> None:
    done = python("from stages.tables import stage; stage.run(lambda: print('90 \\xb1 1, \\u0416'))", **settings)
    assert done.stdout == "90 ± 1, Ж\n", done.stderr
    done = python(
        "from lmf_fer import cli, environment; environment.licences = lambda: print('\\xb1'); cli.app(['licences'])",
        **settings,
    )
    assert done.stdout == "±\n", done.stderr


def test_every_text_file_and_pipe_names_its_encoding() -> None:
    """Its own would be the locale's."""
    silent = []
    for file in CODE:
        for call in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            words = {word.arg: word.value for word in call.keywords}
            modes = [arg.value for arg in [*call.args, *words.values()] if isinstance(arg, ast.Constant)]
            opens = name == "open" and any(mode in ("r", "w", "a", "x") for mode in modes)
            paths = name == "write_text" or (name == "read_text" and not call.args)  # a package's names its file
            if (paths or opens or "text" in words) and "encoding" not in words:
                silent.append(f"{file.relative_to(ROOT)}:{call.lineno}")
    assert silent == []


def test_what_only_posix_has_is_imported_only_there(tmp_path: Path) -> None:
    posix = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "syslog", "posix"}
    loose = []
    for file in CODE:
        for node in ast.parse(file.read_text()).body:  # what is guarded stands deeper
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            loose += [f"{file.relative_to(ROOT)}: {name}" for name in names if name in posix]
    assert loose == []
    code = """
import signal, sys
from flows import graph, parameters
from lmf_fer import cli
for name in [name for name in sys.modules if name.startswith(("stages.tables", "flows"))] + ["fcntl", "resource"]:
    sys.modules.pop(name, None)
sys.modules |= {"fcntl": None, "resource": None}
sys.platform = "win32"
del signal.SIGKILL
from pathlib import Path
from flows import supervised
from stages.tables import files, stage
files.write(Path(sys.argv[1]) / "table", "whole")
print((Path(sys.argv[1]) / "table").read_text(), stage._memory())
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True,
                          text=True)  # fmt: skip
    assert done.stdout == "whole 0\n", done.stderr
