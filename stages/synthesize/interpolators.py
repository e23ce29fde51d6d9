"""The interpolators to choose from: ``params.yaml``, ``synthesize.interpolator``."""

from __future__ import annotations

import cv2
import numpy as np

from stages.synthesize.recursion import Interpolator
from stages.tables.errors import UserError

NETWORKS = ("sepconv", "rife")
"""Those that take torch, and a GPU where there is one."""


def average(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The plain mean of both frames: what interpolation has to beat. Shapes as in ``Interpolator``."""
    return np.rint((first.astype(np.float32) + second) / 2).astype(np.uint8)


def flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Midpoints by dense optical flow (ours): both frames are warped half-way towards each other and blended.

    The flow is DIS (Kroeger et al., ECCV 2016), computed from first to second and from second to first, so that
    exchanging the two frames gives the same midpoint. Shapes as in ``Interpolator``.
    """
    return np.stack([_midpoint(a, b) for a, b in zip(first, second, strict=True)])


def _midpoint(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    first, second = np.ascontiguousarray(first), np.ascontiguousarray(second)
    forward, seen_forward = half_way(first, _flow(first, second))
    backward, seen_backward = half_way(second, _flow(second, first))
    # Where one source lies outside its frame, the other alone is right; where both do, both are equally wrong.
    weight = np.clip(0.5 + 0.5 * (seen_forward - seen_backward), 0, 1)
    return np.clip(np.rint(weight * forward + (1 - weight) * backward), 0, 255).astype(np.uint8)


def _flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(height, width, 2) motion from ``first`` to ``second``, px.

    It ends at half the frames' size: full size would take three quarters of the time and brings landmarks nothing.
    """
    # A new one each time, since for small frames it changes its own settings.
    motion: np.ndarray = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, None)
    return motion


def half_way(image: np.ndarray, motion: np.ndarray, rounds: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Moves ``image`` half-way along its ``motion``, px, and says which pixels come from inside the frame.

    A pixel x of the result shows the point a of the image with a + motion(a) / 2 = x, found by ``rounds`` of
    fixed-point iteration. Takes (height, width) and (height, width, 2); returns two float32 arrays of (height, width),
    the second 1 where a lies in the frame, falling to 0 at one pixel outside it.
    """
    height, width = image.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    source = grid - motion / 2
    for _ in range(rounds):
        moved = cv2.remap(motion, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        source = grid - moved / 2
    x, y = np.ascontiguousarray(source[..., 0]), np.ascontiguousarray(source[..., 1])
    outside = np.maximum.reduce([-x, x - (width - 1), -y, y - (height - 1), np.zeros_like(x)])
    warped = cv2.remap(image.astype(np.float32), x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return warped, np.clip(1 - outside, 0, 1)


def choose(name: str, weights: str, device: str = "cpu") -> Interpolator:
    """The interpolator called ``name`` in ``params.yaml``; SepConv reads its ``weights`` from a file.

    Raises UserError for any other name, and for a file that does not hold SepConv's weights.
    """
    if name == "flow":
        return flow
    if name == "average":
        return average
    if name == "sepconv":
        from stages.synthesize.sepconv import Learned  # torch takes long to import, and nobody else needs it
        from stages.synthesize.weights import load

        return Learned(load(weights).to(device))
    if name == "rife":
        from stages.synthesize.rife import Rife

        return Rife(device)
    raise UserError(f"params.yaml: synthesize.interpolator is '{name}'; choose flow, average, sepconv or rife")
