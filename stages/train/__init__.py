"""One fold of one model: fit on the other folds' general sequences, predict this fold's general and micro ones.

Each network is one file that stands alone and offers

    TABLE    the feature table it reads
    Config   its section of params.yaml, a dataclass
    fit      (rows to train on, those held out last; Config; Trainer) -> network
    predict  (network, rows) -> the probabilities of each method it knows

The support vector machine needs none of the networks' loop and has a command of its own.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.tables.schema import EMOTIONS

FEATURES, OUT = Path("data/features"), Path("results")


def shown(probability: NDArray[np.float32], train: pd.DataFrame) -> NDArray[np.float32]:
    """Probabilities (rows, 7) of only those emotions that a training sequence shows: some data sets have but three."""
    there = np.isin(list(EMOTIONS), train["emotion"])
    kept = np.where(there, probability, 0)
    return probability if there.all() else kept / kept.sum(axis=1, keepdims=True)


def answers(test: pd.DataFrame, method: str, probability: NDArray[np.float32]) -> pd.DataFrame:
    """What ``method`` says of each row: a table of predictions (see schema) from probabilities (rows, 7)."""
    head = test[["sequence", "subject", "emotion", "fold", "set"]]
    return head.assign(method=method, probability=list(probability), predicted=probability.argmax(axis=1) + 1)
