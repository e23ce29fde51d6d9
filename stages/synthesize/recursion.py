"""Recursive midpoints: 3 frames -> 5 -> 9, the poster's micro sequences (6 of the 9 frames are interpolated)."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from stages.tables.errors import UserError


class Interpolator(Protocol):
    """Anything that makes the frames half-way between pairs of frames."""

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """uint8 (pairs, height, width) twice -> the uint8 midpoints of the same shape."""
        ...


def depth(originals: int, frames: int) -> int:
    """How many times the gaps must be halved to get from ``originals`` frames to ``frames``.

    Raises UserError when halving cannot reach that number exactly.
    """
    level, reached = 0, originals
    while 2 <= reached < frames:
        level, reached = level + 1, 2 * reached - 1
    if originals < 2 or reached != frames:
        raise UserError(
            f"params.yaml: midpoints cannot turn protocol.originals: {originals} into protocol.frames: {frames};"
            " choose them so that frames - 1 is originals - 1 doubled a few times (3 and 9, 5 and 9, 2 and 9)"
        )
    return level


def densify(frames: np.ndarray, interpolate: Interpolator, levels: int) -> np.ndarray:
    """Halves every gap ``levels`` times; the given frames are kept bit for bit.

    Takes and returns uint8 (frames, height, width); n frames become (n - 1) * 2**levels + 1.
    """
    for _ in range(levels):
        denser = np.empty((2 * len(frames) - 1, *frames.shape[1:]), np.uint8)
        denser[::2] = frames
        denser[1::2] = interpolate(frames[:-1], frames[1:])
        frames = denser
    return frames
