"""Triplets of frames with a known motion: a face, warped by a smooth random motion to either side of the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stages.synthesize.training.params import Warps


@dataclass(frozen=True)
class Triplets:
    """A batch, brightness in 0..1. The outer frames are larger: they show what the filters reach around the middle."""

    first: np.ndarray  # float32 (batch, 1, patch + 2 * reach, patch + 2 * reach)
    middle: np.ndarray  # float32 (batch, 1, patch, patch)
    last: np.ndarray  # like first
    motion: np.ndarray  # float32 (batch, 2, patch, patch): a pixel of the middle is in first at x + motion, in last at
    # x - motion; horizontal, then vertical, px


def triplets(
    faces: Sequence[np.ndarray], warps: Warps, reach: int, batch: int, generator: np.random.Generator
) -> Triplets:
    """Random triplets from uint8 ``faces`` (height, width), each at least patch + 2 * reach wide and high."""
    made = [_triplet(faces[int(generator.integers(len(faces)))], warps, reach, generator) for _ in range(batch)]
    first, middle, last, motion = (np.stack(parts) for parts in zip(*made, strict=True))
    return Triplets(first[:, None], middle[:, None], last[:, None], motion)


def _triplet(face: np.ndarray, warps: Warps, reach: int, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
    side = warps.patch + 2 * reach
    if generator.random() < 0.5:
        face = face.T
    top, left = (generator.integers(length - side + 1) for length in face.shape)
    grid = np.stack(np.meshgrid(np.arange(side) + left, np.arange(side) + top), -1).astype(np.float32)
    # All three are resampled, the middle too: otherwise the outer ones alone would be soft, and the network learn it.
    grid += _smooth(side, 1.0, warps, generator)
    motion = _smooth(side, generator.uniform(0, warps.motion / 2), warps, generator)
    frames = [
        cv2.remap(
            face.astype(np.float32), grid + share * motion, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        for share in (-1, 0, 1)
    ]
    flip, mirror = (1 - 2 * generator.integers(2, size=2)).tolist()
    gain, offset = generator.uniform(0.6, 1.3), generator.uniform(-30, 30)
    noise = generator.uniform(0, warps.noise)
    inside = slice(reach, side - reach)
    first, middle, last = ((frame[::flip, ::mirror] - 128) * gain + 128 + offset for frame in frames)
    first, last = (outer + noise * generator.standard_normal(outer.shape) for outer in (first, last))
    motion = (motion[::flip, ::mirror] * (mirror, flip)).transpose(2, 0, 1)[:, inside, inside]
    seen = (np.clip(frame, 0, 255).astype(np.float32) / 255 for frame in (first, middle[inside, inside], last))
    return *seen, motion.astype(np.float32)


def _smooth(side: int, largest: float, warps: Warps, generator: np.random.Generator) -> np.ndarray:
    """A smooth random vector field (side, side, 2) whose longest vector is ``largest``."""
    least, most = warps.smooth
    distance = generator.uniform(least, most)
    knots = int(np.ceil(side / distance)) + 3
    size = int(knots * distance)
    field = cv2.resize(
        generator.standard_normal((knots, knots, 2)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC
    )
    top, left = generator.integers(int(distance / 2), int(distance) + 1, size=2)
    field = field[top : top + side, left : left + side]
    return field * (largest / np.linalg.norm(field, axis=-1).max())
