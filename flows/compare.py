"""python -m flows.compare BEFORE [AFTER]: two runs side by side: the table, exact tests, and the parameters.

BEFORE and AFTER are git revisions (commit, branch, tag or the name of a DVC experiment) or folders that hold a run
(params.yaml and results/); AFTER is this folder's own run where it is left out. A revision's table is what git has of
it; its single answers, which the tests need, are taken from DVC's cache where they are.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import RevError, SCMError, resolve_rev

from stages.evaluate import mixed, pool, statistics, table
from stages.evaluate.poster import MIXED
from stages.tables.room import RoomError

ROOT = Path(__file__).parents[1]
TABLE, ANSWERS, PARAMS = "results/table.csv", "results/plots/confusion.csv", "params.yaml"
Read = Callable[[str], bytes]


@dataclass(frozen=True)
class Run:
    """A finished run: ``table`` are evaluate's rows by method and set, ``params`` are flat, by their dotted names.

    ``answers`` has evaluate's columns ``actual`` and ``METHOD general``, ``METHOD micro`` by sequence, or is None where
    they are not to be had or are not those that the table counts.
    """

    name: str
    table: pd.DataFrame
    params: dict[str, Any]
    answers: pd.DataFrame | None


def read(name: str, get: Read) -> Run:
    """The run whose files ``get`` returns. Raises RoomError where there is no table."""
    try:
        rows = pd.read_csv(io.BytesIO(get(TABLE))).set_index(["method", "set"])
        params = flat(yaml.safe_load(get(PARAMS)))
    except (OSError, DvcException):
        raise RoomError(
            f"{name}: holds no run ({TABLE} and {PARAMS}); a run is kept by"
            " git add results/table.* dvc.lock data/dvc.lock params.yaml, and a commit"
        ) from None
    try:
        answers = pd.read_csv(io.BytesIO(get(ANSWERS))).set_index("sequence")
    except (OSError, DvcException):
        answers = None
    return Run(name, rows, params, answers if answers is not None and counted(rows, answers) else None)


def counted(rows: pd.DataFrame, answers: pd.DataFrame) -> bool:
    """Whether these answers are those that the table counts: a dvc.lock may be of another run than a table in git."""
    return all(
        f"{method} {name}" in answers and (answers[f"{method} {name}"] == answers["actual"]).sum() == row["correct"]
        for (method, name), row in rows.iterrows()
        if name != MIXED
    )


def find(name: str) -> Run:
    """The run in a folder or of a git revision of this repository."""
    if (Path(name) / TABLE).is_file():
        return read(name, lambda path: (Path(name) / path).read_bytes())
    try:
        with Repo(str(ROOT)) as repo:
            revision = resolve_rev(repo.scm, name)
        files = DVCFileSystem(str(ROOT), rev=revision)
    except (RevError, SCMError, DvcException, AttributeError):  # AttributeError: no git here
        raise RoomError(f"{name}: neither a folder that holds a run ({TABLE}) nor a git revision") from None
    return read(name, files.read_bytes)


def flat(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters by their dotted names."""
    values: dict[str, Any] = {}
    for key, value in section.items():
        values |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return values


def cells(before: Run, after: Run) -> pd.DataFrame:
    """One row per method and set: both accuracies, their difference in points, and McNemar's exact test between them.

    Mixed: means of all draws are shown, the first draws are tested. The test counts sequences that both runs have.
    """
    tested = tests(before, after)
    rows = []
    for key in dict.fromkeys([*before.table.index, *after.table.index]):
        old, new = (run.table.loc[key] if key in run.table.index else None for run in (before, after))
        row = {"method": key[0], "set": key[1], "before": said(old), "after": said(new), "points": ""}
        if old is not None and new is not None:
            row["points"] = f"{round(100 * (new['mean'] - old['mean']), 2) + 0.0:+.2f}"  # + 0.0: never -0.00
        if test := tested.get(key):
            p = "< 0.001" if test.p < 0.001 else f"{test.p:.3f}"
            row |= {"only before right": test.only_first, "only after right": test.only_second, "p": p}
        rows.append(row)
    return pd.DataFrame(rows).astype(object).fillna("")


def said(row: pd.Series | None) -> str:
    """A cell of the table in words."""
    if row is None:
        return "not in it"
    if row.name[1] == MIXED:
        return f"{100 * row['mean']:.2f} ± {100 * row['sd']:.2f}%"
    return f"{int(row['correct'])}/{int(row['total'])} = {100 * row['accuracy']:.2f}%"


def tests(before: Run, after: Run) -> dict[tuple[str, str], statistics.Disagreement]:
    """McNemar's exact test of each method and set that both runs have, on their common sequences; else empty."""
    found: dict[tuple[str, str], statistics.Disagreement] = {}
    methods = [run.table.index.get_level_values("method").unique() for run in (before, after)]
    for method in methods[0].intersection(methods[1], sort=False):
        sides = [right(run, method) for run in (before, after)]
        common = sides[0].index.intersection(sides[1].index)
        if len(common):
            found |= {(method, name): statistics.compare(*(side.loc[common, name].to_numpy() for side in sides))
                      for name in sides[0]}  # fmt: skip
    return found


def right(run: Run, method: str) -> pd.DataFrame:
    """Whether a method is right, by sequence, a column for each set; mixed: the run's own first draw."""
    if run.answers is None:
        return pd.DataFrame()
    rows = run.answers.rename(columns={"actual": "emotion"} | {f"{method} {name}": name for name in pool.RECORDINGS})
    rows = rows[["emotion", *pool.RECORDINGS]].dropna()
    lots = pd.DataFrame(mixed.lots(list(rows.index), 1, run.params["evaluate.seed"]), rows.index)
    predicted = table.said(rows, lots, run.params["evaluate.micro_share"])
    return pd.DataFrame({name: guess == rows["emotion"] for name, guess in predicted.items()})


def parameters(before: Run, after: Run) -> pd.DataFrame:
    """The parameters in which the runs differ."""
    rows = [(name, before.params.get(name, "not there"), after.params.get(name, "not there"))
            for name in dict.fromkeys([*before.params, *after.params])]  # fmt: skip
    return pd.DataFrame([row for row in rows if row[1] != row[2]], columns=["parameter", "before", "after"])


def text(before: Run, after: Run) -> str:
    """All of it as Markdown."""
    lines = [f"Before: '{before.name}'; after: '{after.name}'. Points: percentage points, of the means where mixed."]
    lines.append(grid(cells(before, after)))
    missing = [run.name for run in (before, after) if run.answers is None]
    if missing:
        lines.append(f"No tests: {ANSWERS}, with the answers that the table counts, is not there for"
                     f" {' and '.join(missing)}.")  # fmt: skip
    else:
        lines.append("p: McNemar's exact test on the sequences of both runs (mixed: first draws), not corrected for the"
                     " number of tests.")  # fmt: skip
    changed = parameters(before, after)
    lines.append(grid(changed) if len(changed) else "No parameter differs.")
    return "\n\n".join(lines)


def grid(rows: pd.DataFrame) -> str:
    return rows.to_markdown(index=False, tablefmt="github", disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m flows.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", metavar="BEFORE")
    parser.add_argument("after", metavar="AFTER", nargs="?", default=".")
    arguments = parser.parse_args()
    try:
        print(text(find(arguments.before), find(arguments.after)))
    except RoomError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
