"""One page a film: its expressions over time, and each with faces, LMF map and probabilities."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
import pyarrow.parquet as pq
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lmf_fer.predict.predictor import Answer, Predictor
from lmf_fer.spot.album import Picture
from lmf_fer.spot.events import Event
from stages.featurize.sequence import motion
from stages.tables.methods import JOINT, LMF_FER
from stages.tables.points import POINTS

COLOURS = ("#D55E00", "#CC79A7", "#009E73", "#56B4E9", "#E69F00", "#0072B2", "#F0E442")
"""Okabe and Ito's, by the emotion's code."""
BINS, HIGH, MOST = 900, 90, 0.08
"""Points of a curve, its height in px, and the size that is never drawn smaller, in outer eye distances."""
AWAY = 0.3
"""Time without a face after which its curve is broken, s."""


def brief(row: dict[str, Any], predictor: Predictor) -> dict[str, Any]:
    """A row of the table of events, and its likeliest emotion with share and colour."""
    method = JOINT if f"{JOINT} says" in row else LMF_FER
    says = row[f"{method} says"]
    code = next(code for code, emotion in predictor.emotions.items() if emotion == says)
    return {**row, "says": says, "share": float(row[f"{method} {says}"]), "colour": COLOURS[(code - 1) % len(COLOURS)]}


def shown(row: dict[str, Any], event: Event, answer: Answer, pictures: Sequence[Picture], predictor: Predictor) -> Any:
    """What the page shows of an event: faces at onset, apex and offset, its map, and all probabilities."""
    faces = {p.frame: p for p in pictures if p.frame in (event.onset, event.apex, event.offset)}
    return brief(row, predictor) | {
        "faces": [(place, row[place], row[f"{place}_time"],
                   _address("jpeg", faces[row[place]].drawn()) if row[place] in faces else None)
                  for place in ("onset", "apex", "offset")],
        "map": _address("png", _map(event.points, predictor)),
        "methods": {method: {emotion: float(shares[code - 1]) for code, emotion in predictor.emotions.items()}
                    for method, shares in answer.probability.items()},
    }  # fmt: skip


class Kept:
    """What the page shows of each event, in a file: the pictures of an hour would take more memory than all else."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, event: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(event, default=lambda value: value.item()) + "\n")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if self.path.is_file():
            with self.path.open(encoding="utf-8") as file:
                yield from map(json.loads, file)


def curves(frames: Path) -> tuple[float, dict[int, np.ndarray]]:
    """From a table of frames the film's last second, and a curve for each person: (points, 2) of time and size."""
    file = pq.ParquetFile(frames)
    columns, end = ["person", "time", "size"], 0.0
    for batch in file.iter_batches(8192, columns=["time"]):
        end = max(end, float(batch["time"].to_numpy().max()))
    courses: dict[int, np.ndarray] = {}
    for batch in file.iter_batches(8192, columns=columns):
        for (person,), rows in batch.to_pandas().groupby(["person"]):
            course = courses.setdefault(int(person), np.full(BINS, -1.0))
            np.maximum.at(course, (rows["time"] / max(end, 1e-9) * (BINS - 1)).round().astype(int), rows["size"])
    time = np.linspace(0, end, BINS)
    return end, {person: np.column_stack([time, course])[course >= 0] for person, course in sorted(courses.items())}


def highest(courses: dict[int, np.ndarray]) -> float:
    """The size at the upper edge of a drawing of the curves."""
    return max([MOST, *(float(course[:, 1].max()) for course in courses.values())])


def render(
    name: str, answer: str, frames: Path, events: Iterable[dict[str, Any]], notes: Sequence[str], source: str
) -> Iterator[str]:
    """The page as HTML, with all styles and pictures inside, in parts: the whole of an hour is large.

    ``events`` are of ``shown``, and are gone through twice.
    """
    bars = [{key: value for key, value in event.items() if key not in ("faces", "map", "methods")} for event in events]
    end, courses = curves(frames)
    top = highest(courses)
    lines = {person: _line(course, end, top) for person, course in courses.items()}
    step = next((s for s in (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600) if end / s <= 10), 7200)
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    environment.filters |= {"clock": clock}
    return environment.get_template("page.html").generate(
        name=name, answer=answer, end=end, top=top, lines=lines, bars=bars, events=events, notes=notes, source=source,
        width=BINS, high=HIGH, ticks=[step * k for k in range(int(end / step) + 1)],
        legend={bar["says"]: bar["colour"] for bar in bars},
    )  # fmt: skip


def clock(seconds: float, digits: int = 2) -> str:
    """Seconds as one reads a player's clock: 1:03.25."""
    minutes, rest = divmod(round(seconds, digits), 60)
    return f"{int(minutes)}:{rest:0{3 + digits if digits else 2}.{digits}f}"


def _line(course: np.ndarray, end: float, top: float) -> str:
    """A curve as an SVG path, broken where the person is away."""
    step, path, before = end / (BINS - 1), "", -np.inf
    for time, size in course:
        x, y = time / max(end, 1e-9) * BINS, HIGH * (1 - size / top)
        path += f"{'L' if time - before < max(2.5 * step, AWAY) else 'M'}{x:.0f} {y:.1f}"
        before = time
    return path


def _map(points: np.ndarray, predictor: Predictor) -> bytes:
    """The LMF map from the first to the last of landmarks (n, 68, 2), PNG."""
    row = motion(points[[0, -1]], predictor.settings.featurize.eps, 2)
    grey = np.frombuffer(row["maps"], np.uint8).reshape(-1, POINTS, POINTS)[0]
    image = (matplotlib.colormaps["PuOr_r"](grey / 254.0)[:, :, 2::-1] * 255).round().astype(np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


def _address(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
