"""Everything measured about the points of a sequence, brought together by weighted least squares."""

from __future__ import annotations

import numpy as np


class Evidence:
    """Measurements of where points are and how far they moved between two frames, each with its expected error.

    Every point is a problem of its own with one unknown position per frame; ``solve`` gives the positions that
    disagree least with all measurements, each weighted by the inverse square of its error.
    """

    def __init__(self, frames: int, points: int) -> None:
        self.information = np.zeros((points, frames, frames))
        self.vector = np.zeros((points, frames, 2))

    def position(self, frame: int, at: np.ndarray, error: np.ndarray | float) -> None:
        """Positions ``at`` (points, 2) in one frame, with errors (points,) in px."""
        weight = np.broadcast_to(1 / np.square(error), len(at))
        self.information[:, frame, frame] += weight
        self.vector[:, frame] += weight[:, None] * at

    def motion(self, first: int, second: int, by: np.ndarray, error: np.ndarray | float) -> None:
        """Displacements ``by`` (points, 2) from frame ``first`` to ``second``, with errors (points,) in px."""
        weight = np.broadcast_to(1 / np.square(error), len(by))
        for frame, other, sign in ((first, second, -1), (second, first, 1)):
            self.information[:, frame, frame] += weight
            self.information[:, frame, other] -= weight
            self.vector[:, frame] += sign * weight[:, None] * by

    def solve(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions (frames, points, 2) and the expected error (frames - 1,) of a point's motion between frames, px.

        Raises numpy.linalg.LinAlgError when a frame was never measured.
        """
        covariance = np.linalg.inv(self.information)
        positions = np.swapaxes(covariance @ self.vector, 0, 1)
        frame = np.arange(covariance.shape[1] - 1)
        variance = (
            covariance[:, frame, frame]
            + covariance[:, frame + 1, frame + 1]
            - 2 * covariance[:, frame, frame + 1]
        )  # fmt: skip
        return positions, np.sqrt(variance.mean(axis=0))
