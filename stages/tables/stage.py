"""What a stage's ``__main__.py`` needs: to run, to fail with a sentence, to show progress, and to say what it did."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from stages.tables import files
from stages.tables.errors import UserError

if sys.platform != "win32":
    import resource

Item = TypeVar("Item")

TIMES = Path("results/times")
"""What each stage took when DVC last ran it: for people, so no stage depends on it and DVC does not track it."""


def run(main: Callable[[], None], description: str | None = None) -> None:
    """Runs a stage's ``main``. A UserError becomes one line on stderr and exit status 1, never a traceback.

    A stage without arguments gives a ``description``, which --help prints. Where DVC runs it, the time and memory that
    it took are written to TIMES.
    """
    print_utf8()
    start, stage = time.time(), os.environ.get("DVC_STAGE")
    if description is not None:
        program = f"python -m {sys.modules['__main__'].__package__}"
        argparse.ArgumentParser(prog=program, description=description).parse_args()
    try:
        with files.full_disk():
            main()
        if stage:
            took = {"started": int(start), "seconds": round(time.time() - start, 2), "memory": _memory()}
            with suppress(UserError):  # a full disk: not worth a finished stage
                files.write(time_file(stage), json.dumps(took) + "\n")
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        leave()


def leave() -> None:
    """For a process that is about to end: Python would look once more through all that is left for garbage."""
    gc.freeze()


def print_utf8() -> None:
    """What is printed from here on is UTF-8, whatever the locale: a plus-minus or a name must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # not so where a test or a notebook reads along
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _memory() -> int:
    """Most memory that this process, or one of those that it started and that have ended, ever held, bytes.

    0 on Windows, which does not say.
    """
    if sys.platform == "win32":
        return 0
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return most if sys.platform == "darwin" else 1024 * most


def time_file(stage: str) -> Path:
    """The file in TIMES of a stage, by DVC's address: ``data/dvc.yaml:simulate`` or ``train-lmf@0``."""
    return TIMES / f"{stage.rpartition(':')[2]}.json"


def progress(items: Iterable[Item], label: str, total: int | None = None) -> Iterable[Item]:
    """A progress bar on stderr: live on a terminal, a line every ten seconds elsewhere."""
    live = sys.stderr.isatty()
    return tqdm(items, label, total, file=sys.stderr, mininterval=0.1 if live else 10, ascii=not live, leave=True)


def summary(stage: str, line: str) -> None:
    """Prints what a stage read, did and wrote, in one line."""
    print(f"{stage}: {line}", flush=True)
