"""What the methods say of a clip, with the networks of the default run.

    predictor = Predictor.load()                # from the root of the repository, after make reproduce
    answer = predictor(frames)                  # uint8 (frames, height, width), or (frames, height, width, 3) as BGR
    answer.probability["Joint framework"]       # float32 (7,): anger, contempt, disgust, fear, happy, sadness, surprise
    predictor.emotions                          # their names by code, from 1; of other data sets than CK+, three

A clip is one expression, from neutral to its height, as in CK+. Every fold's network answers and their probabilities
are averaged (ours): no network is better than another, and a stranger's face was in the training of none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from stages.evaluate import gate
from stages.evaluate.poster import DTAGN, JOINT, LMF_FER
from stages.featurize.sequence import Options, features, motion
from stages.ingest.faces import crop_box, find_face
from stages.ingest.sequence import Unusable
from stages.landmark.detection import Dlib
from stages.landmark.flow import Carried
from stages.landmark.landmarker import EveryFrame, Landmarks
from stages.landmark.landmarker import Unusable as NoLandmarks
from stages.landmark.presence import with_gaps
from stages.tables import parquet, room
from stages.tables.datasets import DATASETS
from stages.tables.schema import GENERAL, POINTS, SEQUENCES

METHODS = (LMF_FER, DTAGN, JOINT)
SHORTEST, LONGEST = 3, 600
"""Fewest and most frames of a clip: the method compares three; landmarks of more take too much memory."""


@dataclass(frozen=True)
class Settings:
    """The lines of params.yaml that a clip passes."""

    ingest: dict[str, Any]
    landmark: dict[str, Any]
    options: Options

    @classmethod
    def read(cls) -> Settings:
        options = Options(frames=room.params("protocol")["frames"], **room.params("featurize"))
        return cls(room.params("ingest"), room.params("landmark"), options)


@dataclass(frozen=True)
class Measured:
    """A clip without its pictures: the feature tables' rows, the landmarks, in px of the clip, and the face's width."""

    lmf: dict[str, Any]
    dtagn: dict[str, Any]
    landmarks: Landmarks
    face: int


@dataclass(frozen=True)
class Answer:
    """What is said of a clip.

    ``probability`` has float32 (emotions,) for each of METHODS; ``sfem`` is the size of the expression as the training
    data's frames would show it, 1/px; ``branch`` is the method that the gate took, since ``sfem`` is above
    ``threshold`` or not; ``landmarks`` holds points (frames, 68, 2), status and jitter of every frame.
    """

    probability: dict[str, np.ndarray]
    sfem: float
    threshold: float
    branch: str
    landmarks: Landmarks


def measure(frames: Iterable[np.ndarray], settings: Settings, where: Path) -> Measured:
    """Face, landmarks and features of a clip: ``frames`` are uint8 grey (height, width), taken one at a time.

    The rooms' own functions, so that a clip passes what a sequence of CK+ does. Raises Unusable, with ``where`` in the
    reason: no face, two faces, fewer than three frames or more than 600, a face that is lost.
    """
    cv2.setNumThreads(1)  # the same result on every machine; clips run side by side
    stream = iter(frames)
    start = []
    for frame in stream:
        start.append(frame)
        if len(start) == SHORTEST:
            break
    if len(start) < SHORTEST:
        raise Unusable("frames", f"{where}: has {len(start)} of the three frames that the method needs at least")
    height, width = start[0].shape
    box = find_face(start[0], settings.ingest["upsample"], where)
    crop = crop_box(box, settings.ingest["margin"], width, height)
    crops: list[np.ndarray] = []
    for frame in chain(start, stream):
        if len(crops) == LONGEST:
            raise Unusable("frames", f"{where}: more than {LONGEST} frames; cut it to one expression")
        crops.append(frame[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width].copy())
    stack, chosen = np.stack(crops), settings.landmark
    detect = Dlib(chosen["enlarge"])
    if chosen["method"] == "dlib":
        landmarker: Any = EveryFrame(detect)
    else:  # an AAM's points and CK+'s own exist for the data set only
        landmarker = Carried.chosen(detect, chosen)
    try:
        found = with_gaps(landmarker, stack, (box.x - crop.x, box.y - crop.y, box.width, box.height))
    except NoLandmarks as why:
        raise Unusable(why.code, f"{where}: {why.reason}") from None
    points = found.points + np.array([crop.x, crop.y], np.float32)
    row = {"sequence": str(where), "subject": "", "emotion": 0, "fold": -1, "crop_x": crop.x, "crop_y": crop.y}
    try:
        maps, faces = features(row, GENERAL, stack, points, settings.options)
    except ValueError as why:
        raise Unusable("landmarks", f"{where}: {why}") from None
    return Measured(maps, faces, Landmarks(points, found.status, found.jitter), box.width)


@dataclass(frozen=True)
class Predictor:
    """The networks of every fold, the gate, and the width of a face in the data that they were trained on, px."""

    settings: Settings
    networks: dict[str, list[Any]]
    threshold: float
    face: float
    emotions: dict[int, str]

    @classmethod
    def load(cls, root: Path | str = ".") -> Predictor:
        """What the run in ``root`` trained, by the params.yaml of the current folder.

        Raises RoomError when there is no finished run, or when it was trained with other parameters.
        """
        from stages.predict import networks  # torch takes long to import

        results = Path(root) / "results"
        boxes = parquet.read(Path(root) / "data/interim/sequences.parquet", SEQUENCES, ["box_width"])
        return cls(Settings.read(), networks.load(results / "models"), _threshold(results / "statistics.json"),
                   float(boxes["box_width"].median()), DATASETS[room.params("dataset")["name"]].emotions)  # fmt: skip

    def __call__(self, frames: np.ndarray, where: Path | str = "the clip") -> Answer:
        """The answer for a clip, uint8 (frames, height, width) grey or (frames, height, width, 3) BGR.

        Raises Unusable, as ``measure`` does, and ValueError for an array of another kind.
        """
        if frames.dtype != np.uint8 or frames.ndim not in (3, 4) or (frames.ndim == 4 and frames.shape[3] != 3):
            raise ValueError(f"a clip is uint8 (frames, height, width) or (..., 3), not {frames.dtype} {frames.shape}")
        grey = frames if frames.ndim == 3 else (cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames)
        return self.answer(measure(grey, self.settings, Path(where)))

    def answer(self, clip: Measured) -> Answer:
        """The answer for a clip that was measured."""
        said = {
            LMF_FER: self._mean("lmf", LMF_FER, clip.lmf),
            DTAGN: self._mean("dtagn", DTAGN, clip.dtagn),
        }
        # SFEM has the unit 1/px: a face of twice the width halves it. The gate knows faces of the training data's size.
        sfem = clip.lmf["sfem"] * clip.face / self.face
        branch = str(gate.choose(sfem, self.threshold, DTAGN, LMF_FER))
        return Answer(said | {JOINT: said[branch]}, sfem, self.threshold, branch, clip.landmarks)

    def beginning(self, clip: Measured, frames: int) -> Answer:
        """The answer had the clip ended after so many ``frames``, three at least."""
        points = np.frombuffer(clip.lmf["points"], np.float32).reshape(-1, POINTS, 2)[:frames]
        faces = clip.dtagn["faces"][: frames * self.settings.options.dtagn_size**2]
        found = clip.landmarks
        part = Landmarks(found.points[:frames], found.status[:frames], found.jitter[:frames])
        moved = motion(points, self.settings.options)
        return self.answer(Measured(clip.lmf | moved, clip.dtagn | {"faces": faces, "points": moved["points"]},
                                    part, clip.face))  # fmt: skip

    def _mean(self, model: str, method: str, row: dict[str, Any]) -> np.ndarray:
        from stages.predict.networks import MODELS  # torch takes long to import

        predict = MODELS[model].predict
        rows = pd.DataFrame([row])
        said = np.mean([predict(network, rows)[method].numpy()[0] for network in self.networks[model]], axis=0)
        known = said[: len(self.emotions)]  # networks have room for seven
        return known if len(known) == len(said) else known / known.sum()


def _threshold(file: Path) -> float:
    """The gate of the folds together: the geometric mean, since each is one (see evaluate)."""
    try:
        limits = [float(limit) for limit in json.loads(file.read_text())["gate"]["thresholds"].values()]
        return math.exp(sum(map(math.log, limits)) / len(limits))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise room.RoomError(f"{file}: holds no thresholds of the gate ({error}); run make reproduce first") from None
