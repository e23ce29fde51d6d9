"""LMF-FER that has learnt from simulated actors: it starts from the shipped network and goes on with the data set.

The poster knows no actors. ``stages.pretrain`` has made the network; no person of the data set was seen there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.tables import schema
from stages.tables.methods import LMF_FER, LMF_FER_ACTORS
from stages.train import lmf, weights
from stages.train.networks import NetworkRun
from stages.train.optimise import Trainer

TABLE = schema.LMF
METHODS = (LMF_FER_ACTORS,)
SHIPPED = Path("networks/lmf.safetensors")


class Config(lmf.Training):
    section: ClassVar[str] = "train.lmf_actors"


class RUN(NetworkRun):
    """A fold's training, which goes on from a checkpoint only if the shipped network is still the same."""

    inputs: ClassVar[tuple[Path, ...]] = (SHIPPED,)


class FineTuned(lmf.LmfFer):
    """LMF-FER of the shape of the shipped network: of its ``pretrained`` Config, as a dict, and its ``width``."""

    def __init__(self, config: Config, pretrained: dict[str, Any], width: float) -> None:
        super().__init__(lmf.Config.model_validate(pretrained | config.model_dump()), width)
        self.sizes = {"pretrained": pretrained, "width": width}


def fit(rows: pd.DataFrame, config: Config, trainer: Trainer) -> FineTuned:
    """Fine-tunes the shipped network on the landmarks of all ``rows``. Raises UserError when it cannot be read."""
    shipped = weights.load(SHIPPED)
    assert shipped.network is not None
    network = FineTuned(config, shipped.about["config"], **shipped.network.sizes)  # type: ignore[arg-type]
    network.load_state_dict(shipped.network.state_dict())
    lmf.train(LMF_FER_ACTORS, network, rows, config, trainer)
    return network


def predict(network: FineTuned, rows: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """Probabilities (rows, 7) by method, from the readings of LMF-FER (see lmf)."""
    return {LMF_FER_ACTORS: lmf.predict(network, rows)[LMF_FER]}
