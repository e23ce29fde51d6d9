"""What a training step does to its batch of general sequences, on the device that holds them.

Sequences of different lengths lie in one padded array (rows, longest, ...) beside the number of frames of each row.
Random numbers come from torch's global generator.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Tensor
from torch.linalg import vector_norm

from stages.tables.points import MIRROR, POINTS

DEPTH = np.array([
    *(-0.46, -0.44, -0.38, -0.33, -0.26, -0.17, -0.10, -0.01, 0.03, -0.01, -0.10, -0.17, -0.26, -0.33, -0.38, -0.44,
      -0.46),  # jaw
    *(-0.14, -0.03, 0.05, 0.09, 0.12, 0.12, 0.09, 0.05, -0.03, -0.14),  # brows
    *(0.11, 0.13, 0.17, 0.22, 0.12, 0.15, 0.16, 0.15, 0.12),  # nose
    *(0.00, 0.04, 0.04, 0.02, 0.04, 0.03, 0.02, 0.04, 0.04, 0.00, 0.03, 0.04),  # eyes
    *(0.06, 0.14, 0.17, 0.18, 0.17, 0.14, 0.06, 0.10, 0.14, 0.15, 0.14, 0.10),  # outer lips
    *(0.08, 0.13, 0.13, 0.13, 0.08, 0.12, 0.12, 0.12),  # inner lips
])  # fmt: skip
"""How far each landmark lies before the mean of all, towards the camera, in jaw widths: MakeHuman's neutral face."""

TINY = 1e-30
"""Stands for zero where something is divided by a root."""
STILL = 1e-3
"""A largest LMF below this is rounding and no motion, px: landmarks are float32 here."""


def padded(column: Iterable[bytes], dtype: DTypeLike, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """A column of raw arrays (frames, *shape) as one array (rows, longest, *shape) and their frames (rows,), int64.

    Shorter sequences are filled up with zeros.
    """
    sequences = [torch.from_numpy(np.frombuffer(one, dtype).reshape(-1, *shape).copy()) for one in column]
    frames = torch.tensor([len(sequence) for sequence in sequences])
    return torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True), frames


def shares(rows: int, shortest: float, device: torch.device) -> Tensor:
    """How much of each sequence to train on (rows,): an expression on its way is still an expression."""
    return shortest + (1 - shortest) * torch.rand(rows, device=device)


def onsets(frames: Tensor, shortest: float, whole: float) -> Tensor:
    """As ``shares``, for sequences of ``frames`` (rows,), of which a share ``whole`` is seen in full.

    Half of the others have at least ``shortest``. The other half goes down to two steps, all orders of size alike:
    that is what a micro sequence shows, the onset, when few parts of the face move yet and the head's motion and the
    landmarks' errors are as large as the expression (ours).
    """
    part = shares(len(frames), shortest, frames.device)
    drawn, kind = torch.rand(2, len(frames), device=frames.device)
    onset = (2 / (frames - 1).clamp(min=2)) ** drawn
    return torch.where(kind < whole, 1.0, torch.where(kind < (1 + whole) / 2, part, onset))


def start(sequences: Tensor, frames: Tensor, share: Tensor | float, count: int) -> Tensor:
    """The first ``share`` of every sequence at ``count`` evenly spaced times: float32 (rows, count, ...).

    Between frames it is linear interpolation, as for the tables' maps (see featurize); a share of 1 keeps both ends.
    """
    time = ((frames - 1) * share)[:, None] * torch.linspace(0, 1, count, device=sequences.device)
    before = torch.minimum(time.long(), frames[:, None] - 1)
    after = torch.minimum(before + 1, frames[:, None] - 1)
    row = torch.arange(len(frames), device=sequences.device)[:, None]
    weight = (time - before).reshape(*time.shape, *[1] * (sequences.ndim - 2))
    return torch.lerp(sequences[row, before].float(), sequences[row, after].float(), weight)


def flipped(points: Tensor, flip: Tensor) -> Tensor:
    """Landmarks (rows, frames, 68, 2), or their motion, mirrored about x = 0 in the rows where ``flip`` (rows,)."""
    index = torch.as_tensor(MIRROR, device=points.device)
    mirror = points[:, :, index] * torch.tensor([-1.0, 1.0], device=points.device)
    return torch.where(flip[:, None, None, None], mirror, points)


