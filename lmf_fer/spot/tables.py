"""What ``lmf-fer spot`` writes: a row for each expression, one for each person in a frame, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lmf_fer.predict.predictor import RUN, Answer, Predictor
from lmf_fer.predict.tables import answers, of_answer
from lmf_fer.spot.events import Event
from stages.tables import files, parquet
from stages.tables.methods import JOINT, LMF_FER
from stages.tables.points import POINTS
from stages.tables.schema import Column, Table

_FILM = Column("video", pa.string(), "the film's path")
_PERSON = Column("person", pa.int32(), "number of a person in the film", low=1)
FRAMES = Table("spot_frames", "one person in one frame", (
    _FILM, _PERSON,
    Column("frame", pa.int32(), "number of the frame", low=1),
    Column("time", pa.float64(), "its time", "s", low=0),
    Column("status", pa.string(), "how the points were found: 'detected' or 'carried'"),
    Column("size", pa.float64(), "size of the expression", "outer eye distances", low=0),
    Column("yaw", pa.float64(), "turn of the head against its neutral", "degrees"),
    Column("pitch", pa.float64(), "likewise, up or down", "degrees"),
    Column("event", pa.int32(), "the expression that the frame belongs to, 0 for none", low=0),
    Column("x", pa.list_(pa.float32(), POINTS), "horizontal position", "px"),
    Column("y", pa.list_(pa.float32(), POINTS), "vertical position", "px"),
))  # fmt: skip
REJECTED = Table("spot_rejected", "one film that could not be used, or only in part", (
    _FILM,
    Column("code", pa.string(), "the kind of reason"),
    Column("reason", pa.string(), "what was wrong, where"),
))  # fmt: skip


GROUP = 2**20
"""Bytes of a row group of frames, uncompressed: memory does not grow for the many minutes that fill a large one."""


def events(predictor: Predictor) -> Table:
    """The table of events, with the predictor's methods and emotions."""
    places = [(name, unit) for name in ("onset", "apex", "offset") for unit in ("frame", "s")]
    size = "as in frames of the training data's size" if predictor.source == RUN else "in px of the film"
    return Table("spot_events", "one expression", (
        _FILM, _PERSON,
        Column("event", pa.int32(), "its number in the film, by when it was known", low=1),
        *(Column(name, pa.int32(), f"frame of the {name}", low=1) if unit == "frame"
          else Column(f"{name}_time", pa.float64(), f"time of the {name}", "s", low=0) for name, unit in places),
        Column("duration", pa.float64(), "from onset to offset", "s", low=0),
        Column("kind", pa.string(), "micro (at most 0.5 s) or macro"),
        Column("size", pa.float64(), "size at the apex", "outer eye distances", low=0),
        Column("speech", pa.float64(), "syllables of the lips, where little else moves", "1/s", low=0),
        Column("sfem", pa.float64(), f"SFEM from onset to apex, {size}", "1/px", low=0),
        Column("networks", pa.string(), "whose networks answered: the last run's or the shipped ones"),
        *answers(predictor),
    ))  # fmt: skip


def row(name: str, number: int, event: Event, answer: Answer, predictor: Predictor) -> dict[str, Any]:
    """The row of an event."""
    row: dict[str, Any] = {"video": name, "person": event.person, "event": number}
    for place in ("onset", "apex", "offset"):
        row |= {place: getattr(event, place), f"{place}_time": getattr(event, f"{place}_time")}
    row |= {"duration": event.duration, "kind": event.kind, "size": event.size, "speech": event.speech}
    return row | {"sfem": answer.sfem, "networks": predictor.source} | of_answer(answer, predictor)


def sentence(row: dict[str, Any]) -> str:
    """An event in a line."""
    method = JOINT if f"{JOINT} says" in row else LMF_FER
    says = row[f"{method} says"]
    when = f"{row['onset_time']:.2f} to {row['offset_time']:.2f} s, highest at {row['apex_time']:.2f} s"
    return f"person {row['person']}, {when}: {row['kind']}, {says} {row[f'{method} {says}']:.0%}"


def join(parts: Sequence[Path], out: Path, table: Table) -> None:
    """One table of many, as Parquet and, without the points, as CSV; a few rows at a time."""
    plain = [name for name in table.schema.names if name not in ("x", "y")]
    with parquet.Writer(out, table) as writer, files.atomic(out.with_suffix(".csv")) as text:
        pd.DataFrame(columns=plain).to_csv(text, index=False)
        for part in parts:
            for batch in pq.ParquetFile(part).iter_batches(4096):
                rows = batch.to_pandas()
                writer.write(rows)
                rows[plain].to_csv(text, index=False, header=False, mode="a", float_format="%.6g")
