"""A copy of the repository in which the whole pipeline runs, small but real."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.conftest import ROOT, write_params

FOLDS = [0, 1]


class Checkout:
    """A copy of the repository's files in a git repository of its own, with small parameters."""

    def __init__(self, folder: Path, **change: object) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
        )
        for name in listed.stdout.splitlines():
            if (
                (ROOT / name).is_file()
                and not name.startswith(("results/", "tests/"))
                and not name.endswith("dvc.lock")
            ):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        for compiled in ROOT.glob("stages/**/__pycache__/*.nb[ic]"):  # good for a file of the same time of change
            (folder / compiled.relative_to(ROOT)).parent.mkdir(exist_ok=True)
            shutil.copy2(compiled, folder / compiled.relative_to(ROOT))
        if (ROOT / ".cache").is_dir():  # the parsed assets of the simulated faces
            shutil.copytree(ROOT / ".cache", folder / ".cache")
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        self.params(**change)

    @classmethod
    def copy(cls, original: Path, folder: Path) -> Checkout:
        """A copy of a checkout, with its results and its cache."""
        checkout = cls.__new__(cls)
        checkout.folder = Path(shutil.copytree(original, folder, symlinks=True))
        return checkout

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        ours = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        return ours | {"PATH": path, "DVC_NO_ANALYTICS": "1"}

    def params(self, **change: object) -> None:
        write_params(self.folder, protocol={"folds": FOLDS}, **change)

    def run(self, *command: str) -> str:
        """Runs a python module in the checkout; returns what it printed."""
        result = self._ended(*command)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        return result.stdout + result.stderr

    def fails(self, *command: str) -> str:
        """Runs a python module that must fail, and without a traceback; returns its message."""
        result = self._ended(*command)
        assert result.returncode, result.stdout
        assert "Traceback" not in result.stderr
        return result.stderr

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """A line as a page or a sentence shows it."""
        return subprocess.run(["bash", "-c", line], cwd=self.folder, capture_output=True, text=True, timeout=300,
                              env=self.environment | {"PYTHONPATH": str(self.folder)})  # fmt: skip

    def _ended(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", *command], cwd=self.folder, capture_output=True, text=True,
                              env=self.environment, timeout=500)  # fmt: skip

    def repro(self, *targets: str) -> set[str]:
        """``dvc repro``, of everything or up to ``targets``; returns the stages that ran."""
        return set(re.findall(r"Running stage '([^']+)'", self.run("dvc", "repro", *targets)))

    def commit(self) -> None:
        """Commits all that git is to keep."""
        for command in ("config user.name tests", "config user.email tests@localhost", "add -A", "commit -qm run"):
            subprocess.run(["git", *command.split()], cwd=self.folder, check=True)

    def results(self) -> dict[str, bytes]:
        """Every result file of the run that is made of numbers, by its path, and the page."""
        files = [*self.folder.glob("results/table.*"), *self.folder.glob("results/predictions/*.parquet"),
                 *self.folder.glob("data/features/*.parquet"), *self.folder.glob("results/report.html")]  # fmt: skip
        return {str(file.relative_to(self.folder)): file.read_bytes() for file in files}


def within(folder: Path) -> list[psutil.Process]:
    """The processes that work in a folder."""
    processes = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == folder and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
        except (psutil.Error, OSError):
            continue
    return processes


def gone(folder: Path, seconds: float = 20) -> bool:
    """Whether, after at most this long, no process works in the folder."""
    end = time.monotonic() + seconds
    while within(folder) and time.monotonic() < end:
        time.sleep(0.1)
    return not within(folder)


class Running:
    """A command of a checkout that runs beside the test, with ``settings`` in its environment."""

    def __init__(self, checkout: Checkout, *command: str, **settings: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", *command], cwd=checkout.folder,
                                        env=checkout.environment | settings,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # fmt: skip
        self.said = ""

    def until(self, words: str) -> None:
        """Reads what it prints until ``words`` come."""
        for line in self.process.stdout or ():
            self.said += line
            if words in line:
                return
        raise AssertionError(f"never printed {words!r}:\n{self.said}")

    def end(self, number: int | None = None) -> int:
        """Its exit status, after signal ``number`` if one is given."""
        if number is not None:
            self.process.send_signal(number)
        self.said += self.process.communicate(timeout=400)[0]
        return self.process.returncode


def open_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
