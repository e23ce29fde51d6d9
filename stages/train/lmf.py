"""LMF-FER: a VGG16-based network reads each LMF map, a stacked LSTM reads the sequence of maps.

Choi, Kim, Song, "Recognizing Fine Facial Micro-Expressions using Two-Dimensional Landmark Feature". The poster gives
only the shape: 13 convolutions of 3 x 3 in five blocks, each closed by a pool (68 -> 34 -> 17 -> 8 -> 4 -> 2), then a
stacked LSTM over the 8 maps, softmax over seven emotions. Sizes are ours; ``width: 1`` is VGG16's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.tables import schema
from stages.tables.parquet import arrays
from stages.train.mirror import MIRROR
from stages.train.optimise import Schedule, optimise

TABLE = schema.LMF
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""VGG16's channels and convolutions per block (Simonyan & Zisserman, ICLR 2015, configuration D)."""


@dataclass(frozen=True)
class Config:
    """params.yaml: train.lmf."""

    width: float  # multiplies VGG16's channels; 1 is the published network
    lstm_layers: int
    lstm_size: int  # hidden units of each layer
    dropout: float  # before the LSTM's layers and the classifier
    steps: int  # maps of a sequence that one training step sees; neighbouring maps are much alike
    schedule: Schedule


class LmfFer(nn.Module):
    """(batch, maps, 68, 68) LMF maps, uint8 -> (batch, 7) logits."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for size, convolutions in BLOCKS:
            size = max(round(size * config.width), 1)
            for _ in range(convolutions):
                # Batch normalisation (not in the poster) lets 13 layers learn from scratch on a few hundred sequences.
                layers += [nn.Conv2d(channels, size, 3, padding=1, bias=False), nn.BatchNorm2d(size), nn.ReLU(True)]
                channels = size
            layers.append(nn.MaxPool2d(2))
        self.encoder = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dropout = nn.Dropout(config.dropout)
        between = config.dropout if config.lstm_layers > 1 else 0.0
        self.lstm = nn.LSTM(channels * 4, config.lstm_size, config.lstm_layers, batch_first=True, dropout=between)
        self.classifier = nn.Linear(config.lstm_size, len(schema.EMOTIONS))

    def forward(self, maps: Tensor) -> Tensor:
        batch, steps = maps.shape[:2]
        image = (maps.flatten(0, 1).unsqueeze(1).float() - 127) / 128
        encoded = self.encoder(image.contiguous(memory_format=torch.channels_last)).flatten(1)
        states, _ = self.lstm(self.dropout(encoded.view(batch, steps, -1)))
        return self.classifier(self.dropout(states)).mean(dim=1)


def maps(rows: pd.DataFrame) -> Tensor:
    """The maps of all rows: uint8 of shape (rows, maps, 68, 68)."""
    steps = len(rows["maps"].iloc[0]) // schema.POINTS**2
    return torch.tensor(arrays(rows["maps"], "uint8", (steps, schema.POINTS, schema.POINTS)))


def mirrored(batch: Tensor) -> Tensor:
    """The maps (batch, maps, 68, 68) of the mirrored faces: distances stay, left and right landmarks change places."""
    index = torch.as_tensor(MIRROR, device=batch.device)
    return batch[..., index, :][..., index]


def fit(rows: pd.DataFrame, config: Config, device: torch.device, label: str) -> tuple[LmfFer, dict[str, list[float]]]:
    """Trains on all ``rows``, half of each batch mirrored at random (LMF itself is blind to shift and rotation)."""
    network = LmfFer(config).to(device).train()
    data, truth = maps(rows).to(device), torch.tensor(rows["emotion"].to_numpy() - 1, dtype=torch.long, device=device)

    def loss(batch: Tensor) -> Tensor:
        batch = batch.to(device)
        chosen = torch.rand(len(batch), data.shape[1], device=device).topk(min(config.steps, data.shape[1])).indices
        inputs = data[batch[:, None], chosen.sort(dim=1).values]
        flip = torch.rand(len(batch), device=device) < 0.5
        inputs = torch.where(flip[:, None, None, None], mirrored(inputs), inputs)
        return F.cross_entropy(network(inputs), truth[batch])

    return network, {"LMF-FER": optimise(network.parameters(), loss, rows, config.schedule, label)}


@torch.inference_mode()
def predict(network: LmfFer, rows: pd.DataFrame) -> dict[str, Tensor]:
    """Probabilities (rows, 7) by method, from the mean of the logits of the maps and of the mirrored maps."""
    device = next(network.parameters()).device
    network.eval()
    batches = [batch.to(device) for batch in maps(rows).split(32)]
    logits = [network(batch) + network(mirrored(batch)) for batch in batches]
    return {"LMF-FER": (torch.cat(logits) / 2).softmax(dim=1).cpu()}
