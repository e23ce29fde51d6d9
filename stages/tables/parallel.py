"""Per-sequence work in several processes, on this machine or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

from stages.tables import cluster, machine, params
from stages.tables.stage import progress

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 8
"""Neighbouring items that a process takes at once: they lie in the same part of a table, which is read only once."""
AHEAD = 64
"""Items for each process whose results may wait to be read."""


def each(
    function: Callable[[Item], Result], items: Iterable[Item], label: str, total: int | None = None
) -> Iterator[Result]:
    """Applies ``function`` to every item in worker processes and yields the results in the items' order.

    The processes are this machine's (``machine.workers``), or those of the Dask cluster that ``machine.scheduler``
    names. Results stream: a few are in flight at a time, so memory does not grow with the number of items, and neither
    the number of workers nor their order changes what comes out. Shows a progress bar named ``label``. ``total`` is the
    number of items, for those that are made one by one.
    """
    if total is None:
        items = list(items)
        total = len(items)
    scheduler = params.read(machine.Machine).scheduler
    processes = min(machine.workers(), max(total, 1))
    results: Iterable[Result]
    if scheduler:
        results = cluster.each(function, items, scheduler, total)
    elif processes == 1:
        results = map(function, items)
    else:
        results = _local(function, items, processes, total)
    yield from progress(results, label, total=total)


def _local(function: Callable[[Item], Result], items: Iterable[Item], processes: int, total: int) -> Iterator[Result]:
    items = iter(items)
    batch = max(1, min(BATCH, total // (4 * processes)))  # few items are spread evenly rather than batched
    with Parallel(n_jobs=processes, return_as="generator", batch_size=batch) as parallel:
        # In rounds, since joblib alone would run ahead of a slow reader without bound.
        while some := list(islice(items, AHEAD * processes)):
            yield from parallel(delayed(function)(item) for item in some)
    get_reusable_executor().shutdown()  # joblib would keep its processes, and their memory, for a next call
