"""LMF-FER: a VGG16-based network reads each LMF map, a stacked LSTM reads the sequence of maps.

Choi, Kim, Song, "Recognizing Fine Facial Micro-Expressions using Two-Dimensional Landmark Feature". The poster gives
only the shape: 13 convolutions of 3 x 3 in five blocks, each closed by a pool (68 -> 34 -> 17 -> 8 -> 4 -> 2), then a
stacked LSTM over the 8 maps, softmax over seven emotions. Sizes are ours; a width of 1 is VGG16's own.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from stages.tables import schema
from stages.tables.methods import LMF_FER
from stages.tables.params import Section, Share
from stages.tables.parquet import arrays
from stages.tables.points import POINTS
from stages.train.augment import flipped, lmf_maps, mirrored, onsets, padded, start, with_error, with_other, with_turn
from stages.train.networks import NetworkRun
from stages.train.optimise import Dropout, Motion, Part, Schedule, Trainer, Width

TABLE = schema.LMF
METHODS = (LMF_FER,)
RUN = NetworkRun
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""VGG16's channels and convolutions per block (Simonyan & Zisserman, ICLR 2015, configuration D)."""

MapCounts: TypeAlias = Annotated[list[Annotated[int, Field(ge=1, le=1000)]], Field(min_length=1)]
FEWEST = 4
"""Sequences of a training step, at least."""


class Training(Section):
    """How a network of any shape learns."""

    dropout: Dropout  # before the LSTM's layers and the classifier
    maps: MapCounts  # numbers of maps of a sequence: a training step makes one of them, a test reads all
    whole_share: Share  # of the sequences of a step that are seen in full
    shortest_part: Part  # of half of the others, as a share of a sequence; the rest goes down to two steps
    other_motion: Motion  # largest motion of another sequence that is added, as a share of a sequence's own
    head_motion: Motion  # largest head motion that is added, likewise
    landmark_noise: Motion  # largest landmark error that is added, likewise
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]  # share of a label that goes to all emotions alike
    schedule: Schedule


class Config(Training):
    section: ClassVar[str] = "train.lmf"

    width: Width  # multiplies VGG16's channels
    weighted_maps: Annotated[int, Field(ge=0, le=64)]  # copies of a map, weighted pair by pair of landmarks
    negative_slope: Annotated[float, Field(ge=0, le=1)]  # of the rectifier: maps are signed
    lstm_layers: Annotated[int, Field(ge=1, le=100)]
    lstm_size: Annotated[int, Field(ge=1, le=100_000)]  # hidden units of each layer


class LmfFer(nn.Module):
    """(batch, maps, 68, 68) LMF maps, uint8 -> (batch, 7) logits."""

    def __init__(self, config: Config, width: float) -> None:
        super().__init__()
        self.maps = config.maps
        self.sizes: dict[str, Any] = {"width": width}
        # Not in the poster: VGG16 reads three channels, a map is one. The others are the map with a weight of its own
        # for each pair of landmarks, since convolutions hardly see where they are, and where is all that counts here.
        # Kept flat, so that they learn as biases do: no direction of theirs is to be made orthogonal to others.
        self.weighting = nn.Parameter(torch.randn(config.weighted_maps * POINTS**2))
        layers: list[nn.Module] = []
        channels = 1 + config.weighted_maps
        for size, convolutions in BLOCKS:
            size = max(round(size * width), 1)
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels, size, 3, padding=1), nn.LeakyReLU(config.negative_slope, inplace=True)]
                nn.init.kaiming_normal_(layers[-2].weight, config.negative_slope)  # type: ignore[arg-type]
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
        weight = self.weighting.view(-1, POINTS, POINTS)
        image = torch.cat([image, image * (weight + weight.mT) / 2], dim=1)
        encoded = self.encoder(image.contiguous(memory_format=torch.channels_last)).flatten(1)
        # On a processor without oneDNN, whose LSTM takes instructions that its own setting does not limit.
        without = torch.backends.mkldnn.flags(enabled=False, allow_tf32=None)
        with nullcontext() if maps.is_cuda or torch.compiler.is_compiling() else without:
            states, _ = self.lstm(self.dropout(encoded.view(batch, count, -1)))
        return self.classifier(self.dropout(states)).mean(dim=1)


def fit(rows: pd.DataFrame, config: Config, trainer: Trainer) -> LmfFer:
    """Trains a new network on the landmarks of all ``rows``."""
    network = LmfFer(config, config.width.of(trainer.profile))
    train(LMF_FER, network, rows, config, trainer)
    return network


def train(name: str, network: LmfFer, rows: pd.DataFrame, config: Training, trainer: Trainer) -> None:
    """Trains a ``network`` on the landmarks of all ``rows``, and notes the losses under ``name``."""
    device = trainer.device
    network.to(device).train()
    if trainer.compile:
        network.compile()
    points, frames = (data.to(device) for data in padded(rows["points"], "float32", (POINTS, 2)))
    truth = torch.tensor(rows["emotion"].to_numpy() - 1, dtype=torch.long, device=device)

    def mean_loss(batch: Tensor) -> Tensor:
        return loss(network, points[batch], frames[batch], truth[batch], config)

    trainer.minimise(name, network, network.parameters(), mean_loss, len(rows), config.schedule)


def loss(network: LmfFer, points: Tensor, frames: Tensor, truth: Tensor, config: Training) -> Tensor:
    """The mean loss of a training step, whose maps are made anew from the landmarks of its sequences.

    ``points`` are float32 (batch, longest, 68, 2), px, ``frames`` (batch,) how many of them each sequence has, and
    ``truth`` (batch,) its emotion, from 0. The network sees each sequence in whole or part-way, as a random number of
    maps, with some motion besides the expression and with landmark errors, and half of the batch mirrored; LMF itself
    is blind to shift and rotation in the image. Where a step makes several maps of a sequence, it takes fewer
    sequences of the batch, so that all steps cost about the same.
    """
    count = config.maps[int(torch.randint(len(config.maps), ()))]
    rows = max(len(points) * min(config.maps) // count, FEWEST)
    points, frames, truth = points[:rows], frames[:rows], truth[:rows]
    moved = start(points, frames, onsets(frames, config.shortest_part, config.whole_share), count + 1)
    moved = with_turn(with_other(moved, config.other_motion), config.head_motion)
    moved = with_error(moved, config.landmark_noise)
    flip = torch.rand(len(points), device=points.device) < 0.5
    maps = lmf_maps(flipped(moved, flip))
    return F.cross_entropy(network(maps), truth, label_smoothing=config.label_smoothing)


@torch.inference_mode()
def predict(network: LmfFer, rows: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """Probabilities (rows, 7) by method, from the mean of the logits of several readings of each sequence.

    These are the table's maps, the poster's eight, and the numbers of maps that training makes of a sequence, which
    span more time each, so that motion stands out of the landmarks' error (ours); and the mirrored maps of all.
    """
    device = next(network.parameters()).device
    network.eval()
    maps = torch.tensor(arrays(rows["maps"], "uint8", (POINTS, POINTS)))
    points, frames = padded(rows["points"], "float32", (POINTS, 2))
    logits = []
    for batch in zip(maps.split(32), points.split(32), frames.split(32), strict=True):
        fine, track, length = (part.to(device) for part in batch)
        views = [fine, *(lmf_maps(start(track, length, 1.0, count + 1)) for count in sorted({*network.maps}))]
        readings = [network(view) for each in views for view in (each, mirrored(each))]
        logits.append(torch.stack(readings).mean(dim=0))
    return {LMF_FER: torch.cat(logits).softmax(dim=1).cpu().numpy()}
