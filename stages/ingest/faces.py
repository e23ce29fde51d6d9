"""Reading frames strictly, finding the one face of a sequence, and cropping it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from PIL import Image

from stages.ingest import png
from stages.ingest.params import Ingest
from stages.ingest.sequence import Sequence
from stages.tables import images
from stages.tables.box import Box
from stages.tables.errors import Unusable

SMALLEST = 120
"""Frames with a shorter side than this cannot hold a face of the size that landmarks need, px."""
LARGEST = 4096
"""Frames with a longer side than this are of no data set, and a face in them would take minutes to find, px."""
HEAVIEST = 100_000_000
"""A larger file holds no such frame, bytes."""
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP"}
"""What a file's name says that it is; any other is PNG."""


def read_grey(file: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """One frame as uint8 grey of shape (height, width). RGB is reduced to luma; a damaged file is never half-read.

    Raises Unusable when the file is not a complete 8-bit image, is too small, or is not of ``size`` (width, height).
    """
    try:
        if not file.is_file() or file.stat().st_size > HEAVIEST:
            raise ValueError("it is no ordinary file of an image's size")
        content, kind = file.read_bytes(), FORMATS.get(file.suffix.lower(), "PNG")
        if kind == "PNG":
            png.check(content, LARGEST)
        with Image.open(BytesIO(content), formats=(kind,)) as image:  # reads the header only
            if size is not None and image.size != size:
                own, first = (f"{side[0]} x {side[1]}" for side in (image.size, size))
                raise Unusable("frame", f"{file}: is {own} pixels, its first frame {first}; frames must match")
            if min(image.size) < SMALLEST or max(image.size) > LARGEST:
                own = f"{image.width} x {image.height}"
                raise Unusable("frame", f"{file}: is {own} pixels; from {SMALLEST} to {LARGEST} a side can be used")
            if image.mode not in ("L", "RGB", "RGBA", "P", "LA"):
                raise Unusable("frame", f"{file}: pixel format {image.mode} is not 8-bit grey or RGB; convert it")
            return np.asarray(image.convert("L"))
    except (OSError, SyntaxError, ValueError) as error:
        reason = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
        raise Unusable("frame", f"{file}: not a readable image ({reason}); restore it from the original") from None


def find_face(frame: np.ndarray, upsample: int, where: Path) -> Box:
    """The square box of the one face in a grey frame (height, width), by dlib's frontal face detector.

    A second detection counts as another person only when it is at least half as wide: smaller ones are clutter.
    Raises Unusable when there is no face, or more than one.
    """
    boxes = sorted(_detector()(frame, upsample), key=lambda box: box.width(), reverse=True)
    if not boxes:
        raise Unusable("no face", f"{where}: no frontal face found; remove the sequence or raise ingest.upsample")
    face = boxes[0]
    if len(boxes) > 1 and boxes[1].width() * 2 >= face.width():
        raise Unusable("two faces", f"{where}: {len(boxes)} faces found; crop the frames to one person")
    return Box(face.left(), face.top(), face.width(), face.height())


def crop_box(box: Box, margin: float, width: int, height: int) -> Box:
    """``box`` widened by ``margin`` box sides on every side, cut to a frame of ``width`` x ``height``."""
    left, top = round(box.x - margin * box.width), round(box.y - margin * box.height)
    right, bottom = round(box.x + (1 + margin) * box.width), round(box.y + (1 + margin) * box.height)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    return Box(left, top, right - left, bottom - top)


def crops_or_reason(
    sequence: Sequence, files: Callable[[Sequence], list[Path]], options: Ingest
) -> tuple[dict[str, Any], list[bytes]] | Unusable:
    """``face_crops`` of a sequence whose frames ``files`` lists, or the reason why it cannot be used."""
    try:
        return face_crops(files(sequence), options)
    except Unusable as why:
        return why


def face_crops(files: list[Path], options: Ingest) -> tuple[dict[str, Any], list[bytes]]:
    """One sequence's geometry (the SEQUENCES columns image_*, box_* and crop_*) and its crops as PNG bytes.

    The face is found once, in the first frame, so that the detector's own jitter never moves the crop.
    Raises Unusable; see ``read_grey`` and ``find_face``.
    """
    first = read_grey(files[0])
    height, width = first.shape
    box = find_face(first, options.upsample, files[0])
    crop = crop_box(box, options.margin, width, height)
    pngs = []
    for file in files:
        frame = first if file == files[0] else read_grey(file, (width, height))
        pngs.append(images.encode(frame[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]))
    geometry = {"image_width": width, "image_height": height}
    for name, rectangle in (("box", box), ("crop", crop)):
        geometry |= {f"{name}_{key}": value for key, value in rectangle._asdict().items()}
    return geometry, pngs


@cache
def _detector() -> Any:
    return dlib.get_frontal_face_detector()
