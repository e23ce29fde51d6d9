"""The curves and matrices that are drawn: one data frame each, for DVC's plots and for the report.

Arguments are those of table.py. Accuracies are shares in [0, 1], SFEM is in 1/px.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from stages.evaluate import pool, statistics
from stages.evaluate.table import Methods, spread
from stages.tables.methods import DTAGN, LMF_FER
from stages.tables.schema import GENERAL, MICRO

BINS = 8
"""Groups of equally many recordings in the curve over expression size."""
THRESHOLDS = 101
"""Thresholds on the gate's curve: quantiles of the SFEM of all recordings."""


def curves(
    methods: Methods, sfem: pd.DataFrame, draws: pd.DataFrame, share: float, emotions: dict[int, str]
) -> dict[str, pd.DataFrame]:
    """All of them, by the name of their file. ``emotions`` names the codes."""
    return {
        "confusion": confusion(methods, emotions),
        "sfem": recorded(sfem),
        "share": shares(methods, draws),
        "size": by_size(methods, sfem),
        "threshold": by_threshold(methods, sfem, share),
    }


def recorded(sfem: pd.DataFrame) -> pd.DataFrame:
    """One row per sequence and recording: its fold and SFEM."""
    rows = sfem.reset_index().melt(["sequence", "fold"], pool.RECORDINGS, "set", "sfem")
    return rows.sort_values(["sequence", "set"])


def confusion(methods: Methods, emotions: dict[int, str]) -> pd.DataFrame:
    """One row per sequence: its actual emotion, and each method's answer for each recording (``METHOD general``).

    Methods side by side are what DVC's confusion template draws one above the other.
    """
    sides = {"actual": methods[DTAGN]["emotion"]}
    sides |= {f"{method} {name}": answers[name] for method, answers in methods.items() for name in pool.RECORDINGS}
    return pd.DataFrame(sides).apply(lambda codes: codes.map(emotions)).reset_index()


def shares(methods: Methods, draws: pd.DataFrame) -> pd.DataFrame:
    """One row per micro share from 0 to 1: each method's mixed accuracy, mean (``METHOD``) and deviation over draws."""
    rows = []
    for share in np.linspace(0, 1, 21).round(2):
        row = {"micro_share": share}
        for method, answers in methods.items():
            row[method], row[f"{method} sd"] = spread(answers, draws, share)
        rows.append(row)
    return pd.DataFrame(rows)


def by_size(methods: Methods, sfem: pd.DataFrame) -> pd.DataFrame:
    """Accuracy against the size of the expression: both recordings of all sequences, in bins of equal counts."""
    size = recorded(sfem.loc[methods[DTAGN].index])
    size["bin"] = pd.qcut(size["sfem"].rank(method="first"), min(BINS, len(size)), labels=False) + 1
    bins = size.groupby("bin")["sfem"].agg(sfem_low="min", sfem_median="median", sfem_high="max")
    rows = []
    for method, answers in methods.items():
        right = answers[pool.RECORDINGS].eq(answers["emotion"], axis=0).reset_index()
        right = right.melt("sequence", pool.RECORDINGS, "set", "right").merge(size, on=["sequence", "set"])
        counts = right.groupby("bin")["right"].agg(correct="sum", total="size").join(bins).reset_index()
        counts[["wilson_low", "wilson_high"]] = [
            statistics.wilson(*pair) for pair in zip(counts["correct"], counts["total"], strict=True)
        ]
        counts.insert(0, "method", method)
        rows.append(counts.assign(accuracy=counts["correct"] / counts["total"]))
    return pd.concat(rows)


def by_threshold(methods: Methods, sfem: pd.DataFrame, share: float) -> pd.DataFrame:
    """The joint framework's expected mixed accuracy on *training* subjects, had the gate been set elsewhere.

    Per fold over the other folds' sequences, with the predictions made when those were tested; mean, lowest and
    highest fold. It is drawn, never used to set the gate.
    """
    large, small = methods[DTAGN], methods[LMF_FER]
    sfem = sfem.loc[large.index]
    rows = []
    for limit in np.unique(np.quantile(sfem[pool.RECORDINGS], np.linspace(0, 1, THRESHOLDS))):
        both = pool.joint(large, small, sfem, float(limit))
        right = both[pool.RECORDINGS].eq(both["emotion"], axis=0)
        expected = (1 - share) * right[GENERAL] + share * right[MICRO]
        folds = [expected[both["fold"] != fold].mean() for fold in both["fold"].unique()]
        rows.append((limit, np.nanmean(folds), np.nanmin(folds), np.nanmax(folds)))
    return pd.DataFrame(rows, columns=["threshold", "mean", "low", "high"])
