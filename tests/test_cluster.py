"""Per-sequence work on a Dask cluster: the same results as here, whoever dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from stages.tables import cluster
from stages.tables.errors import UserError
from tests.checkout import Checkout

distributed = pytest.importorskip("distributed")
FEATURES = ("data/features/lmf.parquet", "data/features/dtagn.parquet")


@pytest.fixture(scope="module")
def checkout(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout.copy(finished, tmp_path_factory.mktemp("cluster") / "checkout")


@pytest.fixture(scope="module")
def scheduler(checkout: Checkout) -> Iterator[str]:
    """The address of two worker processes that work in the checkout."""
    here = Path.cwd()
    os.chdir(checkout.folder)
    try:
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local:
            yield local.scheduler_address
    finally:
        os.chdir(here)


def squared(item: int, folder: Path) -> int:
    (folder / str(item)).touch()
    return item * item


def fatal_once(item: int, folder: Path) -> int:
    """As ``squared``, but item 13 kills its worker the first time."""
    if item == 13 and not (folder / "13").exists():
        (folder / "13").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return squared(item, folder)


def failing(item: int) -> int:
    raise UserError(f"item {item} cannot be read")


def test_results_come_in_order_and_no_more_are_made_than_needed(scheduler: str, tmp_path: Path) -> None:
    results = cluster.each(partial(squared, folder=tmp_path), range(400), scheduler, 400)
    assert next(results) == 0
    # One of the two workers may not be there yet, which makes for fewer and larger chunks.
    assert len(list(tmp_path.iterdir())) <= 400 // 16 * (cluster.AHEAD + 1)
    assert list(results) == [item * item for item in range(1, 400)]


def test_the_work_of_a_worker_that_dies_is_done_again(scheduler: str, tmp_path: Path) -> None:
    results = cluster.each(partial(fatal_once, folder=tmp_path), range(100), scheduler, 100)
    assert list(results) == [item * item for item in range(100)]


def test_a_failure_arrives_as_it_was_raised(scheduler: str) -> None:
    with pytest.raises(UserError, match=r"^item 0 cannot be read$"):
        list(cluster.each(failing, range(3), scheduler, 3))


def test_a_stage_writes_the_same_bytes_as_on_one_machine(scheduler: str, checkout: Checkout, finished: Path) -> None:
    for name in FEATURES:
        (checkout.folder / name).unlink()
    checkout.params(machine={"scheduler": scheduler})
    checkout.run("stages.featurize")
    for name in FEATURES:
        assert (checkout.folder / name).read_bytes() == (finished / name).read_bytes()
    assert checkout.repro() == set(), "where it runs is no reason to run again"


def test_no_scheduler_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with pytest.raises(UserError, match=r"no Dask scheduler answers at machine.scheduler 'tcp://127.0.0.1:1'; start"):
        next(cluster.each(abs, [1], "tcp://127.0.0.1:1", 1))
