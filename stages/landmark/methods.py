"""The landmarkers by their names in params.yaml. A new one is a file of its own and an entry here.

The files are imported when a landmarker is made: params.py and the command line read only the names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.landmark import shipped

if TYPE_CHECKING:
    import pandas as pd

    from stages.landmark.landmarker import Detector, Landmarker


@dataclass(frozen=True)
class Method:
    """How landmarks come about: by a ``landmarker``, made from the settings and a model, or as the data set's own.

    ``fit(fold, sequences=, frames=, root=)`` makes the landmarker's model for the people tested in a fold, from all
    sequences, the table of their frames and the data set's folder; without it, the model is None. ``shipped(root,
    sequence, frames)`` reads the data set's own points: float32 (frames, 68, 2) in native px; it may raise Unusable.
    """

    landmarker: Callable[[Any, Any], Landmarker] | None = None
    fit: Callable[..., Any] | None = None
    shipped: Callable[[Path, str, int], np.ndarray] | None = None

    @property
    def any_video(self) -> bool:
        """Whether it needs nothing but frames, so that it works beyond the data set."""
        return self.landmarker is not None and self.fit is None


def _every_frame(settings: Any, model: Detector | None) -> Landmarker:
    from stages.landmark.landmarker import EveryFrame

    return EveryFrame(model or _dlib(settings))


def _carried(settings: Any, model: Detector | None) -> Landmarker:
    from stages.landmark.flow import Carried

    return Carried(model or _dlib(settings), settings)


def _dlib(settings: Any) -> Detector:
    from stages.landmark.detection import Dlib

    return Dlib(settings.upscale)


def _appearance(fold: int, sequences: pd.DataFrame, frames: Path, root: Path) -> Detector:
    from stages.landmark.training import model

    return model(fold, sequences, frames, root)


METHODS = {
    "dlib-flow": Method(_carried),
    "dlib": Method(_every_frame),
    "aam-flow": Method(_carried, fit=_appearance),
    "aam": Method(_every_frame, fit=_appearance),
    "ckplus": Method(shipped=shipped.read),
}
