"""The annotated film: everybody's landmarks, the expression under way, and where in the film it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq

from lmf_fer.spot import page
from lmf_fer.spot.films import Film
from stages.tables.errors import UserError

LARGEST, BELOW = 1280, 64
"""Longest side of the picture and height of the timeline beneath it, px."""
WHITE, GREY, GREEN = (255, 255, 255), (150, 150, 150), (115, 158, 0)


def video(file: Path, film: Film, frames: Path, events: Sequence[Any], total: int) -> None:
    """Writes ``film`` (read a second time) with what the table of ``frames`` and the ``events`` of its page say.

    ``total`` is its number of frames. Raises UserError when it cannot be written.
    """
    end, courses = page.curves(frames)
    current = _by_frame(frames)
    held = next(current, (total + 1, []))
    writer, strip = cv2.VideoWriter(), None
    for frame in film:
        people: list[Any] = []
        if held[0] == frame.number:
            people, held = held[1], next(current, (total + 1, []))
        shrink = min(1.0, LARGEST / max(frame.grey.shape))
        width, height = (2 * max(1, round(shrink * side / 2)) for side in frame.grey.shape[::-1])
        if strip is None:
            size = width, height
            strip = _strip(width, end, courses, events)
            writer.open(str(file), cv2.VideoWriter.fourcc(*"mp4v"), max(1.0, (total - 1) / max(end, 1e-3)),
                        (width, height + BELOW))  # fmt: skip
        image = cv2.cvtColor(cv2.resize(frame.grey, size, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)
        _draw(image, people, events, np.array(size) / frame.grey.shape[::-1])
        below = strip.copy()
        x = round(frame.time / max(end, 1e-9) * (width - 1))
        cv2.line(below, (x, 0), (x, BELOW), WHITE, 1)
        writer.write(np.concatenate([image, below]))
        if frame.number == total:
            break
    writer.release()
    if cv2.VideoCapture(str(file)).get(cv2.CAP_PROP_FRAME_COUNT) != total:  # the writer is silent about a full disk
        raise UserError(f"{file}: could not be written whole; free some space and try again")


def _by_frame(frames: Path) -> Iterator[tuple[int, list[Any]]]:
    """The rows of a table of frames, frame by frame."""
    number = 0
    people: list[Any] = []
    for batch in pq.ParquetFile(frames).iter_batches(1024, columns=["person", "frame", "event", "x", "y"]):
        for row in batch.to_pylist():
            if row["frame"] != number:
                if people:
                    yield number, people
                number, people = row["frame"], []
            people.append(row)
    if people:
        yield number, people


def _draw(image: np.ndarray, people: Sequence[Any], events: Sequence[Any], scale: np.ndarray) -> None:
    radius = max(1, round(image.shape[1] / 500))
    for row in people:
        points = np.column_stack([row["x"], row["y"]]) * scale
        for x, y in points.round().astype(int).tolist():
            cv2.circle(image, (x, y), radius, GREEN, -1, cv2.LINE_AA)
        event = events[row["event"] - 1] if row["event"] else None
        text = f"{row['person']}" + (f": {event['says']} {event['share']:.0%} ({event['kind']})" if event else "")
        size = max(0.5, image.shape[1] / 1600)
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        (x, y), (_, below) = points.min(axis=0), points.max(axis=0)
        x, y = round(float(x)), round(float(y - 0.6 * (below - y)))  # above the hair
        x, y = int(np.clip(x, 8, max(8, image.shape[1] - width - 6))), max(y, height + 6)
        cv2.rectangle(image, (x - 3, y - height - 4), (x + width + 3, y + 5), (0, 0, 0), -1)
        if event:
            cv2.rectangle(image, (x - 8, y - height - 4), (x - 3, y + 5), _bgr(event["colour"]), -1)
        cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, WHITE if event else GREY, 1, cv2.LINE_AA)


def _bgr(colour: str) -> tuple[int, int, int]:
    """From "#rrggbb"."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return blue, green, red


def _strip(width: int, end: float, courses: dict[int, np.ndarray], events: Sequence[Any]) -> np.ndarray:
    """The timeline, uint8 BGR (BELOW, width, 3)."""
    strip = np.full((BELOW, width, 3), 40, np.uint8)
    across = (width - 1) / max(end, 1e-9)
    for event in events:
        left, right = (round(event[f"{place}_time"] * across) for place in ("onset", "offset"))
        cv2.rectangle(strip, (left, 0), (max(right, left + 2), BELOW), _bgr(event["colour"]), -1)
    top = page.highest(courses)
    for course in courses.values():
        line = np.column_stack([course[:, 0] * across, (BELOW - 4) * (1 - course[:, 1] / top) + 2])
        cv2.polylines(strip, [line.round().astype(np.int32)], False, WHITE, 1, cv2.LINE_AA)
    for text, place in (("0:00", 3), (page.clock(end, 0), width - 9 * len(page.clock(end, 0)))):
        cv2.putText(strip, text, (place, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, GREY, 1, cv2.LINE_AA)
    return strip
