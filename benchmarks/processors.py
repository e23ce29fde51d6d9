"""Does another kind of processor give the same bytes? An emulator stands for it.

    python -m benchmarks.processors qemu-x86_64 -cpu Haswell     # a quarter of an hour on one core

Runs a small simulated data set here, then each stage again, on the same inputs, by way of the command that is given.
Writes processors.md beside this file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import common
from flows import parameters, record
from stages.tables import pipeline, stage
from stages.tables.errors import UserError

SMALL: dict[str, Any] = {
    "protocol.folds": [0, 1],
    "simulate.subjects": 4,
    "simulate.sequences": 2,
    "simulate.frames": [5, 7],
    "pretrain.people": 96,
    "train.lmf.schedule.epochs": 3,
    "train.lmf_actors.schedule.epochs": 3,
    "train.dtagn.schedule.epochs": 2,
    "train.dtagn.dtgn_epochs": 5,
    "train.dtagn.joint_epochs": 2,
    "train.lmf.schedule.batch": 8,
    "train.lmf_actors.schedule.batch": 8,
    "train.dtagn.schedule.batch": 8,
    "machine.workers": 1,
}


SKIPPED = shutil.ignore_patterns("__pycache__")


def run(command: str, folder: Path, by: list[str]) -> str | None:
    """Runs a stage in ``folder``, by the command ``by``; how it ended, unless well."""
    words = [*by, sys.executable, *command.split()[1:]]
    done = subprocess.run(words, cwd=folder, capture_output=True, env=os.environ | {"PYTHONPATH": str(folder)})
    return f"fails ({done.returncode})" if done.returncode else None


def digest(path: Path) -> str:
    """Of a file, or of the files of a folder and their names; empty where there is none."""
    files = sorted(file for file in [path, *path.rglob("*")] if file.is_file())
    text = b"".join(str(file.relative_to(path)).encode() + file.read_bytes() for file in files)
    return hashlib.md5(text).hexdigest() if files else ""


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="an emulator and its options")
    by = parser.parse_args().command
    if not by or shutil.which(by[0]) is None:
        raise UserError(f"{by[0] if by else 'no emulator'}: not found; install one, such as QEMU's user emulation")
    stages = pipeline.graph()
    names = [name for name in pipeline.order(stages) if name != "report" and name.partition("@")[2] in ("", "0", "1")]
    rows = []
    with tempfile.TemporaryDirectory() as work:
        folder, copy = Path(work) / "here", Path(work) / "there"
        for name in ("networks", "stages"):  # without what was compiled here
            shutil.copytree(common.ROOT / name, folder / name, ignore=SKIPPED)
        shutil.copy(common.ROOT / "params.yaml", folder)
        parameters.apply([f"{name}={value}" for name, value in SMALL.items()], folder / "params.yaml")
        for name in names:
            command, outs = stages.nodes[name]["cmd"], [folder / out for out in stages.nodes[name]["outs"]]
            if wrong := run(command, folder, []):
                raise UserError(f"{command}: {wrong} on the small data set")
            if name.endswith("@1"):
                continue  # evaluate wants both folds
            kept = {out: digest(out) for out in outs}
            shutil.copytree(folder, copy, ignore=SKIPPED)
            ended = run(command, copy, by)
            same = sum(digest(copy / out.relative_to(folder)) == kept[out] for out in outs)
            rows.append((name, ended or f"{same} of {len(outs)}"))
            print(*rows[-1], file=sys.stderr, flush=True)
            shutil.rmtree(copy)
    table = pd.DataFrame(rows, columns=["stage", "outputs of the same bytes"]).to_markdown(index=False)
    text = f"`{shlex.join(by)}` on {record.processor()}, against the same processor without it.\n\n{table}"
    common.save("processors", "Another processor", text)


if __name__ == "__main__":
    stage.run(main)
