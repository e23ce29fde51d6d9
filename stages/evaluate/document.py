"""The table for people (Markdown) and for DVC (nested plain numbers), and all further numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from stages.evaluate import pool, table
from stages.evaluate.metrics import METRICS
from stages.evaluate.poster import MIXED, SETS, TABLE, TOTAL
from stages.evaluate.statistics import p_text
from stages.evaluate.table import Methods
from stages.tables.methods import DTAGN, METHODS
from stages.tables.parquet import records

FILMED = (
    "General, all folds pooled, as the grand challenge of 2019 scores: unweighted F1 and recall. Reported: the accuracy"
    " of Choi and Song's later paper (IEEE Access 2020), whose classes and protocol may be others."
)


def metric(tidy: pd.DataFrame, facts: dict[str, Any]) -> dict[str, Any]:
    """DVC's metric: the poster's three methods by its three sets, in percent, with the METRICS that are tracked.

    ``percent`` and ``sd`` of a mixed cell are of all draws, the rest is the first draw's.
    """
    cells: dict[str, Any] = {}
    for row in records(tidy[tidy["method"].isin(METHODS)]):
        cell = {"percent": round(100 * row["mean"], 2)}
        if row["set"] == MIXED:
            cell["sd"] = round(100 * row["sd"], 2)
        cell |= {"correct": row["correct"]} | {m.key: round(row[m.key], 6) for m in METRICS if m.tracked}
        cells.setdefault(row["method"], {})[row["set"]] = cell
    counts = {"sequences": facts["evaluated"], "subjects": facts["subjects"], "folds": facts["folds_with_subjects"]}
    if facts["published"]:
        counts["agrees_with_published_counts"] = int(all(facts["published"]["agree"].values()))
    return cells | {"dataset": counts}


def details(
    methods: Methods,
    sfem: pd.DataFrame,
    limits: dict[int, float],
    draws: pd.DataFrame,
    share: float,
    labels: dict[int, str],
    facts: dict[str, Any],
    comparisons: list[dict[str, Any]],
    filmed: list[dict[str, Any]],
) -> dict[str, Any]:
    """Everything else that is worth a number: what was counted, metrics, recalls, tests, and how the gate does.

    ``labels`` names the emotion codes; ``limits`` are the folds' gates (see pool.py).
    """
    values: dict[str, Any] = {metric.key: {} for metric in METRICS}
    recall: dict[str, Any] = {}
    for (method, name), score in table.scores(methods, draws, share).items():
        recall.setdefault(method, {})[name] = {labels[code]: round(value, 6) for code, value in score.recall.items()}
        for key, value in score.metrics.items():
            values[key].setdefault(method, {})[name] = round(value, 6)
    complete = methods[DTAGN]
    above = sfem.loc[complete.index, pool.RECORDINGS].gt(complete["fold"].map(limits), axis=0)
    ceilings: dict[str, Any] = {}
    for gate, answers in table.ceilings(methods).items():
        guesses = table.by_set(answers, draws, share).items()
        ceilings[gate] = {name: int((predicted == answers["emotion"]).sum()) for name, predicted in guesses}
        ceilings[gate]["mean"] = round(table.spread(answers, draws, share)[0], 6)
    return {
        "dataset": facts,
        "mixed": {"micro_share": share, "draws": draws.shape[1]},
        "gate": {
            "thresholds": {str(fold): round(limit, 6) for fold, limit in limits.items()},
            "to_dtagn": {name: int(above[name].sum()) for name in pool.RECORDINGS},
            "ceilings": ceilings,
        },
        "metrics": [
            {"title": metric.title, "format": metric.format, "note": metric.note, "values": values[metric.key]}
            for metric in METRICS
        ],
        "recall": recall,
        "filmed": [{**row, **{key: round(row[key], 6) for key in ("accuracy", "uf1", "uar")}} for row in filmed],
        "comparisons": [{**test, "p": float(f"{test['p']:.6g}")} for test in comparisons],
        "left_out": {method: len(complete) - len(answers) for method, answers in methods.items()},
    }


def markdown(
    tidy: pd.DataFrame,
    comparisons: list[dict[str, Any]],
    filmed: list[dict[str, Any]],
    sentence: str,
    draws: int,
    share: float,
) -> str:
    """The table to print: the poster's rows beside the poster's values, then intervals, then the further rows.

    ``filmed`` are the rows of ``table.filmed``, none where no micro-expressions were filmed.
    """
    cells = {(row["method"], row["set"]): row for row in records(tidy)}
    more = [method for method in dict.fromkeys(tidy["method"]) if method not in METHODS]
    tests = {(test["first"], test["set"]): test["p"] for test in comparisons if test["second"] == DTAGN}
    legend = (
        f"In brackets: the poster, of {TOTAL} sequences of CK+. Mixed: mean and standard deviation over {draws} draws"
        f" in which a sequence is the micro one with probability {share:g}; then the first draw."
    )
    notes = ["Wilson's 95% interval", *(metric.note for metric in METRICS if metric.note)]
    explained = "; ".join([*notes, f"McNemar's exact test against {DTAGN}. Mixed: the first draw."])
    heads = ["method", "set", "accuracy", "95% interval", *(m.title for m in METRICS), f"p against {DTAGN}"]
    lines = [_line(row, tests.get(key)) for key, row in cells.items() if key[0] in METHODS]
    parts = ["# Accuracy, folds pooled", sentence, legend, _sets(METHODS, cells)]
    parts += ["# Intervals and tests", explained, _grid(heads, lines)]
    if filmed:
        heads = ["method", "data set", "clips", "accuracy", "UF1", "UAR", "reported"]
        lines = [[row["method"], row["dataset"], str(row["total"]), f"{100 * row['accuracy']:.2f}%",
                  f"{row['uf1']:.3f}", f"{row['uar']:.3f}", f"about {row['reported']}%" if row["reported"] else ""]
                 for row in filmed]  # fmt: skip
        parts += ["# Micro-expressions as filmed", FILMED, _grid(heads, lines)]
    if more:
        parts += ["# Further methods", _sets(more, cells)]
    pairs = [test for test in comparisons if (test["first"], test["second"]) in table.ACTORS]
    if pairs:
        heads = ["method", "set", "right alone", "without actors", "right alone", "p"]
        columns = ("first", "set", "only_first", "second", "only_second")
        lines = [[*(str(test[name]) for name in columns), p_text(test["p"])] for test in pairs]
        parts += ["# What actors change", "McNemar's exact test. Mixed: the first draw.", _grid(heads, lines)]
    return "\n\n".join(parts) + "\n"


def _sets(methods: Iterable[str], cells: dict[tuple[str, str], dict[str, Any]]) -> str:
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
    scores = [f"{100 * row['accuracy']:.2f}%", interval, *(f"{row[m.key]:{m.format}}" for m in METRICS)]
    return [row["method"], row["set"], *scores, "" if p is None else p_text(p)]


def _grid(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table with aligned columns, so that it reads well unrendered too."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines)
