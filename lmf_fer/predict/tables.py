"""What ``lmf-fer predict`` writes: a row for each clip, one for each frame, and the clips set aside."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
import pyarrow as pa

from lmf_fer.predict.predictor import RUN, Answer, Predictor
from stages.tables import files, parquet
from stages.tables.schema import LANDMARKS, Column, Table

_CLIP = Column("clip", pa.string(), "folder of frames or video file")
FRAMES = Table(
    "clip_frames",
    "68 landmarks of one frame of a clip",
    (_CLIP, *(column for column in LANDMARKS.columns if column.name not in ("sequence", "set"))),
)
REJECTED = Table(
    "clip_rejected",
    "one clip that could not be used",
    (_CLIP, Column("code", pa.string(), "the kind of reason"), Column("reason", pa.string(), "what was wrong, where")),
)  # fmt: skip


def clips(predictor: Predictor) -> Table:
    """The table of clips, with columns for what each method says, and for the gate where there is one."""
    size = "as in frames of the training data's size" if predictor.source == RUN else "in px of the clip"
    gate = (
        Column("threshold", pa.float64(), "the gate: a larger expression goes to DTAGN", "1/px", low=0),
        Column("branch", pa.string(), "the method that the joint framework took"),
    )
    return Table(
        "clips",
        "one clip and what each method says of it",
        (
            _CLIP,
            Column("frames", pa.int32(), "number of frames", low=3),
            Column("networks", pa.string(), "whose networks answered: the last run's or the shipped ones"),
            Column("sfem", pa.float64(), f"size of the expression, {size}", "1/px", low=0),
            *(gate if predictor.source == RUN else ()),
            *answers(predictor),
        ),
    )  # fmt: skip


def answers(predictor: Predictor) -> list[Column]:
    """The columns of what each method says."""
    methods, emotions = predictor.methods, predictor.emotions.values()
    says = [Column(f"{method} says", pa.string(), f"the likeliest emotion by {method}") for method in methods]
    return says + [
        Column(f"{method} {emotion}", pa.float32(), f"probability of {emotion} by {method}", low=0, high=1.001)
        for method in methods
        for emotion in emotions
    ]


def of_answer(answer: Answer, predictor: Predictor) -> dict[str, Any]:
    """An answer's values of the columns of ``answers``."""
    row: dict[str, Any] = {}
    for method, probability in answer.probability.items():
        row[f"{method} says"] = predictor.emotions[int(probability.argmax()) + 1]
        row |= {f"{method} {emotion}": probability[code - 1] for code, emotion in predictor.emotions.items()}
    return row


class Writer:
    """The three tables in a folder, as Parquet while clips come in and, without the points, as CSV at the end."""

    def __init__(self, folder: Path, predictor: Predictor) -> None:
        self.folder, self.predictor = folder, predictor
        self.kinds = {"clips": clips(predictor), "frames": FRAMES, "rejected": REJECTED}

    def __enter__(self) -> Writer:
        self._stack = ExitStack()
        self.tables = {name: self._stack.enter_context(parquet.Writer(self.folder / f"{name}.parquet", table))
                       for name, table in self.kinds.items()}  # fmt: skip
        return self

    def write(self, clip: str, answer: Answer) -> None:
        landmarks = answer.landmarks
        row: dict[str, Any] = {"clip": clip, "frames": len(landmarks.points), "networks": self.predictor.source}
        row |= {"sfem": answer.sfem}
        if answer.threshold is not None:
            row |= {"threshold": answer.threshold, "branch": answer.branch}
        row |= of_answer(answer, self.predictor)
        self.tables["clips"].write([row])
        self.tables["frames"].write([
            {"clip": clip, "frame": number, "x": points[:, 0], "y": points[:, 1], "status": status, "jitter": jitter}
            for number, (points, status, jitter) in enumerate(
                zip(landmarks.points, landmarks.status, landmarks.jitter, strict=True), 1)
        ])  # fmt: skip

    def reject(self, clip: str, code: str, reason: str) -> None:
        self.tables["rejected"].write([{"clip": clip, "code": code, "reason": reason}])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, tb)
        if kind is None:
            for name, table in self.kinds.items():
                plain = replace(table, columns=tuple(c for c in table.columns if c.name not in ("x", "y")))
                rows: pd.DataFrame = parquet.read(self.folder / f"{name}.parquet", table, plain.schema.names)
                with files.atomic(self.folder / f"{name}.csv") as file:
                    rows.to_csv(file, index=False, float_format="%.6g")
