"""One micro sequence: read one sequence's first frames, densify them, encode them again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from stages.synthesize.interpolators import choose
from stages.synthesize.recursion import Interpolator, densify
from stages.tables import images, parquet
from stages.tables.room import RoomError
from stages.tables.schema import FRAMES

Rows = list[dict[str, Any]]


def synthesize(
    item: tuple[int, str], path: str, originals: int, levels: int, interpolator: tuple[str, str, str]
) -> tuple[Rows, Rows]:
    """Sequence ``number`` of the frames table, for ``item`` = (number, sequence), made into a micro sequence.

    ``interpolator`` holds the arguments of ``choose``.
    Returns rows for micro.parquet and for the rejected table; one of the two lists is empty.
    Raises RoomError when the frames table does not match the sequences table.
    """
    number, sequence = item
    table = parquet.read_sequence(path, FRAMES, number)
    if (table["sequence"] != sequence).any():
        raise RoomError(f"{path}: sequence {number} is not {sequence}; run the stage that writes it again")
    pngs = table.sort_values("frame")["png"][:originals]
    if len(pngs) < originals:
        reason = f"{path}: {sequence} has {len(pngs)} frames and synthesize.originals asks for {originals}"
        return [], [_rejected(sequence, "too short", reason)]
    try:
        frames = images.decode(pngs, f"{path}: {sequence}")
    except RoomError as error:
        return [], [_rejected(sequence, "damaged frame", str(error))]
    dense = densify(frames, _interpolator(*interpolator), levels)
    return [
        {"sequence": sequence, "frame": number, "png": images.encode(image)} for number, image in enumerate(dense, 1)
    ], []


def _rejected(sequence: str, code: str, reason: str) -> dict[str, str]:
    return {"sequence": sequence, "stage": "synthesize", "code": code, "reason": reason}


@lru_cache(maxsize=1)
def _interpolator(name: str, weights: str, device: str) -> Interpolator:
    """One interpolator per worker process: setting one up may cost more than using it."""
    return choose(name, weights, device)
