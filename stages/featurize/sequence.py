"""All features of one sequence: what the two tables hold for it."""

from __future__ import annotations

import hashlib
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
    noise: tuple[float, ...]
    dtagn_frames: int
    dtagn_size: int


def features(
    row: dict[str, Any], kind: str, frames: np.ndarray, points: np.ndarray, options: Options
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The LMF rows and the DTAGN rows of one sequence.

    ``row`` is its line of the sequences table, ``kind`` general or micro, ``frames`` its uint8 crops (n, height, width)
    and ``points`` its landmarks (n, 68, 2) in native px. A general sequence also gives LMF rows to train on: of
    each smaller part of itself (neutral to part-way), and of each with landmark errors. Micro ones are only ever
    tested, and DTAGN is trained as published, on whole sequences.
    """
    head = {key: row[key] for key in ("sequence", "subject", "emotion", "fold")} | {"set": kind}
    inside = points - np.array([row["crop_x"], row["crop_y"]], points.dtype)
    maps_rows = []
    parts, noises = (options.parts, options.noise) if kind == GENERAL else ((1.0,), (0.0,))
    for part in parts:
        last = max(2, 1 + round(part * (len(points) - 1)))
        resampled = lmf.resample(points[:last], options.frames)
        for noise in noises:
            # The item's own name makes the seed, so that no other sequence changes it.
            seed = hashlib.sha256(f"{row['sequence']} {part} {noise}".encode()).digest()
            moved = lmf.with_error(resampled, noise, np.random.default_rng(list(seed)))
            change = lmf.lmf(moved)
            maps = lmf.maps(change, options.eps)
            tail = {"part": part, "noise": noise, "sfem": lmf.sfem(change, moved), "maps": maps.tobytes()}
            maps_rows.append(head | tail)
    faces = dtagn.faces(frames, inside, options.dtagn_frames, options.dtagn_size)
    trajectory = dtagn.trajectory(points, options.dtagn_frames)
    return maps_rows, [head | {"part": 1.0, "faces": faces.tobytes(), "trajectory": trajectory.tobytes()}]
