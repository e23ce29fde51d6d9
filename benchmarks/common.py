"""What the benchmarks share: the command line, the timer, and the Markdown file that each writes beside itself."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from stages.tables import files

ROOT, HERE = Path(__file__).parents[1], Path(__file__).parent


def parser(description: str | None) -> argparse.ArgumentParser:
    """The command line of the benchmark that runs; ``description`` is its docstring."""
    program = f"python -m benchmarks.{Path(sys.argv[0]).stem}"
    layout = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=program, description=description, formatter_class=layout)


def save(name: str, title: str, text: str) -> None:
    """Prints ``text`` and writes it under its title to NAME.md; docs/results.md is made of these files."""
    print(text)
    files.write(HERE / f"{name}.md", f"# {title}\n\n{text.strip()}\n")


def markdown(rows: pd.DataFrame, form: Callable[[float], str] = "{:.3f}".format) -> str:
    """A Markdown table of numbers, written by ``form``; where there is none, the cell is empty."""
    cells = rows.map(lambda value: "" if pd.isna(value) else form(value))
    return f"{cells.to_markdown(disable_numparse=True)}\n"


def fastest(work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """The shortest time of ``repeats`` calls of ``work``, after one that does not count, seconds."""
    work()
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def one_thread() -> None:
    """Everything that computes uses one thread from here on."""
    import numba
    import torch
    from threadpoolctl import threadpool_limits

    numba.set_num_threads(1)
    torch.set_num_threads(1)
    threadpool_limits(1)


def points(rows: pd.DataFrame) -> np.ndarray:
    """The landmarks (frames, 68, 2) of a sequence, px, from a table with a row a frame and columns x and y."""
    return np.stack([np.stack(rows[axis].to_list()) for axis in ("x", "y")], axis=-1)
