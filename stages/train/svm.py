"""python -m stages.train.svm [FOLD]: the LMF maps -> predictions of a linear support vector machine, of all folds.

The plain row of the table (not in the poster). It sees the mean of a sequence's maps, the upper triangle of which holds
all there is, of whole sequences only.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.svm import LinearSVC

from stages.tables import parquet, room, schema
from stages.train import FEATURES, OUT, answers


@dataclass(frozen=True)
class Config:
    """params.yaml: train.svm."""

    c: float  # weight of the errors against the margin


def features(rows: pd.DataFrame) -> NDArray[np.float64]:
    """The mean map of each sequence, above the diagonal, in [-1, 1]: (rows, 2278)."""
    maps = parquet.arrays(rows["maps"], "uint8", (schema.POINTS, schema.POINTS))
    first, second = np.triu_indices(schema.POINTS, k=1)
    return (maps.mean(axis=1)[:, first, second] - 127) / 128


def predict(train: pd.DataFrame, test: pd.DataFrame, config: Config) -> NDArray[np.float32]:
    """One emotion against the rest, learnt on ``train``: the softmax of the distances to the hyperplanes (test, 7).

    It orders the emotions, but is no calibrated chance. An emotion that ``train`` does not show is never answered.
    """
    distances = np.full((len(test), len(schema.EMOTIONS)), -np.inf)
    shown = np.unique(train["emotion"])
    if len(shown) == 1:  # nothing to tell apart
        distances[:, shown - 1] = 0
    else:
        machine = LinearSVC(C=config.c, random_state=0).fit(features(train), train["emotion"])
        found = machine.decision_function(features(test))
        distances[:, shown - 1] = np.stack([-found, found], axis=1) if len(shown) == 2 else found
    return softmax(distances, axis=1).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.train.svm", description=__doc__)
    parser.add_argument("fold", type=int, nargs="*", help="only these folds")
    folds = parser.parse_args().fold or room.params("protocol")["folds"]
    config = Config(**room.params("train")["svm"])
    rows = parquet.read(FEATURES / "lmf.parquet", schema.LMF)
    found = []
    for fold in room.progress(folds, "svm", len(folds)):
        test = rows[rows["fold"] == fold]
        train = rows[(rows["fold"] != fold) & (rows["set"] == schema.GENERAL)]
        if len(test):
            found.append(answers(test, "Linear SVM", predict(train, test, config)))
    parquet.write(OUT / "predictions/svm.parquet", schema.PREDICTIONS, pd.concat(found))
    room.say("train", f"svm: {len(found)} folds -> {sum(map(len, found))} predictions")


if __name__ == "__main__":
    room.run(main)
