"""One micro sequence: read one sequence's first frames, densify them, encode them again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from stages.synthesize.interpolators import choose
from stages.synthesize.recursion import Interpolator, densify
from stages.tables import parquet
from stages.tables.room import RoomError
from stages.tables.schema import FRAMES

Rows = list[dict[str, Any]]


def synthesize(item: tuple[int, str], path: str, originals: int, levels: int, interpolator: str) -> tuple[Rows, Rows]:
    """Row group ``index`` of the frames table, for ``item`` = (index, sequence), made into a micro sequence.

    Returns rows for micro.parquet and for the rejected table; one of the two lists is empty.
    Raises RoomError when the frames table does not match the sequences table.
    """
    index, sequence = item
    table = parquet.read_group(path, FRAMES, index)
    if (table["sequence"] != sequence).any():
        raise RoomError(f"{path}: row group {index} is not sequence {sequence}; run the stage that writes it again")
    try:
        frames = decode(list(table.sort_values("frame")["png"][:originals]), originals)
    except ValueError as error:
        code, reason = error.args
        return [], [{"sequence": sequence, "stage": "synthesize", "code": code, "reason": f"{path}: {reason}"}]
    dense = densify(frames, _interpolator(interpolator), levels)
    return [
        {"sequence": sequence, "frame": number, "png": cv2.imencode(".png", image)[1].tobytes()}
        for number, image in enumerate(dense, start=1)
    ], []


def decode(pictures: list[bytes], wanted: int) -> np.ndarray:
    """PNG bytes -> uint8 (wanted, height, width).

    Raises ValueError(code, reason) when there are too few, one is not a picture, or their sizes differ.
    """
    if len(pictures) < wanted:
        raise ValueError("too short", f"has {len(pictures)} frames and synthesize.originals asks for {wanted}")
    frames = [cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE) for picture in pictures]
    for number, frame in enumerate(frames, start=1):
        if frame is None:
            raise ValueError("damaged frame", f"frame {number} is not a readable PNG; run the stage that wrote it")
        if frame.shape != frames[0].shape:
            raise ValueError("sizes differ", f"frame {number} is {frame.shape}, the first is {frames[0].shape}")
    return np.stack(frames)


@lru_cache(maxsize=1)
def _interpolator(name: str) -> Interpolator:
    """One interpolator per worker process: setting one up may cost more than using it."""
    return choose(name)
