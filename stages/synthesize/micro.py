"""One micro sequence: read one sequence's first frames, densify them, encode them again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from stages.synthesize.interpolators import choose
from stages.synthesize.recursion import Interpolator, densify
from stages.tables import images, parquet
from stages.tables.errors import Unusable, UserError
from stages.tables.schema import FRAMES


def synthesize(
    item: tuple[int, str], path: str, originals: int, levels: int, interpolator: tuple[str, str, str]
) -> list[dict[str, Any]] | Unusable:
    """The rows for micro.parquet of one sequence, or why it cannot be used.

    ``item`` is the sequence's number in the frames table at ``path`` and its name; ``interpolator`` holds the arguments
    of ``choose``. Raises UserError when the frames table does not match the sequences table.
    """
    number, sequence = item
    table = parquet.read_sequence(path, FRAMES, number)
    if (table["sequence"] != sequence).any():
        raise UserError(f"{path}: sequence {number} is not {sequence}; run the stage that writes it again")
    pngs = table.sort_values("frame")["png"][:originals]
    if len(pngs) == 2 < originals:  # a filmed clip of one step, which is its own micro sequence
        gaps = (originals - 1) << levels
        if gaps & (gaps - 1):
            reason = f"{path}: {sequence} has two frames, from which halving cannot reach protocol.frames: {gaps + 1}"
            return Unusable("too short", f"{reason}; choose 9 or 17 for it")
        levels = gaps.bit_length() - 1
    elif len(pngs) < originals:
        reason = f"{path}: {sequence} has {len(pngs)} frames and protocol.originals asks for {originals}"
        return Unusable("too short", reason)
    try:
        frames = images.decode(pngs, f"{path}: {sequence}")
    except UserError as error:
        return Unusable("damaged frame", str(error))
    dense = densify(frames, _interpolator(*interpolator), levels)
    return [{"sequence": sequence, "frame": n, "png": images.encode(image)} for n, image in enumerate(dense, 1)]


@lru_cache(maxsize=1)
def _interpolator(name: str, weights: str, device: str) -> Interpolator:
    """One interpolator per worker process: setting one up may cost more than using it."""
    return choose(name, weights, device)
