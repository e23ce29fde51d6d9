"""Every command that a sentence of the code names works: those of docs and README are in test_readme."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.checkout import Checkout
from tests.conftest import ROOT
from tests.test_readme import RUN
from tests.test_results import HELP

CODE = [file for package in ("flows", "lmf_fer", "stages", "benchmarks") for file in (ROOT / package).rglob("*.py")]
COMMAND = re.compile(
    r"\b(?:dvc (?:repro|exp|checkout|stage|metrics|pull|push|config)|make (?=[a-z]+\b)|lmf-fer (?=[a-z]+\b)"
    r"|python -m (?=\w)|git (?:checkout|init|add))[^;,()\n|`'\"#:]*(?::\w[^;,()\n|`'\"#]*)?"
)
PROSE = re.compile(
    r" (first|again|after|in|and|to|do|takes|at|needs|shows|makes|simulates|works|failed|-->)\b.*| $|\.$"
)
"""What follows a command in a sentence and is no more part of it."""
VERBS = re.compile(r"make (a|one|the|hundreds|it|its|so|so few|notes|is|in|of|openpyxl|way|for)\b")


def texts(file: Path) -> list[str]:
    """Every string of a module, with {} where a value comes in; without the docstrings of its parts."""
    tree = ast.parse(file.read_text())
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            inside.add(id(node.body[0].value))  # type: ignore[attr-defined]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            found.append(node.value)
    return found


def commands() -> dict[str, str]:
    """Each command, and a file that names it."""
    named = {}
    for file in CODE:
        for text in texts(file):
            for match in COMMAND.findall(text):
                command = PROSE.sub("", match).strip()
                if not VERBS.match(command):
                    named[command] = str(file.relative_to(ROOT))
    return named


def dry(command: str) -> str:
    """What shows, without its work, that a command is there and takes these words."""
    words = command.split()
    if command.startswith("dvc repro"):
        return command.replace("repro", "repro --dry", 1)
    if words[0] == "make":
        return f"make -n -o .venv/.ready {' '.join(words[1:])}".replace("{}", "4300")
    if words[0] == "git":
        return "git add --dry-run ." if words[1] == "add" else "git rev-parse"
    if words[0] == "python":
        return " ".join([*words[: 4 if words[2] == "dask" else 3], "--help"])
    return " ".join([*words[: 3 if words[0] == "dvc" and words[1] in ("exp", "metrics", "stage") else 2], "--help"])


@pytest.fixture(scope="module")
def checkout(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    copy = Checkout.copy(finished, tmp_path_factory.mktemp("commands") / "checkout")
    copy.commit()
    return copy


def test_sentences_name_commands() -> None:
    assert {"dvc repro", "dvc repro data/dvc.yaml:interpolator", "make reproduce", "make ui"} <= commands().keys()
    assert not any("{" in command for command in commands() if command.startswith(("dvc repro", "make {"))), (
        "DVC takes the names of stages, and no paths"
    )


ELSEWHERE = {*RUN, *HELP, "python -m benchmarks.{} --help"}
"""What test_readme and test_results run, and a template."""


@pytest.mark.parametrize("line", sorted({dry(command) for command in commands()} - ELSEWHERE))
def test_a_command_that_a_sentence_names_works(checkout: Checkout, line: str) -> None:
    done = checkout.shell(line)
    assert done.returncode == 0, f"{line}\n{done.stdout[-1000:]}{done.stderr[-1000:]}"
    assert "Traceback" not in done.stderr
