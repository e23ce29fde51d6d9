"""``lmf-fer spot``: films -> a folder for each with its events and frames, and the tables of all of them."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import cv2
import pandas as pd
import pyarrow as pa

from flows import parameters
from lmf_fer.predict.predictor import Predictor
from lmf_fer.spot import films
from lmf_fer.spot.events import Event
from lmf_fer.spot.spotter import Spotter
from stages.ingest.sequence import printable
from stages.tables import files, params, parquet
from stages.tables.errors import Unusable, UserError
from stages.tables.methods import LMF_FER
from stages.tables.points import POINTS
from stages.tables.schema import Column, Table
from stages.tables.stage import progress

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
    Column("x", pa.list_(pa.float32(), POINTS), "horizontal position", "px"),
    Column("y", pa.list_(pa.float32(), POINTS), "vertical position", "px"),
))  # fmt: skip
REJECTED = Table("spot_rejected", "one film that could not be used, or only in part", (
    _FILM,
    Column("code", pa.string(), "the kind of reason"),
    Column("reason", pa.string(), "what was wrong, where"),
))  # fmt: skip


def events_table(predictor: Predictor) -> Table:
    """The table of events, with the predictor's emotions."""
    places = [(name, unit) for name in ("onset", "apex", "offset") for unit in ("frame", "s")]
    return Table("spot_events", "one expression", (
        _FILM, _PERSON,
        *(Column(name, pa.int32(), f"frame of the {name}", low=1) if unit == "frame"
          else Column(f"{name}_time", pa.float64(), f"time of the {name}", "s", low=0) for name, unit in places),
        Column("duration", pa.float64(), "from onset to offset", "s", low=0),
        Column("kind", pa.string(), "micro (at most 0.5 s) or macro"),
        Column("size", pa.float64(), "size at the apex", "outer eye distances", low=0),
        Column("speech", pa.float64(), "swings of the lips, where little else moves", "1/s", low=0),
        Column("sfem", pa.float64(), "SFEM from onset to apex, in px of the film", "1/px", low=0),
        Column("LMF-FER says", pa.string(), "the likeliest emotion"),
        *(Column(f"{LMF_FER} {emotion}", pa.float32(), f"probability of {emotion}", low=0, high=1.001)
          for emotion in predictor.emotions.values()),
    ))  # fmt: skip


def spot(paths: list[Path], out: Path, networks: Literal["auto", "run", "shipped"], rate: float) -> None:
    """Writes events, frames and rejected of all films in and below ``paths`` to ``out``.

    A film that was finished before with the same parameters is not done again. Raises UserError when none can be used.
    """
    parameters.check()
    predictor = Predictor.load(networks=networks)
    cv2.setNumThreads(1)
    everything = films.find(paths)
    table, folders, usable = events_table(predictor), [], 0
    for path in everything:
        folder = out / "films" / _name(path, predictor, rate)
        if not (folder / "done.json").is_file():
            _one(path, folder, predictor, table, rate)
        told = json.loads((folder / "done.json").read_text())
        folders.append(folder)
        usable += told["frames"] > 0
        name = printable(str(path))
        print(f"{name}: {told['answer']}", file=sys.stdout if told["frames"] else sys.stderr)
    for kind, schema in {"events": table, "frames": FRAMES, "rejected": REJECTED}.items():
        with parquet.Writer(out / f"{kind}.parquet", schema) as writer, files.atomic(out / f"{kind}.csv") as text:
            plain = [c for c in schema.schema.names if c not in ("x", "y")]
            pd.DataFrame(columns=plain).to_csv(text, index=False)
            for folder in folders:
                rows = parquet.read(folder / f"{kind}.parquet", schema)
                writer.write(rows)
                rows[plain].to_csv(text, index=False, header=False, mode="a", float_format="%.6g")
    if not usable:
        raise UserError(f"none of {len(everything)} films can be used; {out}/rejected.csv gives the reasons")
    print(f"spot: {usable} of {len(everything)} films -> {out}/events.csv, frames.csv, rejected.csv")


def _name(path: Path, predictor: Predictor, rate: float) -> str:
    """The name of a film's folder: another file, parameter or network gives another."""
    about = [str(path.resolve()), predictor.source, str(rate), json.dumps(params.values(), default=str)]
    inside = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
    states = [(file.name, file.stat()) for file in inside if file.exists()]
    about += [f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states]
    return hashlib.sha256("\n".join(about).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _one(path: Path, folder: Path, predictor: Predictor, table: Table, rate: float) -> None:
    """One film into ``folder``, which is there only when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    film, spotter, name = films.Film(path, rate), Spotter(predictor.settings.landmark), printable(str(path))
    events: list[Event] = []
    rejected: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as work:
        made = Path(work) / "film"
        with parquet.Writer(made / "frames.parquet", FRAMES) as frames:
            try:
                for frame in progress(film, printable(path.name), total=film.length):
                    events += spotter(frame.time, frame.grey)
                    frames.write([
                        {"video": name, "person": person, "frame": moment.frame, "time": moment.time, "status": status,
                         "size": moment.size, "yaw": moment.turn[0], "pitch": moment.turn[1],
                         "x": moment.points[:, 0], "y": moment.points[:, 1]}
                        for person, (moment, status) in spotter.moments.items()
                    ])  # fmt: skip
                rejected += [{"video": name, "code": "marked", "reason": f"{name}: {mark}"} for mark in film.marks]
            except Unusable as why:
                rejected.append({"video": name, "code": why.code, "reason": printable(str(why))})
        events += spotter.close()
        events.sort(key=lambda event: (event.onset, event.person))
        if spotter.frame and not frames.rows:
            rejected.append({"video": name, "code": "no face", "reason": f"{name}: shows no frontal face"})
        parquet.write(made / "events.parquet", table, [_row(name, event, predictor) for event in events])
        parquet.write(made / "rejected.parquet", REJECTED, rejected)
        counts = f"{len(events)} expressions" if len(events) != 1 else "1 expression"
        answer = counts if events else "no expression" if frames.rows else "not used"
        notes = "".join(f"; {row['reason'].removeprefix(f'{name}: ')}" for row in rejected)
        files.write(made / "done.json", json.dumps({"frames": frames.rows, "answer": answer + notes}))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _row(name: str, event: Event, predictor: Predictor) -> dict[str, Any]:
    probability, sfem = predictor.recognise(event.points)
    row: dict[str, Any] = {"video": name, "person": event.person}
    for place in ("onset", "apex", "offset"):
        row |= {place: getattr(event, place), f"{place}_time": getattr(event, f"{place}_time")}
    row |= {"duration": event.duration, "kind": event.kind, "size": event.size, "speech": event.speech, "sfem": sfem}
    row["LMF-FER says"] = predictor.emotions[int(probability.argmax()) + 1]
    return row | {f"{LMF_FER} {e}": probability[code - 1] for code, e in predictor.emotions.items()}
