"""docs/many_machines.md, as it is written there: folds on two machines, one remote."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.checkout import Checkout, Running, gone, open_port
from tests.conftest import ROOT


def git(checkout: Checkout, *command: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *identity, *command], cwd=checkout.folder, check=True, capture_output=True)


@pytest.fixture
def first(finished: Path, tmp_path: Path) -> Checkout:
    """The machine that prepares: it has features, and folds to train with another parameter."""
    checkout = Checkout.copy(finished, tmp_path / "first")
    checkout.params(train={"lmf": {"lstm_size": 6}, "dtagn": {"dropout": 0.25}})
    checkout.run("dvc", "remote", "add", "--default", "shared", str(tmp_path / "remote"))
    checkout.run("dvc", "repro", "featurize")
    checkout.run("dvc", "push", "--run-cache", "featurize")
    git(checkout, "add", "--all")
    git(checkout, "add", "--force", "dvc.lock", ".dvc/config")
    git(checkout, "commit", "--message", "Features of this run")
    return checkout


@pytest.fixture
def machines(first: Checkout, tmp_path: Path) -> list[Checkout]:
    """Two clones of the first machine's commit."""
    for name in ("one", "two"):
        subprocess.run(["git", "clone", "-q", first.folder, tmp_path / f"clone-{name}"], check=True)
    return [Checkout.copy(tmp_path / f"clone-{name}", tmp_path / name) for name in ("one", "two")]


def collect(first: Checkout, machines: list[Checkout], folds: int) -> None:
    """The first machine has every fold, and trains none."""
    first.run("dvc", "fetch", "--run-cache")
    output = first.run("dvc", "repro", "--pull", "train-lmf", "train-dtagn")
    assert output.count("Running stage") == 4 - folds
    assert output.count("is cached - skipping run") == folds
    made = [file for machine in machines for file in machine.folder.glob("results/predictions/*.parquet")]
    assert len({file.name for file in made}) == len(made) == folds
    for file in made:
        assert (first.folder / "results/predictions" / file.name).read_bytes() == file.read_bytes()


@pytest.mark.slow
def test_folds_of_two_workers_are_collected(first: Checkout, machines: list[Checkout]) -> None:
    for fold, machine in enumerate(machines):
        machine.run("dvc", "pull", "--run-cache", "featurize")
        output = machine.run("dvc", "repro", "--single-item", f"train-lmf@{fold}", f"train-dtagn@{fold}")
        assert output.count("Running stage") == 2
        machine.run("dvc", "push", "--run-cache", f"train-lmf@{fold}", f"train-dtagn@{fold}")
    collect(first, machines, folds=4)


@pytest.mark.slow
def test_a_work_pool_hands_folds_to_two_workers(first: Checkout, machines: list[Checkout]) -> None:
    port, worker = open_port(), ("prefect", "worker", "start", "--pool", "folds", "--type", "process", "--limit", "1")
    page = Running(first, "lmf_fer", "ui", "--port", str(port))
    page.until("Prefect; to start a run")
    workers = []
    try:
        for machine in machines:
            workers.append(Running(machine, *worker, PREFECT_API_URL=f"http://127.0.0.1:{port}/api",
                                   PREFECT_HOME=str(machine.folder / ".prefect"), PYTHONPATH=str(machine.folder),
                                   PREFECT_WORKER_QUERY_SECONDS="1"))  # fmt: skip
            workers[-1].until("started!")
        output = first.run("lmf_fer", "fold", "train-lmf@0", "train-lmf@1", "train-dtagn@0")
        assert output.count(": ran") == 3
    finally:
        for process in [*workers, page]:
            process.end(signal.SIGINT)
    assert all(len(list(machine.folder.glob("results/predictions/*.parquet"))) >= 1 for machine in machines)
    assert all(gone(checkout.folder) for checkout in [first, *machines])
    collect(first, machines, folds=3)


def test_the_page_names_the_commands_that_are_tested() -> None:
    page = (ROOT / "docs/many_machines.md").read_text()
    for command in (
        "dvc push --run-cache",
        "dvc pull --run-cache featurize",
        "dvc fetch --run-cache",
        "dvc repro --pull",
        "prefect worker start --pool folds --type process --limit 1",
        "lmf-fer fold train-lmf@",
    ):
        assert command in page
