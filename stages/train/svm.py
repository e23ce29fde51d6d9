"""A linear support vector machine on LMF: the plain row of the table (not in the poster).

It sees the mean of a sequence's maps, the upper triangle of which holds all there is, of whole sequences only.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from sklearn.svm import LinearSVC
from torch import Tensor, nn

from stages.tables import schema
from stages.tables.parquet import arrays

TABLE = schema.LMF
PAIRS = schema.POINTS * (schema.POINTS - 1) // 2


@dataclass(frozen=True)
class Config:
    """params.yaml: train.svm."""

    c: float  # weight of the errors against the margin


def features(rows: pd.DataFrame) -> Tensor:
    """The mean map of each sequence, above the diagonal, in [-1, 1]: float64 (rows, 2278)."""
    maps = torch.tensor(arrays(rows["maps"], "uint8", (schema.POINTS, schema.POINTS)))
    first, second = torch.triu_indices(schema.POINTS, schema.POINTS, offset=1)
    return ((maps.double() - 127) / 128).mean(dim=1)[:, first, second]


def fit(
    rows: pd.DataFrame, config: Config, device: torch.device, label: str
) -> tuple[nn.Linear, dict[str, list[float]]]:
    """One against the rest, by scikit-learn, as a linear layer; an emotion that no row shows is never answered."""
    machine = LinearSVC(C=config.c, random_state=torch.initial_seed()).fit(
        features(rows).numpy(), rows["emotion"].to_numpy()
    )
    weight, bias = torch.tensor(machine.coef_), torch.tensor(machine.intercept_)
    if len(machine.classes_) == 2:  # scikit-learn gives one hyperplane then, for the second class
        weight, bias = torch.cat([-weight, weight]), torch.cat([-bias, bias])
    network = nn.Linear(PAIRS, len(schema.EMOTIONS), dtype=torch.float64).requires_grad_(requires_grad=False)
    network.weight.zero_()
    network.bias.fill_(-1e3)
    network.weight[machine.classes_ - 1], network.bias[machine.classes_ - 1] = weight, bias
    return network, {}


def predict(network: nn.Linear, rows: pd.DataFrame) -> dict[str, Tensor]:
    """The softmax of the distances to the hyperplanes (rows, 7): it orders them, but is no calibrated chance."""
    return {"Linear SVM": network(features(rows)).softmax(dim=1).float()}
