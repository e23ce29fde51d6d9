"""DTAGN: a network for appearance (DTAN), one for geometry (DTGN), and their joint fine-tuning.

Jung, Lee, Yim, Park, Kim, "Joint Fine-Tuning in Deep Neural Networks for Facial Expression Recognition", ICCV 2015.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, ClassVar

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from stages.tables import methods, schema
from stages.tables.params import Count, Factor, Section
from stages.tables.points import NOSE_TIP, POINTS
from stages.train.augment import flipped, padded, shares, start, with_other, with_turn
from stages.train.networks import NetworkRun
from stages.train.optimise import Dropout, Motion, Part, Schedule, Trainer, Width

TABLE = schema.DTAGN
METHODS = ("DTAN", "DTGN", "DTAGN weighted sum", methods.DTAGN, "Magnified DTAGN")
RUN = NetworkRun
ANGLES = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)
"""The paper's augmentation: rotations in degrees (0 is the original), each also mirrored."""
JOINT = 0.1
"""Weight of the summed network's loss in joint fine-tuning; 1 for each of the two networks (the paper's)."""


class Config(Section):
    section: ClassVar[str] = "train.dtagn"

    frames: Annotated[int, Field(ge=2, le=1000)]  # of a sequence, resampled in time; 12 in the paper
    shortest_part: Part  # of a sequence that is trained on, as a share of it; 1 is the paper's: all of it
    other_motion: Motion  # largest motion of another sequence added to the landmarks, as a share of a sequence's own
    head_motion: Motion  # largest head motion added to the landmarks, likewise; the paper's is 0, as for the one above
    landmark_noise: Motion  # standard deviation of the noise on normalised landmarks; 0.01 in the paper
    width: Width  # multiplies DTAN's 64 filters and 500 units
    dropout: Dropout  # before each classifier; the paper's value is not known to us
    dtgn_epochs: Count  # DTGN is small and cheap, and learns slowly
    joint_epochs: Count  # of joint fine-tuning, after the two networks are trained on their own
    magnification: Factor  # of the motion of micro sequences in the row "Magnified DTAGN"; 1 leaves them as they are
    schedule: Schedule  # of DTAN; the others differ in their epochs only


