"""A copy of the project that shares this folder's DVC cache, to run other parameters without changing a result here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from benchmarks.common import ROOT
from stages.tables import params
from stages.tables.errors import UserError

LOCKS = ("dvc.lock", "data/dvc.lock")
"""Made by a run; git may not know them yet."""


@contextmanager
def copied() -> Iterator[Path]:
    """The copy, a git repository of its own, with all that the last run here wrote; git there does not know the run."""
    if not all((ROOT / name).is_file() for name in LOCKS):
        raise UserError("dvc.lock: not found; run make reproduce first")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    with tempfile.TemporaryDirectory(dir=ROOT / ".dvc/tmp") as parent:  # one file system with the cache: hard links
        folder = Path(parent) / "copy"
        for name in {*listed.stdout.splitlines(), *LOCKS}:
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        for command in (
            "git init -q -b main && git config user.name lmf-fer && git config user.email lmf-fer@localhost",
            f"dvc config --local cache.dir {ROOT / '.dvc/cache'} && dvc config --local cache.type hardlink,copy",
            "git add -A && git reset -q dvc.lock data/dvc.lock results/table.* && git commit -qm 'The project'",
            "dvc checkout",
        ):
            run(command, folder)
        yield folder


def run(command: str, folder: Path) -> str:
    """What a shell command prints on stdout in ``folder``. Raises UserError with the end of it where it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {"PATH": path, "DVC_NO_ANALYTICS": "1", "COLUMNS": "200", "PYTHONPATH": str(folder)}
    print(command, file=sys.stderr, flush=True)
    done = subprocess.run(command, shell=True, cwd=folder, stdout=subprocess.PIPE, encoding="utf-8",
                          env=os.environ | settings)  # fmt: skip
    if done.returncode:
        raise UserError(f"{command}: failed; {done.stdout.strip()[-500:]}")
    return done.stdout.strip().replace(str(folder), "...")


def percent(folder: Path, setting: str) -> pd.DataFrame:
    """Runs the pipeline in the copy with ``setting``, such as train.seed=2018; its accuracies in per cent.

    A row for each method, a column for each set; mixed is the mean of all draws.
    """
    run(f"python -m lmf_fer reproduce -S {setting}", folder)
    rows = pd.read_csv(folder / "results/table.csv")
    # The file's six digits are enough to know the count behind them, so that nothing is rounded twice.
    answers = rows["total"] * params.values(folder / "params.yaml")["evaluate"]["draws"]
    rows["percent"] = 100 * (rows["mean"] * answers).round() / answers
    return rows.pivot(index="method", columns="set", values="percent")[["general", "micro", "mixed"]]
