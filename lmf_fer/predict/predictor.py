"""What the methods say of a clip, with the networks of the last run or with the one that is shipped.

    predictor = Predictor.load()                # from the root of the repository
    answer = predictor(frames)                  # uint8 (frames, height, width), or (frames, height, width, 3) as BGR
    answer.probability[answer.branch]           # float32 (7,): anger, contempt, disgust, fear, happy, sadness, surprise
    predictor.emotions                          # their names by code, from 1; of other data sets than CK+, three

A clip is one expression, from neutral to its height, as in CK+. Every fold's network answers and their probabilities
are averaged (ours): no network is better than another, and a stranger's face was in the training of none. The shipped
network (networks/README.md) is LMF-FER's alone, so then there is neither DTAGN nor a gate.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd

from stages.evaluate import gate
from stages.featurize.params import Featurize
from stages.featurize.sequence import features, motion
from stages.ingest.faces import crop_box, find_face
from stages.ingest.params import Ingest
from stages.landmark import methods
from stages.landmark.landmarker import Landmarks
from stages.landmark.params import Landmark
from stages.landmark.presence import with_gaps
from stages.tables import machine, params, parquet
from stages.tables.errors import Unusable, UserError
from stages.tables.methods import DTAGN, JOINT, LMF_FER
from stages.tables.points import POINTS
from stages.tables.schema import CLASSES, EMOTIONS, GENERAL, SEQUENCES

METHODS = (LMF_FER, DTAGN, JOINT)
NETWORKS = {LMF_FER: "lmf", DTAGN: "dtagn"}
"""The model that answers for a method."""
AUTO, RUN, SHIPPED = "auto", "run", "shipped"
"""Which networks answer: those of the last run, if it is finished, else the shipped one; or always one of both."""
NETWORK = Path(__file__).parents[2] / "networks/lmf.safetensors"
SHORTEST, LONGEST = 3, 600
"""Fewest and most frames of a clip: the method compares three; landmarks of more take too much memory."""


@dataclass(frozen=True)
class Settings:
    """The lines of params.yaml that a clip passes; ``frames`` is the number of them that LMF sees."""

    ingest: Ingest
    landmark: Landmark
    featurize: Featurize
    frames: int

    @classmethod
    def read(cls) -> Settings:
        """Raises UserError for landmarks that exist for the data set only."""
        landmark = params.read(Landmark)
        if not methods.METHODS[landmark.method].any_video:
            others = " or ".join(name for name, method in methods.METHODS.items() if method.any_video)
            raise UserError(f"params.yaml: landmark.method is '{landmark.method}', whose points exist for the data set"
                            f" only and for no clip; set it to {others} and run make reproduce first")  # fmt: skip
        return cls(params.read(Ingest), landmark, params.read(Featurize), params.line("protocol.frames", params.Frames))


@dataclass(frozen=True)
class Measured:
    """A clip without its pictures: the feature tables' rows, the landmarks, in px of the clip, and the face's width."""

    lmf: dict[str, Any]
    dtagn: dict[str, Any]
    landmarks: Landmarks
    face: int


@dataclass(frozen=True)
class Answer:
    """What the methods say of a clip.

    ``probability`` has float32 (emotions,) for each of METHODS; ``sfem`` is the size of the expression as the training
    data's frames would show it, 1/px; ``branch`` is the method that the gate took, since ``sfem`` is above
    ``threshold`` or not; ``landmarks`` holds points (frames, 68, 2), status and jitter of every frame. The shipped
    network answers for LMF-FER only, without a threshold, and ``sfem`` is in px of the clip.
    """

    probability: dict[str, np.ndarray]
    sfem: float
    threshold: float | None
    branch: str
    landmarks: Landmarks


def measure(frames: Iterable[np.ndarray], settings: Settings, where: Path) -> Measured:
    """Face, landmarks and features of a clip: ``frames`` are uint8 grey (height, width), taken one at a time.

    The stages' own functions, so that a clip passes what a sequence of CK+ does. Raises Unusable, with ``where`` in the
    reason: no face, two faces, fewer than three frames or more than 600, a face that is lost.
    """
    stream = iter(frames)
    start = [frame for _, frame in zip(range(SHORTEST), stream)]  # noqa: B905
    if len(start) < SHORTEST:
        raise Unusable("frames", f"{where}: has {len(start)} of the three frames that the method needs at least")
    height, width = start[0].shape
    box = find_face(start[0], settings.ingest.upsample, where)
    crop = crop_box(box, settings.ingest.margin, width, height)
    crops: list[np.ndarray] = []
    for frame in chain(start, stream):
        if len(crops) == LONGEST:
            raise Unusable("frames", f"{where}: more than {LONGEST} frames; cut it to one expression")
        crops.append(frame[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width].copy())
    stack = np.stack(crops)
    make = methods.METHODS[settings.landmark.method].landmarker
    assert make is not None, "Settings.read takes no other"
    try:
        inside = with_gaps(make(settings.landmark, None), stack, box._replace(x=box.x - crop.x, y=box.y - crop.y))
    except Unusable as why:
        raise Unusable(why.code, f"{where}: {why.reason}") from None
    points = inside.points + np.array([crop.x, crop.y], np.float32)
    row = {"sequence": str(where), "subject": "", "emotion": 0, "fold": -1, "crop_x": crop.x, "crop_y": crop.y}
    try:
        lmf, dtagn = features(row, GENERAL, stack, points, settings.featurize, settings.frames)
    except ValueError as why:
        raise Unusable("landmarks", f"{where}: {why}") from None
    return Measured(lmf, dtagn, Landmarks(points, inside.status, inside.jitter), box.width)


@dataclass(frozen=True)
class Predictor:
    """The networks of every fold, the gate, and the width of a face in the data that they were trained on, px.

    With the shipped network there is neither a gate nor such a width. ``source`` is RUN or SHIPPED.
    """

    settings: Settings
    networks: dict[str, list[Any]]
    threshold: float | None
    face: float | None
    emotions: dict[int, str]
    source: str

    @classmethod
    def load(cls, root: Path | str = ".", networks: Literal["auto", "run", "shipped"] = "auto") -> Predictor:
        """What the run in ``root`` trained, or the shipped network, by the params.yaml of the current folder.

        Raises UserError when there is no finished run, or when networks cannot be read.
        """
        settings, interim, results = Settings.read(), Path(root) / "data/interim", Path(root) / "results"
        if networks == SHIPPED or (networks == AUTO and not (results / "statistics.json").is_file()):
            return cls(settings, {NETWORKS[LMF_FER]: [_shipped()]}, None, None, dict(EMOTIONS), SHIPPED)
        boxes = parquet.read(interim / "sequences.parquet", SEQUENCES, ["box_width"])
        classes = parquet.read(interim / "classes.parquet", CLASSES, ["emotion", "label"])
        trained = {model: _networks(results / "models", model, settings.featurize) for model in NETWORKS.values()}
        return cls(settings, trained, _threshold(results / "statistics.json"), float(boxes["box_width"].median()),
                   dict(zip(classes["emotion"], classes["label"], strict=True)), RUN)  # fmt: skip

    @property
    def methods(self) -> tuple[str, ...]:
        """Those of METHODS that answer."""
        return METHODS if self.source == RUN else (LMF_FER,)

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
        probability = {LMF_FER: self._mean(LMF_FER, clip.lmf)}
        if self.threshold is None or self.face is None:
            return Answer(probability, clip.lmf["sfem"], None, LMF_FER, clip.landmarks)
        probability[DTAGN] = self._mean(DTAGN, clip.dtagn)
        # SFEM has the unit 1/px: a face of twice the width halves it. The gate knows faces of the training data's size.
        sfem = clip.lmf["sfem"] * clip.face / self.face
        branch = str(gate.choose(sfem, self.threshold, DTAGN, LMF_FER))
        return Answer(probability | {JOINT: probability[branch]}, sfem, self.threshold, branch, clip.landmarks)

    def recognise(self, points: np.ndarray) -> tuple[np.ndarray, float]:
        """What LMF-FER says of landmarks (frames, 68, 2), in px, from onset to apex: (emotions,), and their SFEM."""
        row = motion(points, self.settings.featurize.eps, self.settings.frames)
        return self._mean(LMF_FER, row), row["sfem"]

    def beginning(self, clip: Measured, frames: int) -> Answer:
        """The answer had the clip ended after so many ``frames``, three at least."""
        whole, size = clip.landmarks, self.settings.featurize.face_size
        points = np.frombuffer(clip.lmf["points"], np.float32).reshape(-1, POINTS, 2)[:frames]
        moved = motion(points, self.settings.featurize.eps, self.settings.frames)
        faces = {"faces": clip.dtagn["faces"][: frames * size**2], "points": moved["points"]}
        landmarks = Landmarks(whole.points[:frames], whole.status[:frames], whole.jitter[:frames])
        return self.answer(Measured(clip.lmf | moved, clip.dtagn | faces, landmarks, clip.face))

    def _mean(self, method: str, row: dict[str, Any]) -> np.ndarray:
        from stages.train import models  # torch takes long to import

        predict, rows = models.load(NETWORKS[method]).predict, pd.DataFrame([row])
        mean = np.mean([predict(network, rows)[method][0] for network in self.networks[NETWORKS[method]]], axis=0)
        known = mean[: len(self.emotions)]  # networks know seven
        return known if len(known) == len(mean) else known / known.sum()


def _shipped() -> Any:
    """The shipped network. Raises UserError when it is missing or damaged."""
    import torch  # takes long

    from stages.train import weights

    torch.set_num_threads(params.line("train.threads", int))
    network = weights.load(NETWORK).network
    assert network is not None
    return network.to(machine.device())


def _networks(folder: Path, model: str, settings: Featurize) -> list[Any]:
    """A model's networks, one for each fold that had subjects, as their files describe them.

    Raises UserError when there is none, or when a file is damaged, of another model, or of faces of another size.
    """
    import torch  # takes long

    from stages.train import weights

    torch.set_num_threads(params.line("train.threads", params.Count))
    networks: list[Any] = []
    for fold in params.line("protocol.folds", params.Folds):
        file = folder / f"{model}-{fold}.safetensors"
        content = weights.load(file)
        if content.model != model:
            raise UserError(f"{file}: holds weights of {content.model} instead of {model}; run dvc checkout --force")
        networks += [content.network] if content.network is not None else []
    if not networks:
        raise UserError(f"{folder}: holds no network of {model}; run make reproduce first")
    size = networks[0].sizes.get("size", settings.face_size)
    if size != settings.face_size:
        raise UserError(f"{folder}: {model} was trained on faces of {size} px, and featurize.face_size is"
                        f" {settings.face_size}; run make reproduce first")  # fmt: skip
    return [network.to(machine.device()) for network in networks]


def _threshold(file: Path) -> float:
    """The gate of the folds together: the geometric mean, since each is one (see evaluate)."""
    try:
        limits = [float(limit) for limit in json.loads(file.read_text(encoding="utf-8"))["gate"]["thresholds"].values()]
        return math.exp(sum(map(math.log, limits)) / len(limits))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise UserError(f"{file}: holds no thresholds of the gate ({error}); run make reproduce first") from None
