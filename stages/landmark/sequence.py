"""One sequence from its stored frames to its rows of the landmark table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from stages.landmark import shipped
from stages.landmark.aam import AAM
from stages.landmark.detection import Dlib
from stages.landmark.flow import Carried
from stages.landmark.landmarker import GIVEN, EveryFrame, Landmarker, Landmarks, Unusable, bend
from stages.landmark.presence import with_gaps
from stages.tables import images, parquet
from stages.tables.room import RoomError
from stages.tables.schema import FRAMES, MICRO

METHODS = ("dlib-flow", "dlib", "aam-flow", "aam", "ckplus")


@dataclass(frozen=True)
class Settings:
    """How landmarks are found: ``params.yaml: landmark``, and what the shipped points need to know besides."""

    method: str
    enlarge: int  # factor by which the face is enlarged for the shape predictor
    smooth: float  # standard deviation of the Gaussian on the flow, px
    stiffness: float  # weight of smooth motion against alike grey levels, squared grey levels
    patch: float  # standard deviation of the window of a tracked patch, px
    detection: float  # expected error of one detected point, px
    root: Path  # the data set, whose Landmarks/ 'ckplus' reads and 'aam' learns from
    originals: int  # frames that the micro sequence was made from

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise RoomError(f"params.yaml: landmark.method is '{self.method}'; choose one of {', '.join(METHODS)}")


@dataclass(frozen=True)
class Job:
    """One sequence of one set: its row of sequences.parquet and where its frames are stored."""

    about: dict[str, Any]
    set: str
    path: Path
    number: int  # among the sequences of the file


def jobs(sequences: pd.DataFrame, path: Path, which: str) -> list[Job]:
    """The sequences whose frames ``path`` holds, in the order of ``sequences``; ``which`` is the set's name."""
    number = parquet.index(path, FRAMES)
    rows = parquet.records(sequences)
    return [Job(row, which, path, number[row["sequence"]]) for row in rows if row["sequence"] in number]


def landmarks(
    job: Job, settings: Settings, models: Mapping[int, AAM]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the landmark table for one job, in native px, and of the rejected table: one of the two is empty.

    ``models`` holds the active appearance model of each fold where the method needs one.

    Raises RoomError when the stored frames are damaged.
    """
    cv2.setNumThreads(1)  # sequences already run side by side
    name = job.about["sequence"]
    stored = parquet.read_sequence(job.path, FRAMES, job.number)
    frames = images.decode(stored["png"], f"{job.path}: {name}")
    try:
        if settings.method == "ckplus":
            found = _shipped(job, settings, len(frames))
        else:
            found = _found(job, settings, models.get(job.about["fold"]), frames)
    except Unusable as why:
        reason = f"{name}, {job.set} frames: {why.reason}"
        return [], [{"sequence": name, "stage": "landmark", "code": why.code, "reason": reason}]
    rows = [
        {"sequence": name, "set": job.set, "frame": number, "x": p[:, 0], "y": p[:, 1], "status": s, "jitter": j}
        for number, p, s, j in zip(stored["frame"], found.points, found.status, found.jitter, strict=True)
    ]
    return rows, []


def _landmarker(settings: Settings, model: AAM | None) -> Landmarker:
    detect = model or Dlib(settings.enlarge)
    if settings.method.endswith("-flow"):
        return Carried.chosen(detect, vars(settings))
    return EveryFrame(detect)


def _found(job: Job, settings: Settings, model: AAM | None, frames: np.ndarray) -> Landmarks:
    about = job.about
    corner = np.array([about["crop_x"], about["crop_y"]], np.float32)
    box = (about["box_x"] - corner[0], about["box_y"] - corner[1], about["box_width"], about["box_height"])
    found = with_gaps(_landmarker(settings, model), frames, box)
    return Landmarks(found.points + corner, found.status, found.jitter)


def _shipped(job: Job, settings: Settings, frames: int) -> Landmarks:
    points = shipped.read(settings.root, job.about["sequence"], job.about["frames"])
    jitter = np.full(frames, np.median(bend(points)), np.float32)
    if job.set == MICRO:
        points = shipped.between(points, settings.originals, frames)
    return Landmarks(points, [GIVEN] * frames, jitter)
