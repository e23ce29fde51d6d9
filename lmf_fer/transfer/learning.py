"""Answers for a new data set: the shipped network's as it is, and after it was fine-tuned on all other subjects."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from stages.tables import machine, parallel, params
from stages.tables.methods import LMF_FER
from stages.tables.schema import GENERAL
from stages.train import lmf, lmf_actors, svm, weights
from stages.train.networks import make_repeatable
from stages.train.optimise import Trainer
from stages.train.params import Train
from stages.train.predictions import answers, shown

SHIPPED, TUNED, LINE = f"{LMF_FER}, shipped", f"{LMF_FER}, shipped and fine-tuned", "Linear SVM, learnt there"


class Merged(lmf_actors.FineTuned):
    """The shipped network with one output for each class: ``classes`` holds the emotions of each, from 0."""

    def __init__(self, config: lmf_actors.Config, pretrained: dict[str, Any], width: float, classes: Any) -> None:
        super().__init__(config, pretrained, width)
        self.classes = classes

    def forward(self, maps: Tensor) -> Tensor:
        logits = super().forward(maps)  # the logarithm of a sum of chances, but for what softmax takes off again
        return torch.stack([logits[:, emotions].logsumexp(dim=1) for emotions in self.classes], dim=1)


def as_shipped(rows: pd.DataFrame) -> pd.DataFrame:
    """The shipped network's predictions of the rows of an LMF table, nothing of which it has seen."""
    network = weights.load(lmf_actors.SHIPPED).network
    assert isinstance(network, lmf.LmfFer)
    torch.set_num_threads(params.read(Train).threads)
    return answers(rows, SHIPPED, lmf.predict(network.to(machine.device()), rows)[LMF_FER])


def fine_tuned(rows: pd.DataFrame, classes: dict[int, list[int]], groups: int = 0) -> Iterator[pd.DataFrame]:
    """Leave one subject out: by subject, the predictions of what learnt from the general sequences of all others.

    With ``groups``, subjects are left out together, the rank of their ID modulo that number. What learns is the shipped
        network, fine-tuned as ``train.lmf_actors`` says, and a linear support vector machine.
    ``classes`` are the emotions of the shipped network (from 1) by the data set's codes.
    """
    subjects = sorted(rows["subject"].unique())
    together = [subjects[first::groups] for first in range(groups)] if groups else [[one] for one in subjects]
    function = partial(_without, rows=rows, classes=classes)
    yield from parallel.each(function, [some for some in together if some], "fine-tune")


def _without(subjects: list[str], rows: pd.DataFrame, classes: dict[int, list[int]]) -> pd.DataFrame:
    test, train = (rows[rows["subject"].isin(subjects) == mine] for mine in (True, False))
    train = train[train["set"] == GENERAL]
    settings, config = params.read(Train), params.read(lmf_actors.Config)
    make_repeatable(settings.threads, f"{settings.seed} transfer {' '.join(subjects)}")
    shipped = weights.load(lmf_actors.SHIPPED)
    assert shipped.network is not None
    groups = [[emotion - 1 for emotion in classes[code]] for code in sorted(classes)]
    network = Merged(config, shipped.about["config"], classes=groups, **shipped.network.sizes)  # type: ignore[arg-type]
    network.load_state_dict(shipped.network.state_dict())
    with contextlib.redirect_stderr(io.StringIO()):  # a progress bar for each subject is too much
        lmf.train(TUNED, network, train, config, Trainer("transfer", machine.device()))
    learnt = {TUNED: _seven(lmf.predict(network, test)[LMF_FER]),
              LINE: svm.predict(svm.fit(train, params.read(svm.Config)), test)[svm.METHODS[0]]}  # fmt: skip
    return pd.concat([answers(test, name, shown(probability, train)) for name, probability in learnt.items()])


def _seven(probability: np.ndarray) -> np.ndarray:
    """Probabilities (rows, classes) with zeros for the emotions, of seven, that the data set does not know."""
    return np.pad(probability, ((0, 0), (0, 7 - probability.shape[1])))
