"""docs/many_machines.md, as it is written there: folds on two machines, one remote."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.checkout import Checkout
from tests.conftest import ROOT


def git(checkout: Checkout, *command: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *identity, *command], cwd=checkout.folder, check=True, capture_output=True)


@pytest.fixture
def first(finished: Path, tmp_path: Path) -> Checkout:
    """The machine that prepares: it has features, and folds to train with another parameter."""
    checkout = Checkout.copy(finished, tmp_path / "first")
    checkout.params(train={"lmf": {"lstm_size": 6}, "dtagn": {"dropout": 0.25}})
    return checkout


@pytest.mark.slow
def test_folds_of_two_workers_are_collected(first: Checkout, finished: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    first.run("dvc", "remote", "add", "--default", "shared", str(remote))
    first.run("dvc", "repro", "featurize")
    first.run("dvc", "push", "--run-cache", "featurize")
    git(first, "add", "--all")
    git(first, "add", "--force", "dvc.lock", ".dvc/config")
    git(first, "commit", "--message", "Features of this run")
    predictions = {}
    for fold in (0, 1):
        subprocess.run(["git", "clone", "-q", first.folder, tmp_path / f"worker{fold}"], check=True)
        worker = Checkout.copy(tmp_path / f"worker{fold}", tmp_path / f"machine{fold}")
        worker.run("dvc", "pull", "--run-cache", "featurize")
        said = worker.run("dvc", "repro", "--single-item", f"train@lmf-{fold}", f"train@dtagn-{fold}")
        assert said.count("Running stage") == 2
        worker.run("dvc", "push", "--run-cache", f"train@lmf-{fold}", f"train@dtagn-{fold}")
        for file in worker.folder.glob("results/predictions/*.parquet"):
            predictions[file.name] = file.read_bytes()
    first.run("dvc", "fetch", "--run-cache")
    said = first.run("dvc", "repro", "--pull", "train")
    assert "Running stage" not in said
    assert said.count("is cached - skipping run") == 4
    assert len(predictions) == 4
    for name, content in predictions.items():
        assert (first.folder / "results/predictions" / name).read_bytes() == content


def test_the_page_names_the_commands_that_are_tested() -> None:
    page = (ROOT / "docs/many_machines.md").read_text()
    for command in (
        "dvc push --run-cache",
        "dvc pull --run-cache featurize",
        "dvc fetch --run-cache",
        "dvc repro --pull",
    ):
        assert command in page
