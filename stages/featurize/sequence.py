"""All features of one sequence: what the two tables hold for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.featurize import dtagn, lmf
from stages.featurize.params import Featurize


def features(
    row: dict[str, Any], kind: str, images: np.ndarray, points: np.ndarray, settings: Featurize, frames: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The LMF row and the DTAGN row of one sequence.

    ``row`` is its line of the sequences table, ``kind`` general or micro, ``images`` its uint8 crops (n, height, width)
    and ``points`` its landmarks (n, 68, 2) in native px. ``frames`` is the number of frames that LMF sees.
    """
    head = {key: row[key] for key in ("sequence", "subject", "emotion", "fold")} | {"set": kind}
    inside = points - np.array([row["crop_x"], row["crop_y"]], points.dtype)
    faces = dtagn.faces(images, inside, settings.face_size).tobytes()
    moved = motion(points, settings.eps, frames)
    return head | moved, head | {"faces": faces, "points": moved["points"]}


def motion(points: np.ndarray, eps: float, frames: int) -> dict[str, Any]:
    """What the LMF table holds of landmarks (n, 68, 2) in native px: sfem, maps and points."""
    resampled = lmf.resample(points, frames)
    change = lmf.lmf(resampled)
    maps = lmf.maps(change, eps).tobytes()
    return {"sfem": lmf.sfem(change, resampled), "maps": maps, "points": points.astype(np.float32).tobytes()}
