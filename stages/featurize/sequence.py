"""All features of one sequence: what the two tables hold for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.featurize import dtagn, lmf


@dataclass(frozen=True)
class Options:
    """params.yaml: protocol.frames and the section featurize."""

    frames: int
    eps: float
    dtagn_size: int


def features(
    row: dict[str, Any], kind: str, frames: np.ndarray, points: np.ndarray, options: Options
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The LMF row and the DTAGN row of one sequence.

    ``row`` is its line of the sequences table, ``kind`` general or micro, ``frames`` its uint8 crops (n, height, width)
    and ``points`` its landmarks (n, 68, 2) in native px.
    """
    head = {key: row[key] for key in ("sequence", "subject", "emotion", "fold")} | {"set": kind}
    inside = points - np.array([row["crop_x"], row["crop_y"]], points.dtype)
    faces = dtagn.faces(frames, inside, options.dtagn_size).tobytes()
    moved = motion(points, options)
    return head | moved, head | {"faces": faces, "points": moved["points"]}


def motion(points: np.ndarray, options: Options) -> dict[str, Any]:
    """What the LMF table holds of landmarks (n, 68, 2) in native px: sfem, maps and points."""
    resampled = lmf.resample(points, options.frames)
    change = lmf.lmf(resampled)
    maps = lmf.maps(change, options.eps).tobytes()
    return {"sfem": lmf.sfem(change, resampled), "maps": maps, "points": points.astype(np.float32).tobytes()}
