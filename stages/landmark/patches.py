"""Small patches of skin and their alignment between frames (Lucas and Kanade, IJCAI 1981, with a Gaussian prior)."""

from __future__ import annotations

import cv2
import numpy as np

from stages.landmark.landmarker import INNER_LIP

NOISE = 3.0
"""Grey levels that two patches of the same skin differ by: sensor noise in both; more counts as an outlier's start."""
EFFECTIVE = 60.0
"""Independent grey values in a patch, fewer than its samples because neighbours share light and texture."""

SCALE = 1.5
"""True error of an alignment over residual times standard error, 1/grey level: measured on simulated faces."""


class Image:
    """A grey frame with what alignment reads from it: the frame, slightly blurred, and its two gradients."""

    def __init__(self, frame: np.ndarray) -> None:
        self.grey = np.ascontiguousarray(frame)
        self.blurred = cv2.GaussianBlur(self.grey.astype(np.float32), (0, 0), 0.8)
        self.across = cv2.Scharr(self.blurred, cv2.CV_32F, 1, 0) / 32
        self.down = cv2.Scharr(self.blurred, cv2.CV_32F, 0, 1) / 32


def relight(frame: np.ndarray, like: np.ndarray) -> np.ndarray:
    """``frame`` with the mean and contrast of ``like``, so that a flickering lamp does not pass for motion."""
    (mean, spread), (wanted_mean, wanted_spread) = cv2.meanStdDev(frame), cv2.meanStdDev(like)
    gain = float(wanted_spread[0, 0] / max(spread[0, 0], 1))
    return cv2.addWeighted(frame, gain, frame, 0, float(wanted_mean[0, 0] - gain * mean[0, 0]))


def sample(field: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values of ``field`` (height, width) at positions (..., 2), bilinear; outside it the border repeats."""
    x, y = (np.ascontiguousarray(at[..., axis], np.float32).reshape(len(at), -1) for axis in (0, 1))
    values = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return values.reshape(*at.shape[:-1], *field.shape[2:])


def lay(points: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """One patch per point: sample positions (68, samples, 2) and their Gaussian weights (samples,), which sum to 1.

    A patch is centred on its point, but for the inner lips on the middle of the lip: while the mouth is shut both
    inner contours lie on one seam, and only the flesh beside it shows which way each of them is going to move.
    """
    centres = points.copy()
    for inner, outer in INNER_LIP.items():
        centres[inner] = (points[inner] + points[outer]) / 2
    steps = np.linspace(-2 * sigma, 2 * sigma, 11, dtype=np.float32)
    offsets = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    weights = np.exp(-(offsets**2).sum(axis=1) / (2 * sigma**2))
    return centres[:, None] + offsets, weights / weights.sum()


def align(
    first: Image, there: np.ndarray, second: Image, here: np.ndarray, weights: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far the patches of ``second``, expected at ``here``, have to be moved to look like ``first`` at ``there``.

    ``prior`` (68,) is the expected length of that move, px. Maximum a posteriori by Gauss-Newton steps: robust to
    single bright or dark samples, blind to a change of light. Where a patch has no texture the move stays zero.

    Returns the moves (68, 2) and their expected errors (68,), both in px. An error is the residual times the
    standard error that texture and prior allow: measured on known motions, the true error is proportional to that.
    """
    target = sample(first.blurred, there)
    slopes = sample(first.across, there), sample(first.down, there)
    target = target - (weights * target).sum(axis=1, keepdims=True)
    move = np.zeros((len(there), 2), np.float32)
    tight = 1 / prior**2
    for _ in range(3):
        at = here + move[:, None]
        grey = sample(second.blurred, at)
        grey = grey - (weights * grey).sum(axis=1, keepdims=True)
        error = grey - target
        robust = np.minimum(1, 3 * NOISE / np.maximum(np.abs(error), NOISE))  # Huber
        weight = weights * robust * EFFECTIVE / NOISE**2
        across, down = (slopes[0] + sample(second.across, at)) / 2, (slopes[1] + sample(second.down, at)) / 2
        xx = (weight * across**2).sum(axis=1) + tight
        xy = (weight * across * down).sum(axis=1)
        yy = (weight * down**2).sum(axis=1) + tight
        x = (weight * across * error).sum(axis=1) + move[:, 0] * tight
        y = (weight * down * error).sum(axis=1) + move[:, 1] * tight
        determinant = xx * yy - xy**2
        move = move - np.stack([yy * x - xy * y, xx * y - xy * x], axis=1) / determinant[:, None]
    residual = np.sqrt((weights * error**2).sum(axis=1))
    return move, SCALE * residual * np.sqrt((xx + yy) / determinant) + 0.01
