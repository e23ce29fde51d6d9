"""What every room needs besides its tables: its parameters, a parallel map with a progress bar, and how to fail.

A room's ``__main__.py`` calls ``run(main)``; inside, ``params``, ``each`` and ``say`` are all it needs.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import glob
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky import get_reusable_executor
from tqdm import tqdm

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM,
              errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY)  # fmt: skip
"""What a full or read-only disk, or something in the way, says."""
TOGETHER = 8
"""Neighbouring items that a process takes at once: they lie in the same part of a table, which is read only once."""
ROUND = 64
"""Items for each process whose results may wait to be read."""
TIMES = Path("results/times")
"""What each stage took when DVC last ran it: for people, so no stage depends on it and DVC does not track it."""


class RoomError(Exception):
    """A failure that its reader can mend. The message is one sentence: what was wrong, where, and what to do."""


def run(main: Callable[[], None], about: str | None = None) -> None:
    """Runs a room's ``main``. A RoomError becomes one line on stderr and exit status 1, never a traceback.

    A room that takes no arguments says what it is ``about``, which --help then prints. Where DVC runs it, what it took
    is left in TIMES.
    """
    start, stage = time.time(), os.environ.get("DVC_STAGE")
    if about is not None:
        argparse.ArgumentParser(prog=f"python -m {sys.modules['__main__'].__package__}", description=about).parse_args()
    try:
        main()
        if stage:
            took = {"started": int(start), "seconds": round(time.time() - start, 2), "memory": _memory()}
            with suppress(RoomError), renamed(time_file(stage)) as file:  # a full disk: not worth a finished stage
                file.write_text(json.dumps(took) + "\n")
    except RoomError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _memory() -> int:
    """Most memory that this process, or one of those that it started and that have ended, ever held, bytes."""
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return most if sys.platform == "darwin" else 1024 * most


def time_file(stage: str) -> Path:
    """Where that of a stage is, by DVC's address of it: ``data/dvc.yaml:simulate`` or ``train@lmf-0``."""
    return TIMES / f"{stage.rpartition(':')[2]}.json"


def params(section: str, path: Path | str = "params.yaml") -> dict[str, Any]:
    """One section of ``params.yaml``, all of which is checked first.

    Raises RoomError as ``panel.read`` does.
    """
    from stages.tables import panel  # it needs RoomError

    return panel.read(path)[section]


def workers() -> int:
    """Processes for per-sequence work: ``machine.workers``, or one per core where that is 0."""
    return int(params("machine")["workers"]) or cpu_count()


def each(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    label: str,
    processes: int | None = None,
    total: int | None = None,
) -> Iterator[Result]:
    """Applies ``function`` to every item in worker processes and yields the results in the items' order.

    The processes are this machine's, or those of the Dask cluster that ``machine.scheduler`` names. Results stream: a
    few are in flight at a time, so memory does not grow with the number of items, and neither the number of workers nor
    their order changes what comes out. Shows a progress bar named ``label``. ``total`` is the number of items, for
    those that are made one by one.
    """
    if total is None:
        items = list(items)
        total = len(items)
    scheduler = None if processes else params("machine").get("scheduler")
    processes = min(processes or workers(), max(total, 1))
    results: Iterable[Result]
    if scheduler:
        from stages.tables import cluster

        results = cluster.each(function, items, scheduler, total)
    elif processes == 1:
        results = map(function, items)
    else:
        results = _side_by_side(function, items, processes, total)
    yield from progress(results, label, total=total)


def _side_by_side(
    function: Callable[[Item], Result], items: Iterable[Item], processes: int, total: int
) -> Iterator[Result]:
    items = iter(items)
    together = max(1, min(TOGETHER, total // (4 * processes)))  # few items are spread evenly rather than batched
    with Parallel(n_jobs=processes, return_as="generator", batch_size=together) as parallel:
        # In rounds, since joblib alone would run ahead of a slow reader without bound.
        while some := list(islice(items, ROUND * processes)):
            yield from parallel(delayed(function)(item) for item in some)
    get_reusable_executor().shutdown()  # joblib would keep its processes, and their memory, for a next call


def progress(items: Iterable[Item], label: str, total: int | None = None) -> Iterable[Item]:
    """A progress bar on stderr: live on a terminal, a line every ten seconds elsewhere."""
    live = sys.stderr.isatty()
    return tqdm(items, label, total, file=sys.stderr, mininterval=0.1 if live else 10, ascii=not live, leave=True)


def say(room: str, line: str) -> None:
    """Prints what a room read, did and wrote, in one line."""
    print(f"{room}: {line}", flush=True)


@contextmanager
def renamed(path: Path | str) -> Iterator[Path]:
    """A temporary path to write to, renamed to ``path`` when the block ends well and removed when it does not."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # two runs at once must not share one
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        with temporary.open("ab") as held:
            with suppress(OSError):  # not every file system knows locks; then nothing is ever taken for a leftover
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield temporary
            os.replace(temporary, path)
    except OSError as error:
        about = Path(os.fsdecode(error.filename or temporary))
        if error.errno not in UNWRITABLE or about not in (temporary, path, *path.parents):
            raise
        reason = os.strerror(error.errno or 0).lower()
        raise RoomError(f"{path}: cannot be written ({reason}); make room for it and try again") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def _remove_leftovers(path: Path) -> None:
    """Removes the temporary files of ``path`` whose process was killed: nobody holds their lock any more.

    A process that was killed can be listed long after, until somebody collects it, and its number says nothing on
    another machine: its locks go at once, and everywhere.
    """
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError), left.open("rb+") as file:  # it is in use, or somebody else's
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def device() -> torch.device:
    """Where networks run: ``machine.device``, or the GPU if there is one where that is 'auto'."""
    import torch

    name = params("machine")["device"]
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    elif name == "cuda" and not torch.cuda.is_available():
        raise RoomError("params.yaml: machine.device is 'cuda', and torch finds no GPU here; set it to auto or cpu")
    return torch.device(name)
