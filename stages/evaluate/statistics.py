"""The statistics of the table, each from statsmodels or scikit-learn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import f1_score, recall_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint


class Score(NamedTuple):
    """How well a method did on one set, folds pooled. All but the counts are shares in [0, 1]."""

    correct: int
    total: int
    accuracy: float
    wilson_low: float
    wilson_high: float
    uf1: float
    uar: float
    recall: dict[int, float]


def score(actual: np.ndarray, predicted: np.ndarray) -> Score:
    """Accuracy with its Wilson 95% interval, UF1 and UAR (unweighted means of F1 and recall over the classes present).

    ``actual`` and ``predicted`` hold emotion codes, shape (n,), n > 0, predictions of all folds pooled. A class that is
    predicted but occurs nowhere in ``actual`` has no recall, so it is no term of the means; its false alarms still
    lower the F1 of the others.
    """
    actual, predicted = np.asarray(actual), np.asarray(predicted)
    present = np.unique(actual)
    correct, total = int((actual == predicted).sum()), len(actual)
    low, high = wilson(correct, total)
    uf1 = f1_score(actual, predicted, labels=present, average="macro", zero_division=0)
    recalls = recall_score(actual, predicted, labels=present, average=None, zero_division=0)
    recall = dict(zip(map(int, present), map(float, recalls), strict=True))
    return Score(correct, total, correct / total, low, high, float(uf1), float(np.mean(recalls)), recall)


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
