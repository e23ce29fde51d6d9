"""One Parquet file of all sequences, a row a frame, as a table of this project's own kind.

sequence  string      the sequence's name; without a column ``subject``, also the subject's
subject   string      optional
emotion   int         CK+'s code, 1 to 7
set       string      optional: general (else assumed), or micro, where that was recorded or made elsewhere
frame     int         rising
x, y      68 floats   each a list, px
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stages.ingest.trackers import table
from stages.tables.errors import Unusable, UserError
from stages.tables.points import POINTS
from stages.tables.schema import GENERAL, MICRO

COLUMNS = ("sequence", "emotion", "frame", "x", "y")


class Rows(NamedTuple):
    """The rows of one sequence, as they stand in the file."""

    sequence: str
    subject: str
    emotions: list[object]
    rows: pd.DataFrame


def sequences(file: Path) -> Iterator[Rows]:
    """Every sequence of the file, by name. Raises UserError when it is no such file."""
    try:
        names = pq.read_schema(file).names
        if lacking := [name for name in COLUMNS if name not in names]:
            raise ValueError(f"it lacks {', '.join(lacking)}")
        known = [name for name in (*COLUMNS, "subject", "set") if name in names]
        frame = pq.read_table(file, columns=known, page_checksum_verification=True).to_pandas()
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or ["it cannot be read"])[0][:200]
        raise UserError(f"{file}: is no Parquet file of tracks ({reason}); it needs {', '.join(COLUMNS)}") from None
    frame = frame.assign(set=frame.get("set", GENERAL), subject=frame.get("subject", frame["sequence"]))
    for sequence, rows in frame.astype({"sequence": str, "subject": str}).groupby("sequence"):
        subjects = rows["subject"].unique()
        if len(subjects) > 1:
            raise UserError(f"{file}: sequence {sequence} is of {len(subjects)} subjects; a sequence is of one person")
        yield Rows(str(sequence), subjects[0], list(rows["emotion"].unique()), rows[["set", "frame", "x", "y"]])


def points(rows: pd.DataFrame, where: str) -> dict[str, np.ndarray]:
    """The points of each set, (frames, 68, 2), px. Raises Unusable for another set or another number of points."""
    if unknown := set(rows["set"]) - {GENERAL, MICRO}:
        raise Unusable("unknown set", f"{where}: is of the set {sorted(map(str, unknown))[0]!r}; use general or micro")
    result = {}
    for name, group in rows.groupby("set"):
        table.in_order(f"{where}, {name}", pd.to_numeric(group["frame"], errors="coerce"))
        try:
            pairs = [[np.asarray(value, float).reshape(POINTS) for value in group[axis]] for axis in ("x", "y")]
        except (ValueError, TypeError):
            raise Unusable("missing points", f"{where}, {name}: a frame has no {POINTS} values of x and y") from None
        result[str(name)] = np.stack([np.stack(pair) for pair in pairs], axis=-1)
    return result
