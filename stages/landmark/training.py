"""What the active appearance model of a fold is fitted on: shipped points of everybody who is not tested in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from stages.landmark import aam, shipped
from stages.tables import images, parquet
from stages.tables.box import Box
from stages.tables.errors import Unusable, UserError
from stages.tables.schema import FRAMES

SEQUENCES = 200
"""At most this many sequences, spread over the people, give three faces each: neutral, half-way and apex."""


def model(fold: int, sequences: pd.DataFrame, path: Path, root: Path) -> aam.AAM:
    """The model for the people tested in ``fold``, who took no part in it.

    ``path`` holds the frames of ``sequences`` and ``root``/Landmarks their points.

    Raises UserError when too few other people have points to learn from.
    """
    number = parquet.index(path, FRAMES)
    others = sequences[(sequences["fold"] != fold) & sequences["sequence"].isin(list(number))]
    chosen = others.iloc[np.unique(np.linspace(0, len(others) - 1, SEQUENCES).astype(int))] if len(others) else others
    frames: list[np.ndarray] = []
    points: list[np.ndarray] = []
    boxes: list[Box] = []
    for row in chosen.itertuples():
        name, corner = str(row.sequence), np.array([row.crop_x, row.crop_y], np.float32)
        try:
            given = shipped.read(root, name, int(row.frames)) - corner
        except Unusable:
            continue
        crops = parquet.read_sequence(path, FRAMES, number[name])["png"].iloc[[0, len(given) // 2, -1]]
        frames.extend(images.decode(crops, f"{path}: {name}"))
        points += [given[0], given[len(given) // 2], given[-1]]
        boxes += [Box(row.box_x - corner[0], row.box_y - corner[1], row.box_width, row.box_height)] * 3
    if len(frames) < 15:
        raise UserError(
            f"{root}/Landmarks: has points for {len(frames) // 3} sequences outside fold {fold}, an active appearance"
            " model needs 5; restore the folder or set landmark.method to dlib-flow in params.yaml"
        )
    return aam.fit(frames, np.stack(points), boxes)
