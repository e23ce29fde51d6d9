"""All features of one sequence: what the two tables hold for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.featurize import dtagn, lmf
from stages.tables.schema import GENERAL


@dataclass(frozen=True)
class Options:
    """params.yaml: protocol.frames and the section featurize."""

    frames: int
    eps: float
    parts: tuple[float, ...]
    dtagn_frames: int
    dtagn_size: int


def features(
    row: dict[str, Any], kind: str, frames: np.ndarray, points: np.ndarray, options: Options
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The LMF rows and the DTAGN rows of one sequence.

    ``row`` is its line of the sequences table, ``kind`` general or micro, ``frames`` its uint8 crops (n, height, width)
    and ``points`` its landmarks (n, 68, 2) in native px. A general sequence also gives a row for each smaller part of
    itself (neutral to part-way); micro sequences are only ever tested, and whole.
    """
    head = {key: row[key] for key in ("sequence", "subject", "emotion", "fold")} | {"set": kind}
    inside = points - np.array([row["crop_x"], row["crop_y"]], points.dtype)
    maps_rows, dtagn_rows = [], []
    for part in options.parts if kind == GENERAL else (1.0,):
        last = max(2, 1 + round(part * (len(points) - 1)))
        resampled = lmf.resample(points[:last], options.frames)
        change = lmf.lmf(resampled)
        maps = lmf.maps(change, options.eps)
        maps_rows.append(
            head | {"part": part, "sfem": lmf.sfem(change, resampled), "maps": maps.tobytes()},
        )
        faces = dtagn.faces(frames[:last], inside[:last], options.dtagn_frames, options.dtagn_size)
        trajectory = dtagn.trajectory(points[:last], options.dtagn_frames)
        dtagn_rows.append(head | {"part": part, "faces": faces.tobytes(), "trajectory": trajectory.tobytes()})
    return maps_rows, dtagn_rows
