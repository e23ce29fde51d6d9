"""What is measured of every method on every set beside its accuracy.

A new metric is an entry of METRICS: it is then a column of table.csv and of the intervals in table.md, and stands in
statistics.json and on the report's page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, recall_score


@dataclass(frozen=True)
class Metric:
    """One number from the actual and the predicted emotion codes, each of shape (n,), n > 0, all folds pooled."""

    key: str  # its column in table.csv
    title: str  # its column's head for people
    value: Callable[[np.ndarray, np.ndarray], float]
    format: str  # as in f"{value:.3f}"
    note: str = ""  # what it is, for the legend; empty where another metric's note says it
    tracked: bool = False  # whether it is in table.json too, where DVC compares runs


def _over_classes(score: Callable[..., Any], actual: np.ndarray, predicted: np.ndarray) -> float:
    """The unweighted mean of a score over the classes that occur in ``actual``.

    A class that is only predicted is no term of the mean, since it has no recall; its false alarms still lower the F1
    of the others.
    """
    return float(score(actual, predicted, labels=np.unique(actual), average="macro", zero_division=0))


METRICS = (
    Metric("uf1", "UF1", partial(_over_classes, f1_score), ".3f",
           "unweighted F1 and recall (UF1, UAR) over the emotions present"),
    Metric("uar", "UAR", partial(_over_classes, recall_score), ".3f"),
)  # fmt: skip
