"""Two runs side by side: the table, exact tests, and the parameters that differ.

A run is a git revision (commit, branch, tag or the name of a DVC experiment) or a folder that holds one (params.yaml
and results/). A revision's table is what git has of it; its single answers, which the tests need, are taken from DVC's
cache where they are.
"""

from __future__ import annotations

import io
from collections.abc import Callable
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
from stages.tables import params
from stages.tables.errors import UserError

ROOT = Path(__file__).parents[1]
TABLE, ANSWERS = "results/table.csv", "results/plots/confusion.csv"
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
    """The run whose files ``get`` returns. Raises UserError where there is no table."""
    try:
        rows = pd.read_csv(io.BytesIO(get(TABLE))).set_index(["method", "set"])
        values = params.flat(yaml.safe_load(get(str(params.PARAMS))))
    except (OSError, DvcException):
        raise UserError(
            f"{name}: holds no run ({TABLE} and {params.PARAMS}); a run is kept by"
            " git add results/table.* dvc.lock data/dvc.lock params.yaml, and a commit"
        ) from None
    except (ValueError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise UserError(f"{name}: its {TABLE} or {params.PARAMS} is damaged ({error}); restore it") from None
    try:
        answers = pd.read_csv(io.BytesIO(get(ANSWERS))).set_index("sequence")
    except (OSError, DvcException, ValueError, KeyError):
        answers = None
    return Run(name, rows, values, answers if answers is not None and counted(rows, answers) else None)


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
        raise UserError(f"{name}: neither a folder that holds a run ({TABLE}) nor a git revision") from None
    return read(name, files.read_bytes)


def cells(before: Run, after: Run) -> pd.DataFrame:
    """One row per method and set: both accuracies, their difference in points, and McNemar's exact test between them.

    Mixed: means of all draws are shown, the first draws are tested. The test counts sequences that both runs have.
    """
    tested = tests(before, after)
    rows = []
    for key in dict.fromkeys([*before.table.index, *after.table.index]):
        old, new = (run.table.loc[key] if key in run.table.index else None for run in (before, after))
        row = {"method": key[0], "set": key[1], "before": cell(old), "after": cell(new), "points": ""}
        if old is not None and new is not None:
            row["points"] = f"{round(100 * (new['mean'] - old['mean']), 2) + 0.0:+.2f}"  # + 0.0: never -0.00
        if test := tested.get(key):
            row |= {"only before right": test.only_first, "only after right": test.only_second,
                    "p": statistics.p_text(test.p)}  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows).astype(object).fillna("")


def cell(row: pd.Series | None) -> str:
    """A cell of the table in words."""
    if row is None:
        return "not in it"
    if row.name[1] == MIXED:
        return f"{100 * row['mean']:.2f} ± {100 * row['sd']:.2f}%"
    return f"{int(row['correct'])}/{int(row['total'])} = {100 * row['accuracy']:.2f}%"


def tests(before: Run, after: Run) -> dict[tuple[str, str], statistics.Disagreement]:
    """McNemar's exact test of each method and set that both runs have, on their common sequences; else empty."""
    results: dict[tuple[str, str], statistics.Disagreement] = {}
    methods = [run.table.index.get_level_values("method").unique() for run in (before, after)]
    for method in methods[0].intersection(methods[1], sort=False):
        sides = [right(run, method) for run in (before, after)]
        common = sides[0].index.intersection(sides[1].index)
        if len(common):
            results |= {(method, name): statistics.compare(*(side.loc[common, name].to_numpy() for side in sides))
                      for name in sides[0]}  # fmt: skip
    return results


def right(run: Run, method: str) -> pd.DataFrame:
    """Whether a method is right, by sequence, a column for each set; mixed: the run's own first draw."""
    if run.answers is None:
        return pd.DataFrame()
    rows = run.answers.rename(columns={"actual": "emotion"} | {f"{method} {name}": name for name in pool.RECORDINGS})
    rows = rows[["emotion", *pool.RECORDINGS]].dropna()
    draws = mixed.draws(list(rows.index), 1, run.params["evaluate.seed"])
    predicted = table.by_set(rows, draws, run.params["evaluate.micro_share"])
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
