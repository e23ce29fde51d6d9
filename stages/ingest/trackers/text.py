"""A folder of text files, as CK+ ships its landmarks: one a frame, in the order of their names, of 68 lines "x y"."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.ingest.sequence import visible
from stages.tables.errors import Unusable
from stages.tables.points import POINTS

LARGEST = 100_000
"""A larger file holds more than 68 points, bytes."""


def points(folder: Path) -> np.ndarray:
    """(frames, 68, 2), px. Raises Unusable when a file holds anything else."""
    return np.array([_one(file) for file in sorted(visible(folder)) if file.suffix.lower() == ".txt"])


def _one(file: Path) -> np.ndarray:
    try:
        if not file.is_file() or file.stat().st_size > LARGEST:
            raise ValueError
        return np.array(
            [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()], float
        ).reshape(POINTS, 2)
    except (OSError, ValueError):
        raise Unusable("missing points", f"{file}: does not hold {POINTS} lines of two numbers; restore it") from None
