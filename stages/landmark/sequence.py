"""One sequence from its stored frames to its rows of the landmark table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.landmark.landmarker import GIVEN, Landmarker, Landmarks, bend
from stages.landmark.presence import with_gaps
from stages.landmark.shipped import between
from stages.tables import images, parquet
from stages.tables.box import Box
from stages.tables.errors import Unusable
from stages.tables.schema import FRAMES, GENERAL, LANDMARKS, MICRO


@dataclass(frozen=True)
class Job:
    """One sequence of one set: its row of sequences.parquet and where its frames are stored."""

    row: dict[str, Any]
    set: str
    path: Path
    number: int  # among the sequences of the file


Find = Callable[[Job, np.ndarray], Landmarks]
"""Gives the landmarks of a job in native px, from the job and its uint8 frames (frames, height, width)."""


def jobs(sequences: pd.DataFrame, path: Path, kind: str) -> list[Job]:
    """The sequences whose frames ``path`` holds, in the order of ``sequences``; ``kind`` is the set's name."""
    number = parquet.index(path, FRAMES)
    rows = parquet.records(sequences)
    return [Job(row, kind, path, number[row["sequence"]]) for row in rows if row["sequence"] in number]


def landmarks(job: Job, find: Find) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the landmark table for one job, in native px, and of the rejected table: one of the two is empty.

    Raises UserError when the stored frames are damaged.
    """
    name = job.row["sequence"]
    stored = parquet.read_sequence(job.path, FRAMES, job.number)
    frames = images.decode(stored["png"], f"{job.path}: {name}")
    try:
        result = find(job, frames)
    except Unusable as why:
        reason = f"{name}, {job.set} frames: {why.reason}"
        return [], [Unusable(why.code, reason).rejected(name, "landmark")]
    rows = [
        {"sequence": name, "set": job.set, "frame": number, "x": p[:, 0], "y": p[:, 1], "status": s, "jitter": j}
        for number, p, s, j in zip(stored["frame"], result.points, result.status, result.jitter, strict=True)
    ]
    return rows, []


def by_landmarker(
    job: Job, frames: np.ndarray, make: Callable[[Any], Landmarker], models: Mapping[int, Any]
) -> Landmarks:
    """A ``Find`` by the landmarker that ``make`` gives for the model of the job's fold (None if there is none)."""
    row = job.row
    corner = np.array([row["crop_x"], row["crop_y"]], np.float32)
    box = Box(row["box_x"] - corner[0], row["box_y"] - corner[1], row["box_width"], row["box_height"])
    inside = with_gaps(make(models.get(row["fold"])), frames, box)
    return Landmarks(inside.points + corner, inside.status, inside.jitter)


def as_shipped(
    job: Job, frames: np.ndarray, read: Callable[[Path, str, int], np.ndarray], root: Path, originals: int
) -> Landmarks:
    """A ``Find`` of the points that ``read`` takes from the data set in ``root``.

    ``originals`` is the number of frames that a micro sequence was made from.
    """
    points = read(root, job.row["sequence"], job.row["frames"])
    jitter = np.full(len(frames), np.median(bend(points)), np.float32)
    if job.set == MICRO:
        points = between(points, originals, len(frames))
    return Landmarks(points, [GIVEN] * len(frames), jitter)


def as_tracked(
    item: tuple[str, dict[str, int]], path: Path, originals: int, frames: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """As ``landmarks``, of a sequence that came as landmarks: its name, and the numbers of its sets in ``path``.

    Without a micro set, the points between the first ``originals`` are interpolated to ``frames``.
    """
    name, places = item
    points = {kind: _points(parquet.read_sequence(path, LANDMARKS, place)) for kind, place in places.items()}
    if MICRO not in points:
        if len(points[GENERAL]) < originals:
            reason = f"{name}: has {len(points[GENERAL])} frames and protocol.originals asks for {originals}"
            return [], [Unusable("too short", reason).rejected(name, "landmark")]
        points[MICRO] = between(points[GENERAL], originals, frames)
    jitter = np.float32(np.median(bend(points[GENERAL])))
    rows = [
        {"sequence": name, "set": kind, "frame": i, "x": p[:, 0], "y": p[:, 1], "status": GIVEN, "jitter": jitter}
        for kind in (GENERAL, MICRO)
        for i, p in enumerate(points[kind], 1)
    ]
    return rows, []


def _points(rows: pd.DataFrame) -> np.ndarray:
    return np.stack([np.stack(list(rows[axis])) for axis in ("x", "y")], axis=-1)
