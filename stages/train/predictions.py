"""Probabilities of a model -> rows of the table of predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.tables.schema import EMOTIONS


def shown(probability: NDArray[np.float32], train: pd.DataFrame) -> NDArray[np.float32]:
    """Probabilities (rows, 7) of only those emotions that a training sequence shows: some data sets have but three."""
    known = np.isin(list(EMOTIONS), train["emotion"])
    kept = np.where(known, probability, 0)
    return kept / kept.sum(axis=1, keepdims=True) if probability[:, ~known].any() else probability


def answers(test: pd.DataFrame, method: str, probability: NDArray[np.float32]) -> pd.DataFrame:
    """What ``method`` says of each row: a table of predictions (see schema) from probabilities (rows, 7)."""
    head = test[["sequence", "subject", "emotion", "fold", "set"]]
    return head.assign(method=method, probability=list(probability), predicted=probability.argmax(axis=1) + 1)
