"""Films as they lie on a disk: videos, animated pictures, folders of frames; and what is wrong with them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps, ImageSequence

from lmf_fer.predict.clips import VIDEOS, in_time
from stages.ingest.sequence import printable
from stages.tables.errors import Unusable

VIDEO = (*VIDEOS, ".flv", ".mts", ".m2ts", ".ts")
ANIMATED = (".gif", ".webp", ".tif", ".tiff", ".apng")
STILL = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
SMALLEST, LARGEST = 80, 8192
"""Shortest and longest side of a frame in which a face can be located, px."""
TOLERATED = 0.01
"""Share of its frames by which a header may be wrong: many formats only estimate their length."""


class Frame(NamedTuple):
    """One frame: its number from 1, its time in seconds, and its grey levels, uint8 (height, width)."""

    number: int
    time: float
    grey: np.ndarray


def find(paths: list[Path]) -> list[Path]:
    """The films among ``paths`` and below them, each once; linked folders are followed, loops are not.

    A path that is neither a film nor a folder that holds one is returned too: ``Film`` says what is wrong with it.
    """
    films: list[Path] = []
    for path in paths:
        inside: list[Path] = []
        seen: set[str] = set()
        for above, folders, names in os.walk(path, followlinks=True) if path.is_dir() else ():
            real = os.path.realpath(above)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            files = [Path(above, name) for name in sorted(names) if not name.startswith(".")]
            inside += [Path(above)] if any(file.suffix.lower() in STILL and not moves(file) for file in files) else []
            inside += [file for file in files if file.suffix.lower() in VIDEO or moves(file)]
        films += inside or [path]
    return list(dict.fromkeys(films))


def moves(file: Path) -> bool:
    """Whether a picture's file holds several frames."""
    if file.suffix.lower() not in ANIMATED:
        return False
    if file.suffix.lower() == ".gif":
        return True
    try:
        with Image.open(file) as image:
            return getattr(image, "n_frames", 1) > 1
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


class Film:
    """The frames of a film, one at a time. ``marks`` says afterwards what was wrong and did not prevent its use.

    ``length`` is the number of frames that the header tells, or None. ``rate`` is how many a second a folder has.
    """

    def __init__(self, path: Path, rate: float = 30.0) -> None:
        self.path, self.rate = path, rate
        self.length: int | None = None
        self.marks: list[str] = []

    def __iter__(self) -> Iterator[Frame]:
        """Raises Unusable, with a sentence, where there is nothing that can be used."""
        path, name = self.path, printable(str(self.path))
        if path.is_dir():
            source = self._folder()
        elif not path.exists():
            raise Unusable("no film", f"{name}: there is nothing of this name")
        elif not path.is_file():
            raise Unusable("no film", f"{name}: is neither a folder nor an ordinary file")
        elif path.stat().st_size == 0:
            raise Unusable("no film", f"{name}: has 0 bytes; copy it again")
        else:
            source = self._animated() if path.suffix.lower() in ANIMATED else self._video()
        number, last = 0, -1.0
        for time, grey in source:
            if min(grey.shape) < SMALLEST or max(grey.shape) > LARGEST:
                sides = f"{grey.shape[1]} x {grey.shape[0]}"
                raise Unusable("frame", f"{name}: a frame is of {sides} px; {SMALLEST} to {LARGEST} can be used")
            number += 1
            last = time if time > last else last + 1 / self.rate  # time stamps that stand still or go back
            yield Frame(number, last, grey)
        if number == 0:
            raise Unusable("no film", f"{name}: holds no frame that can be read; convert it, for example to .mp4")
        if self.length and number < self.length - max(1, TOLERATED * self.length):
            self.marks.append(f"ends after {number} of the {self.length} frames that its header tells")

    def _video(self) -> Iterator[tuple[float, np.ndarray]]:
        video = cv2.VideoCapture(str(self.path))  # turns rotated recordings upright, as their metadata say
        try:
            if not video.isOpened():
                raise Unusable("no film", f"{self.path}: not a video that can be read; convert it, for example to .mp4")
            rate, count = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
            self.rate = rate if 1 <= rate <= 1000 else self.rate
            self.length = int(count) if 0 < count < 1e9 else None
            number = 0
            while True:
                there, frame = video.read()
                if not there:
                    return
                stamp = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
                yield stamp if stamp > 0 or number == 0 else number / self.rate, _grey(frame)
                number += 1
        finally:
            video.release()

    def _animated(self) -> Iterator[tuple[float, np.ndarray]]:
        try:
            with warnings.catch_warnings(), Image.open(self.path) as image:
                warnings.simplefilter("ignore")
                self.length, time = getattr(image, "n_frames", 1), 0.0
                for part in ImageSequence.Iterator(image):
                    yield time, np.asarray(part.convert("L"))
                    time += float(part.info.get("duration") or 1000 / self.rate) / 1000
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            if self.length is None:
                raise Unusable("no film", f"{self.path}: not a readable picture ({error}); convert it") from None

    def _folder(self) -> Iterator[tuple[float, np.ndarray]]:
        files = [f for f in self.path.iterdir() if f.suffix.lower() in STILL and not f.name.startswith(".")]
        if not files:
            raise Unusable("no film", f"{self.path}: holds neither frames ({', '.join(STILL)}) nor videos")
        for number, file in enumerate(sorted(files, key=in_time)):
            try:
                with Image.open(file) as image:
                    yield number / self.rate, np.asarray(ImageOps.exif_transpose(image).convert("L"))
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                self.marks.append(f"{file.name} cannot be read and is left out")


def _grey(frame: np.ndarray) -> np.ndarray:
    return frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
