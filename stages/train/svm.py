"""A linear support vector machine: the plain row of the table (not in the poster).

It sees the mean of a sequence's maps, the upper triangle of which holds all there is, of whole sequences only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.svm import LinearSVC

from stages.tables import parquet, schema
from stages.tables.params import Factor, Section
from stages.tables.points import POINTS
from stages.train.models import Run

TABLE = schema.LMF
METHODS = ("Linear SVM",)
RUN = Run


class Config(Section):
    section: ClassVar[str] = "train.svm"

    c: Factor  # weight of the errors against the margin


@dataclass(frozen=True)
class Machine:
    """One emotion against the rest, of the ``emotions`` (codes) in the training; no classifier where it has but one."""

    emotions: NDArray[np.int8]
    classifier: LinearSVC | None


def features(rows: pd.DataFrame) -> NDArray[np.float64]:
    """The mean map of each sequence, above the diagonal, in [-1, 1]: (rows, 2278)."""
    maps = parquet.arrays(rows["maps"], "uint8", (POINTS, POINTS))
    first, second = np.triu_indices(POINTS, k=1)
    return (maps.mean(axis=1)[:, first, second] - 127) / 128


def fit(rows: pd.DataFrame, config: Config, trainer: None = None) -> Machine:
    """Learns from ``rows``; no trainer is needed."""
    emotions = np.unique(rows["emotion"])
    if len(emotions) == 1:
        return Machine(emotions, None)
    return Machine(emotions, LinearSVC(C=config.c, random_state=0).fit(features(rows), rows["emotion"]))


def predict(machine: Machine, rows: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """The softmax of the distances to the hyperplanes, (rows, 7): it orders the emotions, but is no calibrated chance.

    An emotion that the training does not show is never answered.
    """
    distances = np.full((len(rows), len(schema.EMOTIONS)), -np.inf)
    if machine.classifier is None:
        distances[:, machine.emotions - 1] = 0
    else:
        values = machine.classifier.decision_function(features(rows))
        two = len(machine.emotions) == 2  # then there is but one hyperplane
        distances[:, machine.emotions - 1] = np.stack([-values, values], axis=1) if two else values
    return {METHODS[0]: softmax(distances, axis=1).astype(np.float32)}
