"""Whether a run is the recorded one, byte for byte; what runs again after a change, and what is said then."""

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


@pytest.fixture
def changing(kept: Checkout, tmp_path: Path) -> Checkout:
    """A copy that a test may leave in any state."""
    return Checkout.copy(kept.folder, tmp_path / "checkout")


def test_a_line_of_dtagn_runs_its_folds_and_what_follows_and_is_named(changing: Checkout) -> None:
    file = changing.folder / "stages/train/dtagn.py"
    text = file.read_text()
    file.write_text(text + "\n# a new line\n")
    # The folds run; they predict the same bytes, so nothing needs to follow.
    assert changing.repro() == {"train-dtagn@0", "train-dtagn@1"}
    file.write_text(text.replace("JOINT = 0.1", "JOINT = 0.9"))
    assert changing.repro() == {"train-dtagn@0", "train-dtagn@1", "evaluate", "report"}
    said = changing.run("lmf_fer", "recorded")
    assert "first to differ: train-dtagn@0, train-dtagn@1 (" in said
    assert "since the record changed: stages/train/dtagn.py" in said
    assert "\nafter them differ too: " in said  # at least report, which draws their losses
    file.write_text(text)
    assert changing.repro() <= {"evaluate", "report"}, "the old folds come from the cache"
    assert changing.run("lmf_fer", "recorded") == f"{STAGES} of {STAGES} stages as recorded.\n"


def test_a_training_parameter_runs_its_model_and_what_follows_and_is_not_compared(changing: Checkout) -> None:
    changing.params(train={"lmf": {"lstm_size": 12}})
    assert changing.repro() == {"train-lmf@0", "train-lmf@1", "evaluate", "report"}
    said = changing.run("lmf_fer", "recorded")
    assert said.startswith("Not compared with the recorded run, which has other parameters: train.lmf.lstm_size: 12, ")
    changing.params()
    assert changing.repro("train-lmf") == set(), "the old folds come from the cache"


def test_a_processor_is_named_by_model_and_widest_vectors(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("model name\t: Some CPU\ncpu family\t: 6\nmodel\t\t: 143\nflags\t: sse avx avx2\n\nmodel name: x\n")
    assert record.processor(file) == "Some CPU family 6 model 143 avx2"
    assert record.processor(tmp_path / "none") == "unknown"
