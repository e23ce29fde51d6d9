"""Machines as they are: proxies, settings of other projects, other locales and clocks, full disks, no git, no POSIX."""

from __future__ import annotations

import ast
import errno
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lmf_fer import doctor
from lmf_fer.cli import app
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
def test_a_server_that_does_not_answer_is_one_sentence(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, ["reproduce", "--server", address])
    assert done.exit_code == 1
    assert done.stderr == f"error: no Prefect server answers at '{address}'; without --server a run has its own\n"


def test_a_run_is_the_same_in_the_worst_surroundings_and_without_git(finished: Path, tmp_path: Path) -> None:
    checkout = Checkout.copy(finished, tmp_path / "Übung, 2. Größe")
    (checkout.folder / ".git").rename(tmp_path / "git")
    for file in checkout.folder.rglob("*"):  # the clock was set back since
        os.utime(file, (time.time() + 1e7,) * 2, follow_symlinks=False)
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


def test_dvc_is_told_when_git_comes_later(repository: Path) -> None:
    ask = "from flows import graph; print(graph.without_git())"
    assert python(ask, repository).stdout == "True\n"
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    assert python(ask, repository).stdout == "False\n"
    assert python("from dvc.repo import Repo; print(type(Repo().scm).__name__)", repository).stdout == "Git\n"


def test_a_git_repository_stays_one(repository: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    assert (
        python("from flows import graph; print(graph.without_git(), graph.mend())", repository).stdout == "False []\n"
    )
    assert not (repository / ".dvc/config.local").exists()


def test_the_doctor_names_a_folder_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert (doctor.NOTE, doctor.NO_GIT) in list(doctor.python())
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert (doctor.GOOD, "git") in list(doctor.python())


def test_make_goes_on_where_a_folder_was_moved(finished: Path, tmp_path: Path) -> None:
    made = Checkout.copy(finished, tmp_path / "made")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made.folder / ".venv"], check=True)
    (packages,) = made.folder.glob(".venv/lib/python3*/site-packages")
    (packages / "these.pth").write_text(
        "".join(f"import site; site.addsitedir({path!r})\n" for path in sys.path if path.endswith("-packages"))
    )
    for name in (".ready", ".tests"):
        (made.folder / ".venv" / name).touch()
    moved = made.folder.rename(tmp_path / "moved elsewhere")
    done = subprocess.run(["make", "reproduce"], cwd=moved, capture_output=True, text=True, env=made.environment)
    assert done.returncode == 0, done.stderr
    assert "\n17 unchanged. " in done.stdout
    assert str(made.folder) not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A clone in which nothing has run."""
    return Checkout(tmp_path_factory.mktemp("clone"))


def sentence(checkout: Checkout, *command: str, **settings: str) -> str:
    """The sentence with which a command fails, and nothing else, before it has changed anything in params.yaml."""
    before = (checkout.folder / "params.yaml").read_bytes()
    run = Running(checkout, "lmf_fer", *command, **settings)
    assert run.end() == 1, run.said
    assert run.said.startswith("error: "), run.said
    assert run.said.count("\n") == 1
    assert (checkout.folder / "params.yaml").read_bytes() == before
    return run.said


CHANGE = ("reproduce", "-S", "evaluate.draws=21")


@pytest.mark.parametrize("command", [("reproduce",), CHANGE], ids=["all", "change"])
def test_a_folder_that_dvc_cannot_write_is_one_sentence(clone: Checkout, command: tuple[str, ...]) -> None:
    said = sentence(clone, *command, DVC_SITE_CACHE_DIR="/proc/x")
    assert said.startswith("error: DVC cannot write /proc/x (")
    assert said.endswith("; unset DVC_SITE_CACHE_DIR\n")


@pytest.mark.parametrize(
    ("name", "text"),
    [(".env", "A=1\nexport PREFECT_API_URL=http://127.0.0.1:1\n"), ("prefect.toml", "[server.database]\n")],
)
def test_settings_of_prefect_in_the_folder_are_one_sentence(clone: Checkout, name: str, text: str) -> None:
    file = clone.folder / name
    file.write_text(text)
    try:
        assert f"{file}: Prefect would take its settings from there" in sentence(clone, *CHANGE)
        assert f"{file}: Prefect would" in sentence(clone, "ui", "--port", "1")
    finally:
        file.unlink()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_one_sentence(clone: Checkout, tmp_path: Path, number: int) -> None:
    code = (
        f"import fcntl, os\n\ndef none(*_):\n    raise OSError({number}, os.strerror({number}))\n\nfcntl.flock = none\n"
    )
    (tmp_path / "sitecustomize.py").write_text(code)  # Python reads it when it starts
    said = sentence(clone, *CHANGE, PYTHONPATH=str(tmp_path))
    assert f"{clone.folder}: the file system has no locks ({os.strerror(number).lower()})" in said


def test_a_port_that_is_taken_is_one_sentence(clone: Checkout, server: str) -> None:
    port = int(server.rpartition(":")[2])
    said = sentence(clone, "ui", "--port", str(port))
    assert said == f"error: port {port} is used by another program; choose another one: make ui PORT={port + 1}\n"


# --- A full disk


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file that a stage may write, by its path."""
    files = [file for part in ("data", "results", "networks") for file in (folder / part).rglob("*")]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}


def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(finished: Path, tmp_path: Path) -> None:
    """As a limit on the size of files has it: what each kind of stage writes is cut short in the same way."""
    checkout = Checkout.copy(finished, tmp_path / "checkout")
    before = contents(checkout.folder)
    commands = ("simulate", "ingest", "featurize", "train lmf 0", "pretrain", "evaluate", "report")
    code = f"""
import json, sys
from pathlib import Path
from tests.conftest import run_stage
for command in {commands}:
    done = run_stage(Path(), *command.split())
    print(json.dumps([command, done.returncode, done.stderr]), flush=True)
    sys.stdin.readline()
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=checkout.folder, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True,
                               env=checkout.environment | {"PYTHONPATH": str(ROOT)},
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))  # fmt: skip
    assert process.stdin is not None
    for command, line in zip(commands, process.stdout or (), strict=True):
        name, status, said = json.loads(line)
        assert (name, status) == (command, 1), said
        last = said.splitlines()[-1]
        assert last.startswith("error: "), said
        assert "free some space" in last
        assert "Traceback" not in said
        assert contents(checkout.folder) == before, command
        print(file=process.stdin, flush=True)
    assert process.wait() == 0


def test_a_disk_without_space_for_a_server_is_one_sentence() -> None:
    code = """
from flows import server
from stages.tables.errors import UserError
server.LEAST = 10**18
try:
    server.connect()
except UserError as error:
    print(error)
"""
    assert " MB are free on the disk, and a run needs 1000000000000; free some space" in python(code).stdout


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
