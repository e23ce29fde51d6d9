"""What the CSV files of all trackers share: a line a frame, and columns of coordinates."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from stages.tables.errors import Unusable

LARGEST = 200_000_000
"""A larger file is no track of one expression, bytes."""


def read(file: Path) -> pd.DataFrame:
    """The lines of a CSV file, with the spaces around the names of columns removed. Raises Unusable."""
    try:
        if not file.is_file() or file.stat().st_size > LARGEST:
            raise ValueError("it is no ordinary file of a track's size")
        rows = pd.read_csv(file, skipinitialspace=True, low_memory=False)
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or ["it cannot be read"])[0][:200]
        raise Unusable("unreadable", f"{file}: is no readable CSV file ({reason}); write it again") from None
    return rows.rename(columns=lambda name: str(name).strip())


def names(points: int) -> list[str]:
    """The columns of coordinates: x_0, x_1 ... y_0, y_1 ..."""
    return [f"{axis}_{number}" for axis in "xy" for number in range(points)]


def number(rows: pd.DataFrame, column: str) -> pd.Series:
    """A column as float64; what is no number becomes NaN."""
    return pd.to_numeric(rows[column], errors="coerce").astype(float)


def coordinates(rows: pd.DataFrame, points: int) -> np.ndarray:
    """The columns of coordinates as float64 (frames, points, 2); what is no number becomes NaN."""
    values = np.stack([number(rows, column) for column in names(points)], axis=1)
    return values.reshape(len(rows), 2, points).transpose(0, 2, 1)


def lost(where: Path | str, frames: Iterable[float]) -> None:
    """Raises Unusable when there are ``frames``, by their numbers, in which the tracker had no face."""
    if numbers := [f"{frame:g}" for frame in frames]:
        listed = ", ".join(numbers[:5]) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
        raise Unusable("lost face", f"{where}: the tracker had no face in frame {listed}; cut them off, or track again")


def in_order(where: Path | str, frames: pd.Series) -> None:
    """Raises Unusable unless the numbers of the frames rise in even steps."""
    steps = frames.astype(float).diff().to_numpy()[1:]
    if frames.isna().any():
        raise Unusable("frames", f"{where}: a line has no frame number; every frame needs one")
    if (steps == 0).any() or frames.duplicated().any():
        twice = frames[frames.duplicated()].iloc[0]
        raise Unusable("doubled frame", f"{where}: frame {twice:g} is there twice (two faces?); keep one line of it")
    if (steps < 0).any():
        late = frames.iloc[int(np.argmax(steps < 0)) + 1]
        raise Unusable("order", f"{where}: frame {late:g} comes after a later one; sort its lines by frame")
    if len(set(steps)) > 1:
        before = frames.iloc[int(np.argmax(steps > steps.min()))]
        raise Unusable("frames", f"{where}: frames are missing after {before:g}; track it again, or cut it there")
