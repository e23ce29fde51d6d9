"""What the environment is made of, what the doctor sees, and that nothing asks the network."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from lmf_fer import doctor, environment
from tests.conftest import ROOT, write_params
from tests.test_layouts import CASME2, sheet


def copied(tmp_path: Path, name: str = "tqdm") -> Distribution:
    """A package's files, copied to where a test may spoil them."""
    original = Distribution.from_name(name)
    for file in original.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file.locate()), tmp_path / file)
    return next(iter(Distribution.discover(name=name, path=[str(tmp_path)])))


def test_a_changed_and_a_missing_file_are_found(tmp_path: Path) -> None:
    package = copied(tmp_path)
    assert [line for line in environment.damage(package) if "/bin/" not in line] == []
    file = tmp_path / "tqdm/std.py"
    file.write_bytes(file.read_bytes() + b"\n")
    (tmp_path / "tqdm/utils.py").unlink()
    wrong = [line for line in environment.damage(package) if "/bin/" not in line]
    assert len(wrong) == 2
    assert any("std.py: changed" in line for line in wrong)
    assert any("utils.py: missing" in line for line in wrong)


def normal(pin: str) -> str:
    name, version = pin.split("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"


def test_every_pin_has_its_hashes_and_an_archive_that_is_none_of_them_is_found(
    tmp_path: Path,
) -> None:
    known = environment.published()
    pins = [line for line in (ROOT / "constraints.txt").read_text().split() if "==" in line]
    assert [pin for pin in pins if not known.get(normal(pin))] == [], "lmf-fer lock, and commit hashes.txt"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["build-system"]["requires"]) <= set(pins), "what builds the project is pinned in both files"
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digests in known.values() for digest in digests)

    def reported(number: int, **archives: str) -> None:
        items = [{"metadata": dict(zip(("name", "version"), name.split(" "), strict=True)),
                  "download_info": {"url": "https://x", "archive_info": {"hashes": {"sha256": digest}}}}
                 for name, digest in archives.items()]  # fmt: skip
        items.append({"metadata": {"name": "lmf-fer", "version": "0.1"}, "download_info": {"dir_info": {}}})
        (tmp_path / f"installed-{number}.json").write_text(json.dumps({"install": items}))

    def lines() -> list[tuple[bool, str]]:
        return list(environment.archives(tmp_path))

    assert [fault for fault, _ in lines()] == [False]
    pin = next(pin for pin in pins if "_" in pin)
    right = sorted(known[normal(pin)])[0]
    reported(1, **{pin.replace("==", " "): "0" * 64, "torch 2.13.0+cpu": "1" * 64})
    assert [(fault, "not among those" in line) for fault, line in lines()] == [
        (True, True), (False, False), (False, False)
    ]  # fmt: skip
    assert "0 of 2 archives" in lines()[-1][1]
    reported(2, **{pin.replace("==", " "): right, "unheard 1.0": "2" * 64})
    assert [line for fault, line in lines() if fault] == ["unheard==1.0: hashes.txt does not list it"]
    assert "1 of 3 archives" in lines()[-1][1]


def test_every_package_has_a_line_in_the_table_of_licences(capsys: pytest.CaptureFixture[str]) -> None:
    environment.licences()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(environment.packages())
    table = {line.split(" | ")[0].strip("| ").lower(): line for line in lines[2:]}
    assert "BSD" in table["torch"]
    assert "Apache" in table["dvc"]


def test_the_doctor_looks_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    write_params(tmp_path, dataset={"name": "ckplus", "root": "nowhere"})
    before = sorted(tmp_path.rglob("*"))
    assert [state for state, _ in doctor.data()] == [doctor.GOOD, doctor.BAD, doctor.NOTE]
    assert sorted(tmp_path.rglob("*")) == before
    assert all(state != doctor.BAD for check in (doctor.python, doctor.packages, doctor.model) for state, _ in check())
    (tmp_path / "nowhere/cohn-kanade-images/S001/001").mkdir(parents=True)
    (tmp_path / "nowhere/Emotion").mkdir()
    assert "1 sequences, 0 labels; published: 593 and 327" in list(doctor.data())[1][1]
    (tmp_path / "params.yaml").write_text("dataset: 3\n")
    assert next(iter(doctor.data()))[0] == doctor.BAD
    (tmp_path / "constraints.txt").write_text("torch==1.0\n")
    assert "torch" in next(iter(doctor.packages()))[1]


@pytest.mark.parametrize("running", ["3.10", "3.15", "2.7"])
def test_another_python_is_one_sentence(running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "assets.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    older, numbers = tmp_path / "python", ", ".join(running.split("."))  # this one, which takes itself for another
    code = f"import sys; sys.version_info = ({numbers}, 0); del sys.argv[1]; exec(sys.argv.pop(1))"
    older.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}' \"$@\"\n")
    older.chmod(0o755)
    made = subprocess.run(["make", "check", f"PYTHON={older}"], cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 2
    assert made.stderr.splitlines()[0] == (
        f"error: Python {running} is none of those that do (3.11, 3.12, 3.13, 3.14): make PYTHON=python3.11"
    )
    assert not (tmp_path / ".venv").exists()
    monkeypatch.setattr(sys, "version_info", (*map(int, running.split(".")), 0))
    assert (doctor.BAD, made.stderr.splitlines()[0][7:].replace(running, f"{running}.0")) in list(doctor.python())


@pytest.mark.parametrize(("lines", "known"), [(247, True), (255, True), (254, False)])
def test_an_untouched_copy_of_casme2_is_no_deviation(
    lines: int, known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own sheet has 255 lines, of which its paper uses 247."""
    coded: list[list[object]] = [[n % 26 + 1, f"EP{n:03}", None, 1, 5, 9, None, "4", "fear"] for n in range(lines)]
    sheet(tmp_path / "casme2/CASME2-coding-20140508.xlsx", CASME2, *coded)
    (tmp_path / "casme2/CASME2_RAW_selected/sub01/EP026").mkdir(parents=True)
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    write_params(tmp_path, dataset={"name": "casme2", "root": "casme2"})
    state, line = list(doctor.data())[1]
    published = "" if known else "; published: 247 and 145"
    assert (state, line) == (
        doctor.GOOD if known else doctor.NOTE, f"data set 'casme2': {lines} sequences, {lines} labels{published}"
    )  # fmt: skip


def test_a_run_needs_no_network(tmp_path: Path) -> None:
    """The stages to the landmarks, in a network name space that holds nothing, not even a loop back."""
    isolated = ["unshare", "-rn"]
    if shutil.which("unshare") is None or subprocess.run([*isolated, "true"], capture_output=True).returncode:
        pytest.skip("a network name space is not allowed here: unshare -rn fails")
    reach = "import socket; socket.create_connection(('1.1.1.1', 53), 2)"
    assert subprocess.run([*isolated, sys.executable, "-c", reach], capture_output=True).returncode, (
        "no network in there"
    )
    write_params(tmp_path, simulate={"subjects": 2, "sequences": 1, "frames": [4, 4]}, machine={"workers": 1})
    if (ROOT / ".cache").is_dir():
        shutil.copytree(ROOT / ".cache", tmp_path / ".cache")
    stages = ("simulate", "ingest", "synthesize", "landmark", "featurize")
    code = f"from tests.conftest import *; [run_stage(Path(), stage).check_returncode() for stage in {stages}]"
    done = subprocess.run([*isolated, sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data/features/lmf.parquet").is_file()
