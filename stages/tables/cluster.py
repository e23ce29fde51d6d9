"""Per-sequence work on several machines: ``parallel.each`` on a Dask cluster.

The cluster's workers run in the same checkout, on a file system that all machines share, because items name rows of
tables and not their contents. Code and items travel as pickles: only for a network whose machines trust each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from stages.tables.errors import UserError

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
Result = TypeVar("Result")
CHUNK = 32
"""Most items that travel together: one takes some 10 to 500 ms, a task of Dask and its answer a few."""
AHEAD = 3
"""Chunks in flight for every thread of the cluster."""
ASK = 16
"""The number of threads, which may change, is asked for before every so many chunks: the answer takes milliseconds."""
PATIENCE = 60
"""Seconds to wait for the scheduler and for its workers."""


def _same(function: Callable[[Item], Result]) -> Callable[[Item], Result]:
    return function


def _chunk(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [function(item) for item in items]


def _threads(client: Client) -> int:
    return max(1, sum(client.nthreads().values()))  # the last worker may just have died


def each(function: Callable[[Item], Result], items: Iterable[Item], scheduler: str, total: int) -> Iterator[Result]:
    """Applies ``function`` to all ``total`` items on the cluster of ``scheduler``; yields results in the items' order.

    A few chunks a worker are in flight, so memory does not grow with the number of items. The chunks of a worker that
    dies run again elsewhere. Raises UserError when there is no cluster to be reached.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UserError("machine.scheduler needs Dask: pip install -c constraints.txt -e '.[dask]'") from None
    try:
        # Results come straight from the workers where those can be reached, else by way of the scheduler.
        client = Client(scheduler, timeout=PATIENCE, direct_to_workers=True)
    except (OSError, ValueError):
        raise UserError(
            f"params.yaml: no Dask scheduler answers at machine.scheduler '{scheduler}'; start one there with"
            " python -m dask scheduler, or set it to null to work on this machine"
        ) from None
    with client:
        workers = len(client.nthreads())
        # Processes that live since an earlier stage would go on with the code of then.
        client.restart(timeout=PATIENCE, wait_for_workers=False)
        with suppress(TimeoutError):  # who does not come back is not needed, as long as somebody does
            client.wait_for_workers(max(workers, 1), timeout=PATIENCE)
        if not client.nthreads():
            raise UserError(
                f"params.yaml: the Dask scheduler '{scheduler}' has no workers; start some with"
                f" python -m dask worker {scheduler} --nthreads 1 --preload stages, in this folder"
            )
        shared = client.submit(_same, function, pure=False)  # sent once, not with every chunk
        waiting: deque = deque()
        items = iter(items)
        threads = _threads(client)
        together = max(1, min(CHUNK, total // (16 * threads)))  # few items are spread evenly rather than batched
        for number, some in enumerate(iter(lambda: list(islice(items, together)), []), 1):
            if number % ASK == 0:
                threads = _threads(client)
            waiting.append(client.submit(_chunk, shared, some, pure=False))
            while len(waiting) > AHEAD * threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
