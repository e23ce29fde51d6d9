"""LMF-FER: a VGG16-based network reads each LMF map, a stacked LSTM reads the sequence of maps.

Choi, Kim, Song, "Recognizing Fine Facial Micro-Expressions using Two-Dimensional Landmark Feature". The poster gives
only the shape: 13 convolutions of 3 x 3 in five blocks, each closed by a pool (68 -> 34 -> 17 -> 8 -> 4 -> 2), then a
stacked LSTM over the 8 maps, softmax over seven emotions. Sizes are ours; a width of 1 is VGG16's own.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from stages.tables import schema
from stages.tables.methods import LMF_FER
from stages.tables.params import Section
from stages.tables.parquet import arrays
from stages.tables.points import POINTS
from stages.train.augment import flipped, lmf_maps, mirrored, padded, shares, start, with_error, with_other, with_turn
from stages.train.networks import NetworkRun
from stages.train.optimise import Dropout, Motion, Part, Schedule, Trainer, Width

TABLE = schema.LMF
METHODS = (LMF_FER,)
RUN = NetworkRun
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""VGG16's channels and convolutions per block (Simonyan & Zisserman, ICLR 2015, configuration D)."""


class Config(Section):
    section: ClassVar[str] = "train.lmf"

    width: Width  # multiplies VGG16's channels
    lstm_layers: Annotated[int, Field(ge=1, le=100)]
    lstm_size: Annotated[int, Field(ge=1, le=100_000)]  # hidden units of each layer
    dropout: Dropout  # before the LSTM's layers and the classifier
    maps: Annotated[int, Field(ge=1, le=1000)]  # that a training step makes of a sequence; a second reading in tests
    shortest_part: Part  # of a sequence that is trained on, as a share of it
    other_motion: Motion  # largest motion of another sequence that is added, as a share of a sequence's own
    head_motion: Motion  # largest head motion that is added, likewise
    landmark_noise: Motion  # largest landmark error that is added, likewise
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]  # share of a label that goes to all emotions alike
    schedule: Schedule


class LmfFer(nn.Module):
    """(batch, maps, 68, 68) LMF maps, uint8 -> (batch, 7) logits."""

    def __init__(self, config: Config, width: float) -> None:
        super().__init__()
        self.maps, self.sizes = config.maps, {"width": width}
        layers: list[nn.Module] = []
        channels = 1
        for size, convolutions in BLOCKS:
            size = max(round(size * width), 1)
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels, size, 3, padding=1), nn.ReLU(inplace=True)]
                nn.init.kaiming_normal_(layers[-2].weight, nonlinearity="relu")  # type: ignore[arg-type]
                channels = size
            # Not in the poster: the pool averages, since a maximum picks landmark errors, and batch normalisation
            # closes each block, since 13 layers have to learn from scratch on a few hundred sequences.
            layers += [nn.AvgPool2d(2), nn.BatchNorm2d(size)]
        self.encoder = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dropout = nn.Dropout(config.dropout)
        between = config.dropout if config.lstm_layers > 1 else 0.0
        self.lstm = nn.LSTM(channels * 4, config.lstm_size, config.lstm_layers, batch_first=True, dropout=between)
        self.classifier = nn.Linear(config.lstm_size, len(schema.EMOTIONS))

    def forward(self, maps: Tensor) -> Tensor:
        batch, count = maps.shape[:2]
        image = (maps.flatten(0, 1).unsqueeze(1).float() - 127) / 128
        encoded = self.encoder(image.contiguous(memory_format=torch.channels_last)).flatten(1)
        states, _ = self.lstm(self.dropout(encoded.view(batch, count, -1)))
        return self.classifier(self.dropout(states)).mean(dim=1)


def fit(rows: pd.DataFrame, config: Config, trainer: Trainer) -> LmfFer:
    """Trains on the landmarks of all ``rows``, whose maps are made anew for every step.

    A step sees each sequence part-way, with some motion besides the expression and with landmark errors, and half of
    the batch mirrored; LMF itself is blind to shift and rotation in the image.
    """
    device = trainer.device
    network = LmfFer(config, config.width.of(trainer.profile)).to(device).train()
    if trainer.compile:
        network.compile()
    points, frames = (data.to(device) for data in padded(rows["points"], "float32", (POINTS, 2)))
    truth = torch.tensor(rows["emotion"].to_numpy() - 1, dtype=torch.long, device=device)

    def loss(batch: Tensor) -> Tensor:
        share = shares(len(batch), config.shortest_part, device)
        moved = start(points[batch], frames[batch], share, config.maps + 1)
        moved = with_turn(with_other(moved, config.other_motion), config.head_motion)
        moved = with_error(moved, config.landmark_noise)
        flip = torch.rand(len(batch), device=device) < 0.5
        maps = lmf_maps(flipped(moved, flip))
        return F.cross_entropy(network(maps), truth[batch], label_smoothing=config.label_smoothing)

    trainer.minimise(LMF_FER, network, network.parameters(), loss, len(rows), config.schedule)
    return network


@torch.inference_mode()
def predict(network: LmfFer, rows: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """Probabilities (rows, 7) by method, from the mean of the logits of four readings of each sequence.

    These are the table's maps, the poster's eight, and as few as a training step makes of a sequence, which span more
    time, so that motion stands out of the landmarks' error (ours); and the mirrored maps of both.
    """
    device = next(network.parameters()).device
    network.eval()
    maps = torch.tensor(arrays(rows["maps"], "uint8", (POINTS, POINTS)))
    points, frames = padded(rows["points"], "float32", (POINTS, 2))
    logits = []
    for batch in zip(maps.split(32), points.split(32), frames.split(32), strict=True):
        fine, track, length = (part.to(device) for part in batch)
        coarse = lmf_maps(start(track, length, 1.0, network.maps + 1))
        readings = [network(view) for view in (fine, mirrored(fine), coarse, mirrored(coarse))]
        logits.append(torch.stack(readings).mean(dim=0))
    return {LMF_FER: torch.cat(logits).softmax(dim=1).cpu().numpy()}
