"""The command ``lmf-fer``: its help, its exit statuses, and the check of params.yaml."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lmf_fer import cli
from stages.tables.errors import UserError
from tests.conftest import ROOT, write_params

COMMANDS = [
    "reproduce",
    "loso",
    "ui",
    "check",
    "doctor",
    "verify",
    "licences",
    "lock",
    "predict",
    "spot",
    "transfer",
    "compare",
    "recorded",
    "record",
    "fold",
]
run = CliRunner().invoke


def typed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, in ``folder``."""
    return subprocess.run([sys.executable, "-m", "lmf_fer", *words], cwd=folder, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip


def test_the_help_names_every_command_and_make_calls_none_that_is_not_there() -> None:
    lines = run(cli.app, ["--help"]).output.split("Commands:")[1].splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == COMMANDS
    assert not any(line.endswith("...") for line in lines), "each line is a whole sentence"
    called = re.findall(r"^\t@?python -m lmf_fer (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert called
    assert set(called) <= set(COMMANDS)
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"] == {"lmf-fer": "lmf_fer.cli:app"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_explains_itself_and_refuses_other_words(command: str) -> None:
    result = run(cli.app, [command, "--help"])
    assert result.exit_code == 0
    assert f"{command} [OPTIONS]" in result.output
    result = run(cli.app, [command, "--no-such-option"])
    assert result.exit_code == 2
    assert "No such option" in result.output


def test_the_help_needs_nothing_of_what_the_commands_need() -> None:
    code = "import sys, lmf_fer.cli; print({'torch', 'prefect', 'pandas', 'dvc'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize(
    "words",
    [[], ["nonsense"], ["predict"], ["compare"], ["fold"], ["transfer"], ["transfer", "a", "b"], ["ui", "--port", "x"],
     ["reproduce", "--workers", "-1"]],
)  # fmt: skip
def test_wrong_arguments_are_status_2(words: list[str]) -> None:
    assert run(cli.app, words).exit_code == 2


def test_ctrl_c_and_a_failure_have_their_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(error: BaseException) -> None:
        raise error

    monkeypatch.setattr("lmf_fer.environment.licences", lambda: raises(KeyboardInterrupt()))
    assert run(cli.app, ["licences"]).exit_code == 130
    monkeypatch.setattr("lmf_fer.environment.licences", lambda: raises(UserError("so it is; do that")))
    result = run(cli.app, ["licences"])
    assert (result.exit_code, result.stderr) == (1, "error: so it is; do that\n")


def test_a_command_that_is_stopped_says_nothing_more() -> None:
    code = ("import os, signal; from lmf_fer import cli, environment;"
            "environment.licences = lambda: os.kill(os.getpid(), signal.SIGINT); cli.app(['licences'])")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "")


def test_check_is_one_sentence(tmp_path: Path) -> None:
    write_params(tmp_path)
    file = tmp_path / "params.yaml"
    file.write_text(file.read_text() + "nonsense: 1\n")
    done = typed(tmp_path, "check")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: params.yaml, line ")
    assert "nonsense is no parameter" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["train.lmf.lstm_layers", "train.svm.c", "train.seed", "evaluate.draws",
                                  "portraits.people", "machine.workers", "protocol.originals"])  # fmt: skip
def test_check_reads_every_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = run(cli.app, ["check"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "all valid" in result.stdout
    change: object = "many"
    for part in reversed(name.split(".")):
        change = {part: change}
    assert isinstance(change, dict)
    write_params(tmp_path, **change)
    result = run(cli.app, ["check"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{name} is 'many'" in result.stderr


def test_a_fold_that_is_none_is_one_sentence() -> None:
    done = typed(ROOT, "fold", "train-lmf@999")
    assert done.returncode == 1
    assert done.stderr.startswith("error: dvc.yaml has no stage train-lmf@999;")
