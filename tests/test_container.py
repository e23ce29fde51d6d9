"""The Containerfile against the project; `make lint` has a linter read it too. No container runs here."""

import re
import subprocess

import pathspec
import pytest

from tests.conftest import ROOT
from tests.test_readme import shell

HOME = "/home/researcher/lmf-fer"
TEXT = re.sub(r"^#.*\n", "", (ROOT / "Containerfile").read_text(), flags=re.MULTILINE)
STEPS = [tuple(line.split(maxsplit=1)) for line in TEXT.replace("\\\n", " ").splitlines() if line]
"""Each instruction with its words, in order."""


def words(name: str) -> list[str]:
    return [step[1] for step in STEPS if step[0] == name]


def test_the_base_is_one_release_of_a_python_that_does() -> None:
    (base,) = words("FROM")
    match = re.fullmatch(r"docker\.io/library/python:(3\.\d+)\.\d+-slim-[a-z]+", base)
    assert match, "a whole version and its system, never a moving tag"
    assert f'Python :: {match[1]}"' in (ROOT / "pyproject.toml").read_text()


def test_an_ordinary_user_makes_and_runs_everything() -> None:
    names = [step[0] for step in STEPS]
    assert words("USER") == ["1000:1000"]
    assert "--uid 1000 " in words("RUN")[0]
    assert f"--owner=1000 --group=1000 {HOME}" in words("RUN")[0], "or the folder would be root's"
    assert names.index("USER") < names.index("COPY")
    assert words("COPY") == ["--chown=1000:1000 . ."]
    assert words("WORKDIR") == [HOME]
    assert names.count("ADD") == 0
    assert "--mount" not in TEXT


def test_it_runs_the_commands_of_the_readme() -> None:
    readme = [command for command, _ in shell(ROOT / "README.md") if command.startswith("make ")]
    page = [command for command, _ in shell(ROOT / "docs/environment.md")]
    assert words("CMD") == ['["make", "reproduce"]']
    assert {"make reproduce", "make test"} <= set(readme)
    assert "podman run --rm lmf-fer make test" in page
    targets = re.findall(r"make ([\w-]+)", " ".join(words("RUN")[1:]))
    assert targets == ["environment"]
    for target in (*targets, "reproduce", "test"):
        dry = ["make", "-n", "-o", ".venv/.tests", "-o", ".venv/.ready", target]
        assert subprocess.run(dry, cwd=ROOT, capture_output=True).returncode == 0


def test_the_cache_is_on_a_volume_that_the_user_owns() -> None:
    (volume,) = words("VOLUME")
    assert volume == f"{HOME}/.dvc/cache"
    assert words("RUN")[1].endswith("&& mkdir -p .dvc/cache"), "a new volume has the owner of what is there"
    assert any(f":{volume} " in command for command, _ in shell(ROOT / "docs/environment.md"))


@pytest.fixture(scope="module")
def ignored() -> pathspec.PathSpec:
    """What .dockerignore leaves out: its patterns begin at the root, as git's do with a slash."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return pathspec.PathSpec.from_lines(
        "gitignore", [re.sub(r"^(!?)(?=[^#!*])", r"\1/", line) for line in lines if line]
    )


def test_all_that_git_keeps_is_in_the_image(ignored: pathspec.PathSpec) -> None:
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    assert {"Makefile", "params.yaml", "results/table.md", "data/interim/.gitignore"} <= set(kept)
    assert [name for name in kept if ignored.match_file(name)] == []


@pytest.mark.parametrize("name", [
    ".venv/bin/python", ".prefect/prefect.db", ".cache/assets.npz", ".dvc/cache/files/md5/00/1", ".dvc/config.local",
    ".env", "data/raw/CK+/Emotion/S005/001/S005_001_00000011_emotion.txt", "data/interim/frames.parquet",
    "results/models/lmf-0.safetensors", "results/clips/clips.csv", "results/report.html", "results/plots/a.csv",
    "stages/tables/__pycache__/a.pyc", "lmf_fer.egg-info/PKG-INFO", "networks/lmf.checkpoint",
])  # fmt: skip
def test_nothing_of_this_machine_is_in_the_image(name: str, ignored: pathspec.PathSpec) -> None:
    assert ignored.match_file(name)
