"""The table for people (Markdown) and for DVC (nested plain numbers)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from stages.evaluate import pool, table
from stages.evaluate.poster import METHODS, MIXED, SETS, TABLE, TOTAL
from stages.evaluate.table import Answers
from stages.tables.datasets import DATASETS


def metric(tidy: pd.DataFrame, found: dict[str, Any]) -> dict[str, Any]:
    """DVC's metric: the poster's three methods by its three sets, in percent.

    ``correct`` of a mixed cell is the first draw's, its ``percent`` and ``sd`` are of all draws.
    """
    cells: dict[str, Any] = {}
    for row in _rows(tidy):
        if row["method"] in METHODS:
            cell = {"percent": round(100 * row["mean"], 2)}
            if row["set"] == MIXED:
                cell["sd"] = round(100 * row["sd"], 2)
            cells.setdefault(row["method"], {})[row["set"]] = cell | {"correct": row["correct"]}
    counts = {"sequences": found["evaluated"], "subjects": found["subjects"], "folds": found["folds_with_subjects"]}
    if published := found.get("published"):
        counts["agrees_with_published_counts"] = int(all(published["agree"].values()))
    return cells | {"dataset": counts}


def details(
    tables: Answers,
    sfem: pd.DataFrame,
    limits: dict[int, float],
    lots: pd.DataFrame,
    share: float,
    found: dict[str, Any],
    comparisons: list[dict[str, Any]],
) -> dict[str, Any]:
    """Everything else that is worth a number: what was counted, recalls, tests, and how the gate does."""
    scores, emotions = table.scores(tables, lots, share), DATASETS[found["name"]].emotions
    recall: dict[str, Any] = {}
    for (method, name), score in scores.items():
        recall.setdefault(method, {})[name] = {emotions[code]: round(value, 6) for code, value in score.recall.items()}
    complete = tables[METHODS[0]]
    above = sfem.loc[complete.index, pool.RECORDINGS].gt(complete["fold"].map(limits), axis=0)
    best = table.ceilings(tables)
    ceilings = {
        gate: {name: score.correct for (m, name), score in table.scores(best, lots, share).items() if m == gate}
        | {"mean": round(table.spread(answers, lots, share)[0], 6)}
        for gate, answers in best.items()
    }
    return {
        "dataset": found,
        "mixed": {"micro_share": share, "draws": lots.shape[1]},
        "gate": {
            "thresholds": {str(fold): round(limit, 6) for fold, limit in limits.items()},
            "to_dtagn": {name: int(above[name].sum()) for name in pool.RECORDINGS},
            "ceilings": ceilings,
        },
        "recall": recall,
        "comparisons": [{**test, "p": float(f"{test['p']:.6g}")} for test in comparisons],
        "left_out": {method: len(complete) - len(answers) for method, answers in tables.items()},
    }


def markdown(tidy: pd.DataFrame, comparisons: list[dict[str, Any]], sentence: str, draws: int, share: float) -> str:
    """The table to print: the poster's rows beside the poster's values, then intervals, then the further rows."""
    cells = {(row["method"], row["set"]): row for row in _rows(tidy)}
    more = [method for method in dict.fromkeys(tidy["method"]) if method not in METHODS]
    tests = {(test["first"], test["second"], test["set"]): test["p"] for test in comparisons}
    reference = METHODS[0]
    legend = (
        f"In brackets: the poster, of {TOTAL} sequences of CK+. Mixed: mean and standard deviation over {draws} draws"
        f" in which a sequence is the micro one with probability {share:g}; then the first draw."
    )
    explained = (
        "Wilson's 95% interval; unweighted F1 and recall (UF1, UAR) over the emotions present; McNemar's exact test"
        f" against {reference}. Mixed: the first draw."
    )
    heads = ["method", "set", "accuracy", "95% interval", "UF1", "UAR", f"p against {reference}"]
    lines = [_line(row, tests.get((m, reference, s))) for (m, s), row in cells.items() if m in METHODS]
    parts = ["# Accuracy, folds pooled", sentence, legend, _sets(METHODS, cells)]
    parts += ["# Intervals and tests", explained, _grid(heads, lines)]
    if more:
        parts += ["# Further methods", _sets(more, cells)]
    return "\n\n".join(parts) + "\n"


def _rows(tidy: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(column): value for column, value in row.items()} for row in tidy.to_dict("records")]


def _sets(methods: Sequence[str], cells: dict[tuple[str, str], dict[str, Any]]) -> str:
    return _grid(["method", *SETS], [[m, *(_cell(cells[m, s]) for s in SETS)] for m in methods])


def _cell(row: dict[str, Any]) -> str:
    ours = f"{row['correct']}/{row['total']} = {100 * row['accuracy']:.2f}%"
    if row["set"] == MIXED:
        ours = f"{100 * row['mean']:.2f} ± {100 * row['sd']:.2f}%; {ours}"
    if row["method"] not in METHODS:
        return ours
    printed = TABLE.get((row["method"], row["set"]))
    return f"{ours} ({printed.correct} = {printed.percent:.2f}%)" if printed else f"{ours} (N/A)"


def _line(row: dict[str, Any], p: float | None) -> list[str]:
    interval = f"{100 * row['wilson_low']:.1f} to {100 * row['wilson_high']:.1f}"
    scores = [f"{100 * row['accuracy']:.2f}%", interval, f"{row['uf1']:.3f}", f"{row['uar']:.3f}"]
    return [row["method"], row["set"], *scores, "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"]


def _grid(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table with aligned columns, so that it reads well unrendered too."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines)
