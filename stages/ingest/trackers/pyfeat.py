"""py-feat: the Fex table of a Detector as CSV.

    FaceRectX, ..., FaceScore, x_0, ... x_67, y_0, ... y_67, ..., input, frame

A line is a face, so a frame with two faces has two lines. Its 68 points are iBUG's, in px. https://py-feat.org
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from stages.ingest.trackers import table
from stages.tables.points import POINTS

COLUMNS = ("frame", "FaceScore", *table.names(POINTS))


def points(rows: pd.DataFrame, file: Path) -> np.ndarray:
    """(frames, 68, 2), px. Raises Unusable for frames without a face."""
    table.lost(file, table.number(rows, "frame")[~(table.number(rows, "FaceScore") > 0)])
    return table.coordinates(rows, POINTS)
