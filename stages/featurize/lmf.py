"""LMF, the two-dimensional landmark feature, and SFEM, the size of an expression.

Choi, Kim, Song, "Recognizing Fine Facial Micro-Expressions using Two-Dimensional Landmark Feature". With p(i,t) the
position of landmark i in frame t, in pixels:

    LMF_t(i,j) = ||p(i,t) - p(j,t)|| - ||p(i,t-1) - p(j,t-1)||
    map_t(i,j) = 127 + 128 * sign(LMF_t) * (|LMF_t(i,j)| / max|LMF_t|)^0.5        as uint8

The formula as printed cannot be run; our reading of it:

    printed                          problem                               read as
    {LMF / max}^0.5 where LMF < 0    root of a negative number             root of the absolute value, sign outside
    max(LMF_t)                       a negative entry may exceed it        the largest absolute value, frame by frame
    -128 * 1 + 127                   -1 wraps round in uint8               clipped to 0..255
    a frame without motion           division by zero                      all 127; below ``eps`` px counts as none
"""

from __future__ import annotations

import numba
import numpy as np

from stages.tables.points import JAW_WIDTH, NOSE_LENGTH


def resample(points: np.ndarray, frames: int) -> np.ndarray:
    """``points`` of shape (n, ...) at ``frames`` evenly spaced times, by linear interpolation (ours).

    Returns float64 of shape (frames, ...); the first and last frame are kept exactly.
    """
    time = np.linspace(0, len(points) - 1, frames)
    before = np.minimum(time.astype(int), len(points) - 2) if len(points) > 1 else np.zeros(frames, int)
    share = (time - before).reshape(-1, *[1] * (points.ndim - 1))
    after = np.minimum(before + 1, len(points) - 1)
    points = points.astype(np.float64)
    return points[before] * (1 - share) + points[after] * share


def lmf(points: np.ndarray) -> np.ndarray:
    """LMF of landmarks of shape (frames, n, 2) in px: float64 of shape (frames - 1, n, n) in px."""
    return _change_of_distance(np.ascontiguousarray(points, np.float64))


def maps(change: np.ndarray, eps: float) -> np.ndarray:
    """LMF of shape (frames - 1, n, n) in px, symmetric, as uint8 maps of the same shape; 127 is no change.

    A map whose largest |LMF| is below ``eps`` px is all 127.
    """
    return _normalised(np.ascontiguousarray(change, np.float64), eps)


def sfem(change: np.ndarray, points: np.ndarray) -> float:
    """SFEM, the size of the expression, in 1/px (so landmarks must be in native pixels).

        SFEM = mean over maps of sum_ij |LMF_t(i,j)| / (||p(1) - p(17)|| * ||p(28) - p(34)||)

    ``change`` is raw LMF (frames - 1, 68, 68); both lengths are taken in the first of ``points`` (frames, 68, 2), which
    is not in the poster. Raises ValueError when either length is zero.
    """
    first = points[0].astype(np.float64)
    area = float(np.prod([np.linalg.norm(first[a] - first[b]) for a, b in (JAW_WIDTH, NOSE_LENGTH)]))
    if area == 0:
        raise ValueError("the jaw or the nose has no length")
    return float(np.abs(change).sum(axis=(1, 2)).mean() / area)


@numba.njit(cache=True)
def _change_of_distance(points):  # type: ignore[no-untyped-def]
    frames, n = points.shape[0], points.shape[1]
    change = np.empty((frames - 1, n, n))
    before, after = np.empty((n, n)), np.empty((n, n))
    for t in range(frames):
        x, y = points[t, :, 0].copy(), points[t, :, 1].copy()
        for i in range(n):
            # Whole rows, both halves: the square roots vectorise, which is faster than to fill in the mirror image.
            for j in range(n):
                after[i, j] = np.sqrt((x[i] - x[j]) ** 2 + (y[i] - y[j]) ** 2)
            if t > 0:
                for j in range(n):
                    change[t - 1, i, j] = after[i, j] - before[i, j]
        before, after = after, before
    return change


@numba.njit(cache=True, error_model="numpy")  # without a test for division by zero, loops vectorise
def _normalised(change, eps):  # type: ignore[no-untyped-def]
    result = np.empty(change.shape, np.uint8)
    n = change.shape[1]
    most = np.empty(n)
    for t in range(change.shape[0]):
        most[:] = 0
        # The lower half, in whole vectors of four: the odd ones at the end of a row would take longer than the rest.
        for i in range(n):  # a maximum for each column, since one for all would wait for the last at every step
            for j in range(min((i | 3) + 1, n)):
                size = abs(change[t, i, j])
                most[j] = size if size > most[j] else most[j]
        largest = most.max()
        if largest < eps or largest == 0:
            result[t] = 127
            continue
        scale = 128**2 / largest  # under the root: to divide each by the largest would take as long as the roots
        for i in range(n):
            for j in range(min((i | 3) + 1, n)):
                value = np.rint(127 + np.copysign(np.sqrt(abs(change[t, i, j]) * scale), change[t, i, j]))
                result[t, i, j] = np.uint8(np.int32(max(value, 0.0)))
        for i in range(n):  # in a loop of its own, so that the one before vectorises
            for j in range(i):
                result[t, j, i] = result[t, i, j]
    return result
