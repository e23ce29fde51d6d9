"""OpenFace 2: a CSV file of FeatureExtraction or FaceLandmarkVidMulti, with its 2D landmarks (option -2Dfp).

    frame, face_id, timestamp, confidence, success, ... x_0, ... x_67, y_0, ... y_67

Its 68 points are iBUG's, in px. https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from stages.ingest.trackers import table
from stages.tables.errors import Unusable
from stages.tables.points import POINTS

COLUMNS = ("frame", "confidence", "success", *table.names(POINTS))


def points(rows: pd.DataFrame, file: Path) -> np.ndarray:
    """(frames, 68, 2), px. Raises Unusable for a second face and for frames without one."""
    if "face_id" in rows and rows["face_id"].nunique() > 1:
        raise Unusable("two faces", f"{file}: holds {rows['face_id'].nunique()} faces; keep the lines of one face_id")
    sure = (table.number(rows, "confidence") > 0) & (table.number(rows, "success") > 0)
    table.lost(file, table.number(rows, "frame")[~sure])
    return table.coordinates(rows, POINTS)
