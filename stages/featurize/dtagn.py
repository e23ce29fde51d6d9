"""DTAGN's faces, aligned; its landmarks need no more than the table's.

Jung, Lee, Yim, Park, Kim, "Joint Fine-Tuning in Deep Neural Networks for Facial Expression Recognition", ICCV 2015.
"""

from __future__ import annotations

import cv2
import numpy as np

from stages.tables.points import LEFT_EYE, RIGHT_EYE

EYES_APART, EYES_DOWN = 0.46, 0.36
"""Where the eye centres come to lie in the aligned face, in shares of its side (not in the paper)."""


def faces(frames: np.ndarray, points: np.ndarray, size: int) -> np.ndarray:
    """Aligned grey faces: uint8 of shape (n, size, size).

    ``frames`` are uint8 crops (n, height, width) and ``points`` their landmarks (n, 68, 2) in crop pixels. One
    similarity transform, by the eye centres of the first frame, aligns the whole sequence, so that motion is kept.
    """
    right, left = points[0, RIGHT_EYE].mean(axis=0), points[0, LEFT_EYE].mean(axis=0)
    # Warped at four times the size and averaged down, since warping alone would alias.
    large = 4 * size
    scale = EYES_APART * large / max(float(np.linalg.norm(left - right)), 1e-6)
    angle = np.arctan2(left[1] - right[1], left[0] - right[0])
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shift = np.array([0.5 * large, EYES_DOWN * large]) - turn @ ((right + left) / 2)
    warp = np.column_stack([turn, shift])
    return np.stack([
        cv2.resize(cv2.warpAffine(frame, warp, (large, large), borderMode=cv2.BORDER_REPLICATE), (size, size),
                   interpolation=cv2.INTER_AREA)
        for frame in frames
    ])  # fmt: skip