def motion(points: Tensor) -> Tensor:
    """The root mean square motion since the first frame of landmarks (rows, frames, 68, 2): (rows,) px."""
    return vector_norm(points - points[:, :1], dim=(1, 2, 3)) / points[0, ..., 0].numel() ** 0.5


def with_other(points: Tensor, largest: float) -> Tensor:
    """Landmarks (rows, frames, 68, 2) that also do a little of what those of another row do.

    That row, or its mirror image, forwards or backwards: nobody shows an expression and holds the rest of the face
    still. The size of what is added is a share of the row's own motion, drawn from [0, ``largest``] (ours).
    """
    rows, device = len(points), points.device
    change, order = points - points[:, :1], torch.randperm(rows, device=device)
    flip, back = torch.rand(2, rows, device=device) < 0.5
    own = motion(points)
    size = largest * torch.rand(rows, device=device) * own / own[order].clamp(min=STILL)
    return points + torch.where(back, -size, size)[:, None, None, None] * flipped(change[order], flip)


def with_turn(points: Tensor, largest: float) -> Tensor:
    """Landmarks (rows, frames, 68, 2) of a head that also turns left or right, up or down, and comes nearer or goes.

    It does so evenly from frame to frame. The motion of a turn is a normal random number times a share of the row's
    own motion, drawn from [0, ``largest``]; of coming nearer, half of that (ours).
    """
    rows, frames = points.shape[:2]
    still = points[:, :1]
    depth = torch.as_tensor(DEPTH, dtype=points.dtype, device=points.device)
    depth = depth / vector_norm(depth) * POINTS**0.5
    outwards = still - still.mean(dim=2, keepdim=True)
    outwards = outwards / vector_norm(outwards, dim=(2, 3), keepdim=True) * POINTS**0.5
    size = largest * torch.rand(rows, device=points.device) * motion(points)
    yaw, pitch, nearer = (size * torch.randn(3, rows, device=points.device))[..., None, None]
    turned = torch.stack([yaw * depth, pitch * depth], dim=-1) + nearer[..., None] / 2 * outwards
    return points + torch.linspace(0, 1, frames, device=points.device)[:, None, None] * turned


def with_error(points: Tensor, largest: float) -> Tensor:
    """Landmarks (rows, frames, 68, 2) with random errors in all frames but the first.

    Their standard deviation is a share of the root mean square motion, drawn from [0, ``largest``] for every row: LMF
    is blind to the size of all motion, so a micro-expression is a large one with larger landmark errors (ours).
    """
    size = largest * torch.rand(len(points), device=points.device) * motion(points)
    error = torch.randn_like(points) * size[:, None, None, None]
    error[:, 0] = 0
    return points + error


def lmf_maps(points: Tensor) -> Tensor:
    """LMF maps of landmarks (rows, frames, 68, 2) in px: uint8 (rows, frames - 1, 68, 68).

    The same feature as in the table (see featurize), of a batch and on its device.
    """
    # In place, and x and y one by one: a sum over an axis of two would take longer than all the rest.
    x, y = (axis.unsqueeze(-1) - axis.unsqueeze(-2) for axis in points.movedim(-1, 0).contiguous())
    change = _root(x.square_().addcmul_(y, y)).diff(dim=1)
    size = change.abs()
    largest = size.amax(dim=(-1, -2), keepdim=True)
    size = _root(size.div_(largest.clamp(min=STILL))).mul_(128 * (largest >= STILL))
    return size.copysign_(change).add_(127).round_().clamp_(0, 255).byte()


def _root(x: Tensor) -> Tensor:
    """The square root, by way of its inverse, which is rounded alike everywhere.

    Torch's own is MKL's, which goes on from an estimate that is another on another vendor's processors.
    """
    return x.clamp(min=TINY).rsqrt_().mul_(x)


def mirrored(maps: Tensor) -> Tensor:
    """LMF maps (..., 68, 68) of the mirrored faces: distances stay, left and right landmarks change places."""
    index = torch.as_tensor(MIRROR, device=maps.device)
    return maps[..., index, :][..., index]
