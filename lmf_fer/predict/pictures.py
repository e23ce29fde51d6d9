"""A clip with its landmarks and answers: as a video, and as one picture of its frames and LMF maps."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from lmf_fer.predict import clips
from lmf_fer.predict.predictor import SHORTEST, Answer, Measured, Predictor
from stages.ingest.sequence import printable
from stages.landmark.landmarker import FALLBACK
from stages.report.style import render, style
from stages.tables import files
from stages.tables.errors import UserError
from stages.tables.points import POINTS

MARGIN = 230
"""Width of what is written beside the picture, px."""
MOMENTS = 20
"""How often the answer for the clip so far is asked anew: each asks all networks."""
WHITE, GREY, GREEN, ORANGE = (255, 255, 255), (150, 150, 150), (115, 158, 0), (0, 94, 213)
"""Okabe and Ito's palette, as blue, green, red."""


def video(file: Path, clip: Path, measured: Measured, answer: Answer, predictor: Predictor) -> None:
    """Writes the clip with its landmarks and, beside it, the answer for the clip so far.

    Points are orange in frames where they could only be carried over a gap. Raises UserError when it cannot be written.
    """
    count, rate = len(answer.landmarks.points), clips.rate(clip)
    ends = np.unique(np.linspace(SHORTEST, count, min(MOMENTS, count)).round().astype(int))
    with files.atomic(file) as temporary, tempfile.TemporaryDirectory(dir=file.parent) as folder:
        made = Path(folder) / "clip.mp4"  # OpenCV goes by the suffix
        writer = cv2.VideoWriter()
        for frame in drawn(clip, measured, answer, predictor, ends):
            if not writer.isOpened():
                writer.open(str(made), cv2.VideoWriter.fourcc(*"mp4v"), rate, frame.shape[1::-1])
            writer.write(frame)
        writer.release()
        if cv2.VideoCapture(str(made)).get(cv2.CAP_PROP_FRAME_COUNT) != count:  # the writer is silent about a full disk
            raise UserError(f"{file}: could not be written whole; free some space and try again")
        shutil.copyfile(made, temporary)


def drawn(
    clip: Path, measured: Measured, answer: Answer, predictor: Predictor, ends: np.ndarray
) -> Iterator[np.ndarray]:
    """The frames of a clip with landmarks and answers: uint8 BGR (height, width + MARGIN, 3), both even.

    ``ends`` are the numbers of frames, rising, after which the answer for the clip so far is asked for.
    """
    so_far: Answer | None = None
    for number, grey in enumerate(clips.frames(clip), 1):
        if number in ends:
            so_far = answer if number == len(answer.landmarks.points) else predictor.beginning(measured, number)
        height, width = (side + side % 2 for side in grey.shape)
        image = np.zeros((height, width + MARGIN, 3), np.uint8)
        image[: grey.shape[0], : grey.shape[1]] = grey[..., None]
        status = answer.landmarks.status[number - 1]
        radius = max(1, round(width / 400))
        for x, y in answer.landmarks.points[number - 1]:
            colour = ORANGE if status == FALLBACK else GREEN
            cv2.circle(image, (round(float(x)), round(float(y))), radius, colour, -1, cv2.LINE_AA)
        lines = [f"frame {number}: {status}"]
        if so_far is not None:
            size = f"SFEM {so_far.sfem:.3f}"
            if so_far.threshold is not None:
                size += f" {'>' if so_far.sfem > so_far.threshold else '<='} {so_far.threshold:.3f}:"
            lines += [size, f"{so_far.branch} answers"]
        for row, line in enumerate(lines):
            _write(image, line, (width + 8, 22 + 20 * row), WHITE)
        if so_far is not None:
            probability = so_far.probability[so_far.branch]
            for code, emotion in predictor.emotions.items():
                top, share = 76 + 22 * code, float(probability[code - 1])
                cv2.rectangle(image, (width + 96, top - 12), (width + 96 + round(80 * share), top + 2), GREEN, -1)
                _write(image, emotion, (width + 8, top), WHITE if share == probability.max() else GREY)
                _write(image, f"{100 * share:.0f}%", (width + 184, top), GREY)
        yield image


def strip(file: Path, clip: Path, measured: Measured, answer: Answer, predictor: Predictor) -> None:
    """Writes one picture: the frames that LMF compares, with their landmarks, and the maps between them, below."""
    points, count = answer.landmarks.points, predictor.settings.frames
    shown = np.linspace(0, len(points) - 1, count).round().astype(int)
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    margin = 0.15 * (high - low)
    (left, top), (right, bottom) = np.maximum(low - margin, 0).astype(int), (high + margin).astype(int)
    crops = {i: frame[top:bottom, left:right] for i, frame in enumerate(clips.frames(clip)) if i in shown}
    maps = np.frombuffer(measured.lmf["maps"], np.uint8).reshape(-1, POINTS, POINTS)
    probability = answer.probability[answer.branch]
    words = ", ".join(f"{predictor.emotions[i + 1]} {probability[i]:.0%}" for i in np.argsort(-probability)[:3])
    with style():
        figure = Figure((1.25 * count, 3.3))
        upper, lower = figure.subplots(2, count)
        for axes, i in zip(upper, shown, strict=True):
            axes.imshow(crops[i], cmap="gray", vmin=0, vmax=255)
            axes.plot(*(points[i] - (left, top)).T, "o", color="#009E73", markersize=0.8)
            axes.set_title(f"frame {i + 1}")
        for axes, item in zip(lower[1:], maps, strict=True):
            image = axes.imshow(item, cmap="PuOr_r", vmin=0, vmax=254, interpolation="nearest")
        for axes in (*upper, *lower):
            axes.axis("off")
        lower[0].text(1, 0.5, "change of all\ndistances since\nthe frame before", ha="right", va="center", fontsize=7,
                      transform=lower[0].transAxes)  # fmt: skip
        bar = figure.colorbar(image, ax=list(lower), ticks=[0, 127, 254], pad=0.01, aspect=12)
        bar.ax.set_yticklabels(["closer", "same", "farther"])
        size = f"SFEM {answer.sfem:.3f}"
        if answer.threshold is not None:
            size += f", threshold {answer.threshold:.3f}"
        title = f"{printable(clip.name)}: {answer.branch} answers ({size}): {words}"
        figure.suptitle(title, fontsize=9, parse_math=False)
        data = render(figure)["png"]
    files.write(file, data)


def _write(image: np.ndarray, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
