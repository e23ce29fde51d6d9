"""The landmarks that CK+ ships: its authors' active appearance model (Lucey et al., CVPR Workshops 2010)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.tables.errors import Unusable
from stages.tables.points import POINTS


def read(root: Path, sequence: str, frames: int) -> np.ndarray:
    """The points of ``root``/Landmarks/Sxxx/yyy/*_landmarks.txt in the frames' order: float32 (frames, 68, 2), px.

    Raises Unusable when there is not one file a frame or a file does not hold 68 pairs of numbers.
    """
    folder = Path(root) / "Landmarks" / sequence
    files = sorted(folder.glob("[!.]*_landmarks.txt"))
    if len(files) != frames:
        reason = (
            f"{folder}: {len(files)} files *_landmarks.txt for {frames} frames; restore them or choose another method"
        )
        raise Unusable("no shipped points", reason)
    return np.stack([_points(file) for file in files])


def _points(file: Path) -> np.ndarray:
    try:
        values = np.array(file.read_text(encoding="utf-8").split(), np.float32)
    except (ValueError, OSError):
        values = np.empty(0, np.float32)
    if len(values) != 2 * POINTS or not np.isfinite(values).all():
        reason = f"{file}: does not hold {POINTS} lines of two numbers; restore it from the data set"
        raise Unusable("damaged points", reason)
    return values.reshape(POINTS, 2)


def between(points: np.ndarray, originals: int, frames: int) -> np.ndarray:
    """Points of the ``frames`` micro frames, whose in-betweens the data set has no points for.

    The points of the first ``originals`` frames are kept where those frames lie and interpolated linearly in time
    between them, which is what an interpolator that moves everything uniformly would show. Ours: the poster does
    not say. Takes (n, 68, 2), gives float32 (frames, 68, 2).
    """
    at = np.linspace(0, originals - 1, frames)
    before = np.minimum(at.astype(int), originals - 2)
    share = (at - before)[:, None, None]
    return ((1 - share) * points[before] + share * points[before + 1]).astype(np.float32)
