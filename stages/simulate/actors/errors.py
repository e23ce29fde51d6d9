"""What a landmarker does to the true points: its errors, drawn from a fitted model.

Let p(t) be the true points, m(t) = p(t) - p(0) their motion, and z standard normal numbers of a sequence (of a frame in
the noise), all in outer eye distances of the first frame:

    measured(t) = p(0) + offset(z) + gain * m(t) + distance(m(t)) * drift(z) + noise(z) where t > 0

The landmarker locates the points once and then follows them. So an offset stays for the whole sequence, a gain
underrates motion, and the farther a point moves, the larger its drift, whose direction stays. Offset, drift and noise
of neighbouring points are alike, as their factors tell.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numba
import numpy as np

from stages.tables.points import EYE_CORNERS, POINTS

STORED = Path(__file__).with_name("landmark_errors.npz")


@dataclass(frozen=True)
class ErrorModel:
    """Errors of 68 points. Factors are (k, 136): with z (k,), z @ factor has the fitted covariance."""

    mean: np.ndarray  # (136,) mean of the offset
    offset: np.ndarray  # factor
    gain: np.ndarray  # (68,) measured motion, as a share of the true one
    drift: np.ndarray  # factor, of drift a unit of ``distance``
    noise: np.ndarray  # factor

    @property
    def per_sequence(self) -> int:
        """Normal numbers that a sequence needs."""
        return len(self.offset) + len(self.drift)

    @property
    def per_frame(self) -> int:
        """Normal numbers that each of its frames needs."""
        return len(self.noise)

    def save(self, path: Path) -> None:
        """Writes the arrays as float32."""
        with path.open("wb") as file:
            np.savez(file, **{f.name: getattr(self, f.name).astype(np.float32) for f in fields(self)})


def load(path: Path = STORED) -> ErrorModel:
    """The model that benchmarks.landmark_errors fitted to the default landmarker."""
    with np.load(path, allow_pickle=False) as stored:
        return ErrorModel(**{f.name: stored[f.name] for f in fields(ErrorModel)})


def eye_distance(points: np.ndarray) -> np.ndarray:
    """Outer eye distance (n,) in the first frame of points (n, frames, 68, 2)."""
    right, left = EYE_CORNERS
    return np.linalg.norm(points[:, 0, right] - points[:, 0, left], axis=-1)


def distance(motion: np.ndarray) -> np.ndarray:
    """How far each point has moved, (..., 68, 1): the root mean square of its own ``motion`` (..., 68, 2) and all's."""
    square = (motion**2).sum(axis=-1, keepdims=True)
    return np.sqrt((square + square.mean(axis=-2, keepdims=True)) / 2)


def measured(model: ErrorModel, points: np.ndarray, per_sequence: np.ndarray, per_frame: np.ndarray) -> np.ndarray:
    """True points (n, frames, 68, 2), px, as the landmarker measures them.

    ``per_sequence`` (n, model.per_sequence) and ``per_frame`` (n, frames, model.per_frame) are standard normal numbers.
    """
    eyes = eye_distance(points)[:, None, None, None]
    first = points[:, :1]
    motion = points - first
    split = len(model.offset)
    offset = (model.mean + product(per_sequence[:, :split], model.offset)).reshape(-1, 1, POINTS, 2)
    drift = product(per_sequence[:, split:], model.drift).reshape(-1, 1, POINTS, 2)
    noise = product(per_frame.reshape(-1, model.per_frame), model.noise).reshape(motion.shape)
    noise[:, 0] = 0
    return first + eyes * (offset + noise) + model.gain[:, None] * motion + distance(motion) * drift


@numba.njit(cache=True)
def product(a, b):  # type: ignore[no-untyped-def]
    """a (n, k) @ b (k, m); unlike in BLAS, the order of a row's sum does not depend on n."""
    result = np.zeros((a.shape[0], b.shape[1]), b.dtype)
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            share = b.dtype.type(a[i, k])
            for j in range(b.shape[1]):
                result[i, j] += share * b[k, j]
    return result
