"""Films as they lie on a disk, a camera, a pipe: their frames, one at a time, and what is wrong with them."""

from __future__ import annotations

import os
import time
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

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong gets a sentence here
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "protocol_whitelist;file,pipe"  # a playlist must fetch nothing

VIDEO = (*VIDEOS, ".flv", ".mts", ".m2ts", ".ts")
ANIMATED = (".gif", ".webp", ".tif", ".tiff", ".apng")
STILL = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
SMALLEST, LARGEST = 80, 8192
"""Shortest and longest side of a frame in which a face can be located, px."""
TOLERATED = 0.01
"""Share of its frames by which a header may be wrong: many formats only estimate their length."""
TOLD = 5
"""Damaged frames of a folder that are named; the others are counted."""
PIPE = "-"
PICTURES = ("GIF", "WEBP", "TIFF", "PNG")
"""Kinds of file that Pillow reads, whatever their ending is."""
BROKEN = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
"""What Pillow raises for a damaged file."""

Grey = Iterator[tuple[float, np.ndarray]]
"""Times, s, and frames, uint8 (height, width)."""


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
    except BROKEN:
        return False


class Film:
    """The frames of a film, one at a time. ``marks`` says afterwards what was wrong and did not prevent its use.

    ``length`` is the number of frames that the header tells, or None. ``rate`` is how many a second a folder has.
    ``stopped`` may be set to end it early.
    """

    live = False
    unread = "not a video that can be read; convert it, for example to .mp4"

    def __init__(self, path: Path, rate: float = 30.0) -> None:
        self.path, self.rate, self.name = path, rate, printable(str(path))
        self.length: int | None = None
        self.marks: list[str] = []
        self.stopped = False

    def __iter__(self) -> Iterator[Frame]:
        """Raises Unusable, with a sentence, where there is nothing that can be used."""
        number, last, resized = 0, -1.0, 0
        shape: tuple[int, ...] = ()
        for stamp, grey in self._frames():
            if min(grey.shape) < SMALLEST or max(grey.shape) > LARGEST:
                sides = f"{grey.shape[1]} x {grey.shape[0]}"
                raise Unusable("frame", f"{self.name}: a frame is of {sides} px; {SMALLEST} to {LARGEST} can be used")
            number += 1
            resized += bool(shape) and grey.shape != shape
            shape = grey.shape
            last = stamp if stamp > last else last + 1 / self.rate  # time stamps that stand still or go back
            yield Frame(number, last, grey)
            if self.stopped:
                return
        if number == 0:
            raise Unusable("no film", f"{self.name}: holds no frame that can be read; convert it, for example to .mp4")
        if resized:
            self.marks.append(f"changes the size of its frames {resized} times; each change counts as a cut")
        if self.length and number < self.length - max(1, TOLERATED * self.length):
            self.marks.append(f"ends after {number} of the {self.length} frames that its header tells")

    def _frames(self) -> Grey:
        path = self.path
        if path.is_dir():
            return self._folder()
        if not path.exists():
            raise Unusable("no film", f"{self.name}: there is nothing of this name")
        if not path.is_file():
            raise Unusable("no film", f"{self.name}: is neither a folder nor an ordinary file")
        if path.stat().st_size == 0:
            raise Unusable("no film", f"{self.name}: has 0 bytes; copy it again")
        try:
            with Image.open(path, formats=PICTURES):
                return self._animated()
        except BROKEN:
            return self._video(str(path))

    def _video(self, source: str | int, clock: bool = False) -> Grey:
        video = cv2.VideoCapture(source)  # turns rotated recordings upright, as their metadata say
        try:
            if not video.isOpened():
                raise Unusable("no film", f"{self.name}: {self.unread}")
            rate, count = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
            self.rate = rate if 1 <= rate <= 1000 else self.rate
            self.length = int(count) if 0 < count < 1e9 and not self.live else None
            number, start = 0, time.monotonic()
            while True:
                there, frame = video.read()
                if not there:
                    return
                stamp = time.monotonic() - start if clock else video.get(cv2.CAP_PROP_POS_MSEC) / 1000
                yield stamp if stamp > 0 or number == 0 else number / self.rate, _grey(frame)
                number += 1
        finally:
            video.release()

    def _animated(self) -> Grey:
        try:
            with warnings.catch_warnings(), Image.open(self.path) as image:
                warnings.simplefilter("ignore")
                stamp = 0.0
                self.length = getattr(image, "n_frames", 1)
                for part in ImageSequence.Iterator(image):
                    yield stamp, _levels(part)
                    stamp += float(part.info.get("duration") or 1000 / self.rate) / 1000
        except BROKEN as error:
            if self.length is None:
                raise Unusable("no film", f"{self.name}: not a readable picture ({error}); convert it") from None
            self.marks.append(f"is damaged from there on ({error})")

    def _folder(self) -> Grey:
        files = [f for f in self.path.iterdir() if f.suffix.lower() in STILL and not f.name.startswith(".")]
        if not files:
            raise Unusable("no film", f"{self.name}: holds neither frames ({', '.join(STILL)}) nor videos")
        self.length, damaged = len(files), 0
        for number, file in enumerate(sorted(files, key=in_time)):
            try:
                with Image.open(file) as image:
                    grey = _levels(image)
            except BROKEN:
                damaged += 1
                if damaged <= TOLD:
                    self.marks.append(f"{printable(file.name)} cannot be read and is left out")
                continue
            yield number / self.rate, grey
        self.length = None  # each that is missing is told
        if damaged > TOLD:
            self.marks.append(f"{damaged} frames cannot be read and are left out")


class Live(Film):
    """A camera, or PIPE: a video on standard input, of a kind that is read without going back.

    A camera is its number, or whatever else OpenCV opens; its frames have the time at which they come.
    """

    live = True
    unread = "cannot be read; is it there, and does nothing else use it?"

    def __init__(self, source: int | str, rate: float = 30.0) -> None:
        name = "pipe" if source == PIPE else f"camera {source}"
        super().__init__(Path(name), rate)
        self.source = source

    def _frames(self) -> Grey:
        return self._video("pipe:0") if self.source == PIPE else self._video(self.source, clock=True)


def _grey(frame: np.ndarray) -> np.ndarray:
    return frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)


def _levels(image: Image.Image) -> np.ndarray:
    """A picture upright, as 8-bit grey; one of more bits is scaled by its kind's range."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        return (np.asarray(image).clip(0, 65535) / 257).astype(np.uint8)
    return np.asarray(image.convert("L"))
