"""What bad input does: damaged trees, tables, spreadsheets, weights and parameters, each through its reader.

    python -m benchmarks.bad_input            # 613 cases, three minutes on one core; one table
    python -m benchmarks.bad_input --cases 40 # of every kind fewer

A case is right when the program either goes on with exactly what undamaged input gives, or sets the damaged sequence
aside and goes on with the others, or ends with one sentence: whichever of these its kind allows. It is wrong when there
is a traceback, when it takes more than ten seconds, when a row differs that should not, or when a file of the input or
of an earlier run is changed, or one is left half-written. Every case is made from a seed of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import yaml

from benchmarks.bad_input.case import ROOT, Count, attempt
from benchmarks.bad_input.parameters import PARAMETERS, Parameters
from benchmarks.bad_input.sheets import SHEETS, Sheets
from benchmarks.bad_input.tables import TABLE_CASES, Tables
from benchmarks.bad_input.trees import TREES, Trees, mountable
from benchmarks.bad_input.weights import WEIGHTS, Weights

KINDS = ("trees", "tables", "sheets", "weights", "parameters")


def measure(
    kind: str, base: Path, scratch: Path, seed: int, most: int | None = None, every: int = 1
) -> Iterator[tuple[str, Count]]:
    """The cases of one of KINDS, each name with its count. ``base`` is an undamaged tree of three subjects.

    ``most`` limits how many cases one name has, ``every`` takes only each so many-th name.
    """
    cases, run = {
        "trees": (TREES, partial(Trees, base)),
        "tables": (TABLE_CASES, Tables),
        "sheets": (SHEETS, Sheets),
        "weights": (WEIGHTS, Weights),
        "parameters": (PARAMETERS, Parameters),
    }[kind]
    made, may_mount = run(scratch / kind), mountable()
    for case in cases[::every]:
        if case.mount and not may_mount:
            continue
        count = Count()
        for number in range(min(case.times, most or case.times)):
            attempt(made, case, f"{seed} {case.name} {number}", count)
        yield case.name, count


def tree(folder: Path) -> Path:
    """A simulated CK+ tree of three subjects with a sequence of four frames each."""
    import stages.simulate.__main__ as simulate

    folder.mkdir(parents=True, exist_ok=True)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["dataset"] = {"name": "simulated", "root": "ck"}
    values["simulate"] |= {"subjects": 3, "sequences": 1, "frames": [4, 4]}
    values["machine"] |= {"workers": 1, "scheduler": None}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    cache = ROOT / ".cache"
    if cache.is_dir() and not (folder / ".cache").exists():
        (folder / ".cache").symlink_to(cache)
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        simulate.main()
    return folder / "ck"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bad_input", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, help="most cases of one name")
    parser.add_argument("--seed", type=int, default=2017)
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this; may be given more than once")
    arguments = parser.parse_args()
    start, total = time.monotonic(), Count()
    columns = "| {:<52} | {:>5} | {:>10} | {:>5} | {:>14} | {:>10} |"
    print(columns.format("bad input", "cases", "tracebacks", "hangs", "silently wrong", "lost files"))
    print(columns.format("-" * 52, *("-" * width for width in (5, 10, 5, 14, 10))))
    with tempfile.TemporaryDirectory() as folder:
        base = tree(Path(folder) / "base")
        for kind in arguments.kind or KINDS:
            for name, count in measure(kind, base, Path(folder), arguments.seed, arguments.cases):
                print(columns.format(name.replace("\\", "")[:52], count.cases, count.tracebacks, count.hangs,
                                     count.wrong, count.lost), flush=True)  # fmt: skip
                total = Count(*(getattr(total, key) + getattr(count, key) for key in vars(total)))
    print(columns.format("all", total.cases, total.tracebacks, total.hangs, total.wrong, total.lost))
    print(f"\n{total.cases} cases in {time.monotonic() - start:.0f} s")
    for note in total.notes:
        print(note)
    sys.exit(bool(total.notes))


if __name__ == "__main__":
    main()
