"""The table of a transfer: each method's accuracy on the other data set, in tidy rows and as Markdown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lmf_fer.transfer.classes import Common
from stages.evaluate import pool, statistics
from stages.evaluate.metrics import METRICS
from stages.tables.methods import DTAGN, JOINT, LMF_FER

NOTES = "; ".join(["In brackets: Wilson's 95% interval", *(metric.note for metric in METRICS if metric.note)])


def tidy(predictions: pd.DataFrame, common: Common, sizes: pd.DataFrame, limit: float | None) -> pd.DataFrame:
    """One row for each method and set.

    ``predictions`` have the columns of that table and ``learnt``, where the method learnt; their emotion and predicted
    are codes of the ``common`` classes. Where DTAGN and LMF-FER both answer, so does the joint framework: ``sizes`` is
    the SFEM of the two recordings (see pool.py) and ``limit`` the gate, 1/px.
    """
    rows = []
    for (learnt, method), group in _with_joint(predictions, sizes, limit).groupby(["learnt", "method"], sort=False):
        for name in pool.RECORDINGS:
            of_set = group[group["set"] == name]
            if len(of_set):
                score = statistics.score(of_set["emotion"].to_numpy(), of_set["predicted"].to_numpy())
                numbers = {key: value for key, value in score._asdict().items() if key not in ("metrics", "recall")}
                rows.append({"method": method, "learnt": learnt, "set": name, **numbers, **score.metrics})
    return pd.DataFrame(rows)


def _with_joint(predictions: pd.DataFrame, sizes: pd.DataFrame, limit: float | None) -> pd.DataFrame:
    columns, keys = ["sequence", "set", "emotion", "method", "learnt", "predicted"], ["sequence", "set", "emotion"]
    large, small = (predictions[predictions["method"] == method] for method in (DTAGN, LMF_FER))
    if large.empty or small.empty or limit is None:
        return predictions[columns]
    both = large.merge(small, on=[*keys, "learnt"], suffixes=("_large", ""))
    sfem = sizes.reset_index().melt("sequence", pool.RECORDINGS, "set", "sfem")
    both = both.merge(sfem, on=["sequence", "set"])
    joint = np.where(both["sfem"] > limit, both["predicted_large"], both["predicted"])
    return pd.concat([predictions, both.assign(predicted=joint, method=JOINT)])[columns]


def unmatched(predictions: pd.DataFrame, common: Common) -> str:
    """Which classes the data set never shows, and how often each method answers one of them; empty where none."""
    absent = [code for code in common.labels if code not in set(predictions["emotion"])]
    if not absent:
        return ""
    wrong = predictions[predictions["predicted"].isin(absent)].groupby("method", sort=False).size()
    times = ", ".join(f"{method} {count} times" for method, count in wrong.items()) or "nobody"
    return (
        f"Not in the data set: {', '.join(common.labels[code] for code in absent)}; answered all the same by {times}."
    )


def markdown(title: str, notes: list[str], rows: pd.DataFrame) -> str:
    """The table with its ``notes``, which say what it is about."""
    lines: list[dict[str, Any]] = [
        {
            "method": row["method"],
            "learnt from": row["learnt"],
            "set": row["set"],
            "right": f"{row['correct']}/{row['total']}",
            "accuracy, %": f"{100 * row['accuracy']:.1f} ({100 * row['wilson_low']:.1f} to"
                           f" {100 * row['wilson_high']:.1f})",
            **{metric.title: f"{row[metric.key]:{metric.format}}" for metric in METRICS},
        }
        for _, row in rows.iterrows()
    ]  # fmt: skip
    grid = pd.DataFrame(lines).to_markdown(index=False, tablefmt="github", disable_numparse=True)
    return "\n\n".join([f"# {title}", *filter(None, notes), f"{NOTES}.", grid]) + "\n"
