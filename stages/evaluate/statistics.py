"""The statistics of the table, each from statsmodels or scikit-learn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import recall_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from stages.evaluate.metrics import METRICS


class Score(NamedTuple):
    """How well a method did on one set. All but the counts are shares in [0, 1]; ``metrics`` are by their keys."""

    correct: int
    total: int
    accuracy: float
    wilson_low: float
    wilson_high: float
    metrics: dict[str, float]
    recall: dict[int, float]


def score(actual: np.ndarray, predicted: np.ndarray) -> Score:
    """Accuracy with its Wilson 95% interval, all metrics, and the recall of each emotion that occurs.

    ``actual`` and ``predicted`` hold emotion codes, shape (n,), n > 0, predictions of all folds pooled.
    """
    actual, predicted = np.asarray(actual), np.asarray(predicted)
    present = np.unique(actual)
    correct, total = int((actual == predicted).sum()), len(actual)
    recalls = recall_score(actual, predicted, labels=present, average=None, zero_division=0)
    recall = dict(zip(map(int, present), map(float, recalls), strict=True))
    metrics = {metric.key: metric.value(actual, predicted) for metric in METRICS}
    return Score(correct, total, correct / total, *wilson(correct, total), metrics, recall)


def wilson(correct: int, total: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share."""
    low, high = proportion_confint(correct, total, alpha=0.05, method="wilson")
    return float(low), float(high)


class Disagreement(NamedTuple):
    """Two methods on the same items: how many only one of them gets right, and McNemar's exact two-sided p."""

    only_first: int
    only_second: int
    p: float


def compare(first: np.ndarray, second: np.ndarray) -> Disagreement:
    """McNemar's exact test. ``first`` and ``second``: bool, shape (n,), whether each method is right on each item."""
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    counts = [[int((a & b).sum()) for b in (second, ~second)] for a in (first, ~first)]
    return Disagreement(counts[0][1], counts[1][0], min(1.0, float(mcnemar(counts, exact=True).pvalue)))


def p_text(p: float) -> str:
    """A p value for people, never as zero."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
