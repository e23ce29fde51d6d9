"""Whether a run is the recorded one, byte for byte, and what is said where it is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flows import record
from tests.checkout import Checkout

STAGES = 17
"""Of the small run: four that make things, four until featurize, three networks by two folds, the SVM, and two more."""


@pytest.fixture(scope="module")
def kept(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A finished run, recorded and committed."""
    checkout = Checkout.copy(finished, tmp_path_factory.mktemp("record") / "checkout")
    assert checkout.run("lmf_fer", "recorded").startswith("Nothing to compare with: git has no recorded run in HEAD")
    printed = checkout.run("lmf_fer", "record")
    assert f"outputs of {STAGES} stages" in printed
    assert (
        "git add dvc.lock data/dvc.lock networks/dvc.lock params.yaml results/table.* results/machines.csv" in printed
    )
    checkout.commit()
    return checkout


def status(checkout: Checkout) -> str:
    return subprocess.run(["git", "status", "--short"], cwd=checkout.folder, capture_output=True, text=True).stdout


def test_a_run_that_agrees_is_as_recorded_and_recording_it_again_changes_nothing(kept: Checkout) -> None:
    assert kept.run("lmf_fer", "recorded") == f"{STAGES} of {STAGES} stages as recorded.\n"
    kept.run("lmf_fer", "record")
    assert status(kept) == ""


def test_stages_that_are_run_again_leave_git_clean(kept: Checkout) -> None:
    assert len(kept.repro("--force", "--single-item", "train-lmf@0", "evaluate", "report")) == 3
    assert status(kept) == ""


def test_one_byte_of_an_output_is_reported_with_its_stage(kept: Checkout) -> None:
    path = kept.folder / "results/predictions/lmf-1.parquet"
    whole = path.read_bytes()
    path.unlink()  # it may be a link into DVC's cache
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    try:
        said = kept.run("lmf_fer", "recorded")
        assert f"{STAGES - 1} of {STAGES} stages as recorded; first to differ: train-lmf@1 (processor: " in said
        assert "\ntrain-lmf@1: results/predictions/lmf-1.parquet." in said
        assert "train-lmf@1: not up to date" in kept.fails("lmf_fer", "record")
    finally:
        path.write_bytes(whole)


def test_the_first_difference_and_the_code_behind_it_are_named(kept: Checkout) -> None:
    file = kept.folder / "stages/train/dtagn.py"
    text = file.read_text()
    file.write_text(text.replace("JOINT = 0.1", "JOINT = 0.9"))
    try:
        kept.repro()
        said = kept.run("lmf_fer", "recorded")
        assert "first to differ: train-dtagn@0, train-dtagn@1 (" in said
        assert "since the record changed: stages/train/dtagn.py" in said
        assert "\nafter them differ too: " in said  # at least report, which draws their losses
    finally:
        file.write_text(text)
        kept.repro()
    assert kept.run("lmf_fer", "recorded") == f"{STAGES} of {STAGES} stages as recorded.\n"


def test_a_run_on_other_parameters_is_not_compared(kept: Checkout) -> None:
    kept.params(evaluate={"seed": 1})
    try:
        kept.repro()
        said = kept.run("lmf_fer", "recorded")
        assert said.startswith("Not compared with the recorded run, which has other parameters: evaluate.seed: 1, ")
    finally:
        kept.params()
        kept.repro()


def test_a_processor_is_named_by_model_and_widest_vectors(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("model name\t: Some CPU\ncpu family\t: 6\nmodel\t\t: 143\nflags\t: sse avx avx2\n\nmodel name: x\n")
    assert record.processor(file) == "Some CPU family 6 model 143 avx2"
    assert record.processor(tmp_path / "none") == "unknown"
