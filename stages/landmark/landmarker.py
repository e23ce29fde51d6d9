"""What every landmarker takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stages.tables.box import Box

INNER_LIP = {60: 48, 61: 50, 62: 51, 63: 52, 64: 54, 65: 56, 66: 57, 67: 58}
"""Each point of the inner lip contour and the point of the outer one across the lip from it (iBUG, from 0)."""

DETECTED, CARRIED, GIVEN, FALLBACK = "detected", "carried", "given", "fallback"
"""Where a frame's points come from; a fallback shows no face that could be used, and its neighbours stand in."""


@dataclass(frozen=True)
class Landmarks:
    """Points of every frame: float32 (frames, 68, 2) as x, y in crop px; one status and one jitter (px) a frame."""

    points: np.ndarray
    status: list[str]
    jitter: np.ndarray


class Detector(Protocol):
    """Finds the points of a single frame, uint8 (height, width), from its face box: float32 (68, 2), crop px."""

    def __call__(self, frame: np.ndarray, box: Box) -> np.ndarray: ...


class Landmarker(Protocol):
    """Finds 68 landmarks in every frame of a sequence.

    ``frames`` is uint8 (frames, height, width), ``box`` the face's box in the first: one for the whole sequence,
    because a box detected anew in every frame would move the points with it.
    """

    def __call__(self, frames: np.ndarray, box: Box) -> Landmarks: ...


class EveryFrame:
    """Every frame on its own: the plain baseline, whose points never drift but jitter."""

    def __init__(self, detect: Detector) -> None:
        self.detect = detect

    def __call__(self, frames: np.ndarray, box: Box) -> Landmarks:
        points = np.stack([self.detect(frame, box) for frame in frames])
        return Landmarks(points, [DETECTED] * len(frames), bend(points))


def bend(points: np.ndarray) -> np.ndarray:
    """The random error of a point, px a coordinate, from how far it leaves the line between its neighbours in time.

    Independent errors of standard deviation s leave it by 1.5**0.5 * s. What the whole face does is taken off, and
    the median over points keeps out what few of them do. Takes (frames, 68, 2), gives float32 (frames,).
    """
    if len(points) < 3:
        return np.zeros(len(points), np.float32)
    off = points[1:-1] - (points[:-2] + points[2:]) / 2
    off = off - np.median(off, axis=1, keepdims=True)
    inner = 1.4826 * np.median(np.abs(off), axis=(1, 2)) / 1.5**0.5
    return np.concatenate([inner[:1], inner, inner[-1:]]).astype(np.float32)
