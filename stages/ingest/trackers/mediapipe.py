"""MediaPipe's face landmarker: 478 points (or 468, without the irises), of which 68 are used.

MediaPipe writes no file itself. The form here has a line a frame,

    frame, width, height, x_0, ... x_467, y_0, ... y_467 (and on to 477)

with x and y as MediaPipe gives them, shares of the picture's width and height, and these two in px.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from stages.ingest.trackers import table

MESH = 468
COLUMNS = ("frame", "width", "height", *table.names(MESH))
IBUG = (
    *(127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356),  # jaw
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),  # brows
    *(168, 197, 5, 4, 98, 97, 2, 326, 327),  # nose
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91),  # outer lips
    *(78, 82, 13, 312, 308, 317, 14, 87),  # inner lips
)
"""MediaPipe's number of each of iBUG's 68 points.

From the contours of MediaPipe's own face_mesh_connections.py (oval, brows, eyes, lips) and the ridge of the nose. Which
point of a contour it is follows public tables (Yan, github.com/PeizhiYan/Mediapipe_2_Dlib_Landmarks, for jaw and
brows), here the same left and right. The oval ends where the skin does, not at dlib's jaw, so SFEM is a little smaller.
"""


def points(rows: pd.DataFrame, file: Path) -> np.ndarray:
    """(frames, 68, 2), px. Where MediaPipe had no face, its line is empty; raises Unusable then."""
    size = np.stack([table.number(rows, column) for column in ("width", "height")], axis=1)[:, None]
    values = table.coordinates(rows, MESH)[:, list(IBUG)] * np.where(size > 0, size, np.nan)
    table.lost(file, table.number(rows, "frame")[np.isnan(values).any(axis=2).all(axis=1)])
    return values
