"""Clips as they lie on a disk: a folder of frames or a video file is one clip; a tree holds many."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from stages.ingest.faces import FORMATS, LARGEST, SMALLEST, read_grey
from stages.ingest.sequence import printable
from stages.tables.errors import Unusable

PICTURES = (".png", *FORMATS)
VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv")


def find(paths: list[Path]) -> list[Path]:
    """The clips among ``paths`` and below them, each once: folders that hold pictures, and video files.

    A path that is neither is returned too, so that ``frames`` says what is wrong with it.
    """
    clips: list[Path] = []
    for path in paths:
        inside = []
        if path.is_dir():
            for above, folders, files in os.walk(path):
                folders.sort()
                visible = [Path(above, name) for name in sorted(files) if not name.startswith(".")]
                inside += [Path(above)] if any(file.suffix.lower() in PICTURES for file in visible) else []
                inside += [file for file in visible if file.suffix.lower() in VIDEOS]
        clips += inside or [path]
    return list(dict.fromkeys(clips))


def frames(clip: Path) -> Iterator[np.ndarray]:
    """The frames of a clip in order, uint8 grey (height, width), one at a time.

    Pictures follow each other by the numbers in their names. Raises Unusable when the clip, or a frame of it, cannot
    be read, or when a frame is of another size than the first.
    """
    if clip.is_dir():
        yield from _pictures(clip)
    elif not clip.exists():
        raise Unusable("no clip", f"{printable(str(clip))}: there is nothing of this name")
    elif not clip.is_file() or clip.suffix.lower() not in VIDEOS:
        raise Unusable("no clip", f"{printable(str(clip))}: is neither a folder of frames nor a video file")
    elif clip.stat().st_size == 0:
        raise Unusable("no clip", f"{clip}: has 0 bytes; copy it again")
    else:
        yield from _video(clip)


def rate(clip: Path) -> float:
    """Frames a second of a video file; 30 where nobody knows."""
    video = cv2.VideoCapture(str(clip)) if clip.is_file() else None
    rate = video.get(cv2.CAP_PROP_FPS) if video is not None else 0
    return float(rate) if 1 <= rate <= 1000 else 30.0


def _pictures(folder: Path) -> Iterator[np.ndarray]:
    files = [file for file in folder.iterdir() if file.suffix.lower() in PICTURES and not file.name.startswith(".")]
    if not files:
        raise Unusable("no clip", f"{folder}: holds neither frames ({', '.join(PICTURES)}) nor videos")
    size: tuple[int, int] | None = None
    for file in sorted(files, key=in_time):
        frame = read_grey(file, size)
        size = (frame.shape[1], frame.shape[0])
        yield frame


def in_time(file: Path) -> list[tuple[int, str]]:
    """Orders frame2 before frame10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", file.name)]


def _video(file: Path) -> Iterator[np.ndarray]:
    video = cv2.VideoCapture(str(file))
    try:
        if not video.isOpened():
            raise Unusable("no clip", f"{file}: not a video that can be read; convert it, for example to .mp4")
        width, height = video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if min(width, height) < SMALLEST or max(width, height) > LARGEST:
            sides = f"{width:.0f} x {height:.0f}"
            raise Unusable("frame", f"{file}: its frames are of {sides} px; from {SMALLEST} to {LARGEST} can be used")
        while True:
            there, frame = video.read()
            if not there:
                return
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    finally:
        video.release()