class LocalResponseNorm(nn.Module):
    """x / (1 + mean of x^2 over the 5 nearest channels)^0.75, (batch, channels, height, width).

    The paper names the layer without its constants. Torch's own has a weight of 0.0001 before the mean, which does
    nothing to activations of about 1 (and takes longer than the convolutions); ours has 1.
    """

    def __init__(self, channels: int, size: int = 5) -> None:
        super().__init__()
        distance = torch.arange(channels)[:, None] - torch.arange(channels)
        self.register_buffer("near", (distance.abs() <= size // 2)[:, :, None, None].float() / size, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        root = (1 + F.conv2d(x * x, self.near)).rsqrt()  # type: ignore[arg-type]
        return x * root * root * root.rsqrt()  # root^1.5, without sqrt (see augment.py)


class Dtan(nn.Module):
    """(batch, frames, size, size) grey faces of range 0 to 255 -> (batch, 7) logits.

    The first layer does not share its filters along time: every frame has its own 64, and their outputs are summed.
    A convolution whose input channels are the frames is exactly that sum. All frames but the first enter as their
    difference to it (not in the paper): the same filters could do that, but do not learn it from a few hundred faces.
    """

    def __init__(self, config: Config, width: float, size: int) -> None:
        super().__init__()
        filters, units = max(round(64 * width), 1), max(round(500 * width), 1)
        side = ((size - 4) // 2 - 4) // 2
        lower = nn.Sequential(
            nn.Conv2d(config.frames, filters, 5), nn.ReLU(), LocalResponseNorm(filters), nn.MaxPool2d(2),
            nn.Conv2d(filters, filters, 5), nn.ReLU(), LocalResponseNorm(filters), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(filters * side * side, units), nn.ReLU(),
        )  # fmt: skip
        self.lower = lower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.upper = _upper(units, units, config.dropout)

    def forward(self, faces: Tensor) -> Tensor:
        first = (faces[:, :1] - 127) / 128
        change = torch.cat([first, (faces[:, 1:] - faces[:, :1]) / 128], dim=1)
        return self.upper(self.lower(change.contiguous(memory_format=torch.channels_last)))


class Dtgn(nn.Module):
    """(batch, frames, 68, 2) normalised landmarks -> (batch, 7) logits.

    It sees them relative to the first frame, which in CK+ is neutral (not in the paper): the shape of a face is large
    beside its motion, and a few hundred sequences do not teach a network to look past it.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        inputs = config.frames * POINTS * 2
        # Batch normalisation (not in the paper either) brings brows, eyes and mouth to one scale.
        self.lower = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(inputs), nn.Linear(inputs, 100), nn.ReLU())
        self.upper = _upper(100, 600, config.dropout)

    def forward(self, trajectory: Tensor) -> Tensor:
        return self.upper(self.lower(trajectory - trajectory[:, :1]))


def _upper(inputs: int, units: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(dropout), nn.Linear(inputs, units), nn.ReLU(),
        nn.Dropout(dropout), nn.Linear(units, len(schema.EMOTIONS)),
    )  # fmt: skip


class Dtagn(nn.Module):
    """The two networks before (``dtan``, ``dtgn``) and after joint fine-tuning (``joint_dtan``, ``joint_dtgn``)."""

    def __init__(self, config: Config, width: float, size: int) -> None:
        super().__init__()
        self.frames, self.magnification = config.frames, config.magnification
        self.sizes = {"width": width, "size": size}
        self.dtan, self.dtgn = Dtan(config, width, size), Dtgn(config)
        self.joint_dtan, self.joint_dtgn = Dtan(config, width, size), Dtgn(config)


def inputs(rows: pd.DataFrame) -> tuple[Tensor, Tensor, Tensor]:
    """All rows' faces, uint8 (rows, longest, size, size), landmarks, float32 (rows, longest, 68, 2), and frames."""
    points, frames = padded(rows["points"], "float32", (POINTS, 2))
    size = round((len(rows["faces"].iloc[0]) / int(frames[0])) ** 0.5)
    return padded(rows["faces"], "uint8", (size, size))[0], points, frames


def normalised(points: Tensor) -> Tensor:
    """Landmarks (batch, frames, 68, 2) in px with the nose tip as origin and x and y of deviation 1 in every frame."""
    centred = points - points[:, :, NOSE_TIP : NOSE_TIP + 1]
    return centred / points.std(dim=2, correction=0, keepdim=True).clamp(min=1e-6)


def rotated(faces: Tensor, angle: Tensor, flip: Tensor) -> Tensor:
    """Faces (batch, frames, size, size) turned by ``angle`` (batch,) rad about the centre, mirrored where ``flip``."""
    cos, sin, sign, zero = angle.cos(), angle.sin(), 1 - 2 * flip.float(), torch.zeros_like(angle)
    # The grid maps a pixel of the result to one of the source, so it mirrors last and turns back first.
    turn = torch.stack([torch.stack([sign * cos, sign * sin, zero], -1), torch.stack([-sin, cos, zero], -1)], dim=1)
    grid = F.affine_grid(turn, list(faces.shape), align_corners=False)
    return F.grid_sample(faces.float(), grid, padding_mode="border", align_corners=False)


def turned(trajectory: Tensor, angle: Tensor, flip: Tensor) -> Tensor:
    """Normalised landmarks (batch, frames, 68, 2) turned and mirrored like ``rotated``, and normalised again."""
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    x, y = flipped(trajectory, flip).unbind(-1)
    points = torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)
    return points / points.std(dim=2, correction=0, keepdim=True).clamp(min=1e-6)


def fit(rows: pd.DataFrame, config: Config, trainer: Trainer) -> Dtagn:
    """Trains DTAN, then DTGN, then fine-tunes the upper layers of copies of both jointly, the lower ones frozen."""
    device = trainer.device
    faces, points, frames = (data.to(device) for data in inputs(rows))
    truth = torch.tensor(rows["emotion"].to_numpy() - 1, dtype=torch.long, device=device)
    network = Dtagn(config, config.width.of(trainer.profile), faces.shape[2]).to(device).train()
    for one in network.children() if trainer.compile else ():
        one.compile()
    angles = torch.deg2rad(torch.tensor(ANGLES, device=device))

    def drawn(count: int) -> tuple[Tensor, Tensor, Tensor]:
        """For each sequence of a batch: the angle and the mirroring of both inputs, and how much of it is seen."""
        angle = angles[torch.randint(len(angles), (count,), device=device)]
        return angle, torch.rand(count, device=device) < 0.5, shares(count, config.shortest_part, device)

    def seen(batch: Tensor, angle: Tensor, flip: Tensor, share: Tensor) -> Tensor:
        return rotated(start(faces[batch], frames[batch], share, config.frames), angle, flip)

    def moved(batch: Tensor, angle: Tensor, flip: Tensor, share: Tensor) -> Tensor:
        track = start(points[batch], frames[batch], share, config.frames)
        track = with_turn(with_other(track, config.other_motion), config.head_motion)
        trajectory = turned(normalised(track), angle, flip)
        return trajectory + config.landmark_noise * torch.randn_like(trajectory)

    def appearance(batch: Tensor) -> Tensor:
        return F.cross_entropy(network.dtan(seen(batch, *drawn(len(batch)))), truth[batch])

    def geometry(batch: Tensor) -> Tensor:
        return F.cross_entropy(network.dtgn(moved(batch, *drawn(len(batch)))), truth[batch])

    def joint(batch: Tensor) -> Tensor:
        change = drawn(len(batch))
        one, two = network.joint_dtan(seen(batch, *change)), network.joint_dtgn(moved(batch, *change))
        losses = [F.cross_entropy(logits, truth[batch]) for logits in (one, two, one + two)]
        return losses[0] + losses[1] + JOINT * losses[2]

    def learn(part: str, parameters: Iterable[nn.Parameter], loss: Callable[[Tensor], Tensor], epochs: int) -> None:
        schedule = config.schedule.model_copy(update={"epochs": epochs})
        trainer.minimise(part, network, parameters, loss, len(rows), schedule)

    learn("DTAN", network.dtan.parameters(), appearance, config.schedule.epochs)
    learn("DTGN", network.dtgn.parameters(), geometry, config.dtgn_epochs)
    network.joint_dtan.load_state_dict(network.dtan.state_dict())
    network.joint_dtgn.load_state_dict(network.dtgn.state_dict())
    for frozen in (network.joint_dtan.lower, network.joint_dtgn.lower):
        frozen.eval().requires_grad_(False)
    upper = [*network.joint_dtan.upper.parameters(), *network.joint_dtgn.upper.parameters()]
    learn("DTAGN", upper, joint, config.joint_epochs)
    return network


def magnified(sequence: Tensor, factor: Tensor) -> Tensor:
    """Sequences (batch, frames, ...) with the change of each frame from the first multiplied by ``factor`` (batch,).

    Le Ngo, Oh, Phan, See, "Eulerian emotion magnification for subtle expression recognition", ICASSP 2016, in a static
    form: nine frames are too short for a temporal filter, and one factor for all spatial scales needs no pyramid.
    """
    first = sequence[:, :1]
    return first + factor.view(-1, *[1] * (sequence.ndim - 1)) * (sequence - first)


@torch.inference_mode()
def predict(network: Dtagn, rows: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """Probabilities (rows, 7) by method: each network alone, their equally weighted sum, and after fine-tuning.

    "Magnified DTAGN" is the fine-tuned network too, but sees the rows of the micro set magnified. Their landmarks are
    magnified like the faces, not detected again in these (ours).
    """
    device = next(network.parameters()).device
    network.eval()
    factor = torch.where(torch.tensor((rows["set"] == schema.MICRO).to_numpy()), network.magnification, 1.0)
    parts: dict[str, list[Tensor]] = {}
    for batch in zip(*(data.split(64) for data in (*inputs(rows), factor)), strict=True):
        faces, points, frames, larger = (data.to(device) for data in batch)
        one, two = start(faces, frames, 1.0, network.frames), start(points, frames, 1.0, network.frames)
        dtan, dtgn = network.dtan(one).softmax(dim=1), network.dtgn(normalised(two)).softmax(dim=1)
        values = [dtan, dtgn, (dtan + dtgn) / 2]
        for face, track in ((one, two), (magnified(one, larger).clamp(0, 255), magnified(two, larger))):
            values.append((network.joint_dtan(face) + network.joint_dtgn(normalised(track))).softmax(dim=1))
        for name, value in zip(METHODS, values, strict=True):
            parts.setdefault(name, []).append(value.cpu())
    return {name: torch.cat(values).numpy() for name, values in parts.items()}
