"""The figures that show data: LMF maps and faces with their landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from stages.report.style import ORANGE, RECORDINGS, WIDTH
from stages.tables.points import CHIN, GROUPS, JAW
from stages.tables.schema import GENERAL, MICRO

COLUMNS = 4
"""Pairs of maps side by side."""


@dataclass(frozen=True)
class Example:
    """One sequence, both of its recordings.

    Maps are uint8 (8, 68, 68); SFEM in 1/px; landmarks (frames, 68, 2) in px relative to the stored crop; faces are
    the crops of the general recording, uint8 (frames, height, width), empty where they may not be shown.
    """

    sequence: str
    emotion: str
    maps: dict[str, np.ndarray]
    sfem: dict[str, float]
    landmarks: dict[str, np.ndarray]
    faces: list[np.ndarray]


def reading(example: Example) -> Figure:
    """How to read a map: the landmarks' groups and their way in one step, and the map of that step beside them."""
    figure = Figure((WIDTH, 3.1))
    left, right = figure.subplots(1, 2)
    maps, points = example.maps[GENERAL], example.landmarks[GENERAL]
    _face(left, None, points[0], points[-1])
    for name, group in GROUPS.items():
        own = points[-1, group]
        if group == JAW:
            left.annotate(name, points[-1, CHIN], (0, -5), textcoords="offset points", ha="center", va="top")
        else:
            left.annotate(name, own[own[:, 0].argmax()], (4, 0), textcoords="offset points", va="center")
    image = _map(right, maps[len(maps) // 2])
    for group in list(GROUPS.values())[1:]:
        right.axhline(group.start - 0.5, color="black", linewidth=0.6)
        right.axvline(group.start - 0.5, color="black", linewidth=0.6)
    middles = [(group.start + group.stop - 1) / 2 for group in GROUPS.values()]
    right.set_xticks(middles, GROUPS, rotation=45, ha="right", rotation_mode="anchor")
    right.set_yticks(middles, GROUPS)
    right.tick_params(length=0)
    _legend(figure, image, [right])
    return figure


def emotions(examples: list[Example]) -> Figure:
    """One LMF map of a typical sequence per emotion, general above and micro below: the step halfway."""
    return _pairs([(example.emotion, {name: maps[len(maps) // 2] for name, maps in example.maps.items()})
                   for example in examples])  # fmt: skip


def sequence(example: Example) -> Figure:
    """All maps of one sequence in order of time, general above and micro below."""
    steps = range(len(example.maps[GENERAL]))
    return _pairs([(f"frame {i + 1} to {i + 2}", {name: maps[i] for name, maps in example.maps.items()})
                   for i in steps])  # fmt: skip


def _pairs(columns: list[tuple[str, dict[str, np.ndarray]]]) -> Figure:
    """Titled pairs of a general and a micro map, one above the other, four pairs side by side."""
    bands = -(-len(columns) // COLUMNS)
    figure = Figure((WIDTH, 2.9 * bands))
    grid = figure.subplots(2 * bands, COLUMNS, squeeze=False)
    for position, (title, maps) in enumerate(columns):
        band, column = divmod(position, COLUMNS)
        for row, name in enumerate(RECORDINGS):
            axes = grid[2 * band + row, column]
            image = _map(axes, maps[name])
            if column == 0:
                axes.set_ylabel(name)
        grid[2 * band, column].set_title(title)
    for empty in range(len(columns), bands * COLUMNS):
        band, column = divmod(empty, COLUMNS)
        for axes in grid[2 * band : 2 * band + 2, column]:
            axes.axis("off")
    _legend(figure, image, grid.ravel().tolist())
    return figure


def faces(examples: list[Example]) -> Figure:
    """First frame, end of the micro recording (frame 3) and last frame, with how far each landmark has moved."""
    figure = Figure((WIDTH, 2.5 * len(examples)))
    for row, example in zip(figure.subplots(len(examples), 3, squeeze=False), examples, strict=True):
        general, micro = example.landmarks[GENERAL], example.landmarks[MICRO]
        shown = [(general[0], general[0], 0), (micro[0], micro[-1], 2), (general[0], general[-1], len(general) - 1)]
        for axes, (start, end, frame) in zip(row, shown, strict=True):
            _face(axes, example.faces[frame] if example.faces else None, start, end)
        row[0].set_title("first frame\n")
        row[1].set_title(f"micro, to frame 3\nSFEM {example.sfem[MICRO]:.3f}")
        row[2].set_title(f"general, to frame {len(general)}\nSFEM {example.sfem[GENERAL]:.3f}")
        row[0].set_ylabel(example.emotion)
    return figure


def _face(axes: Axes, face: np.ndarray | None, start: np.ndarray, end: np.ndarray) -> None:
    if face is not None:
        axes.imshow(face, cmap="gray", vmin=0, vmax=255)
    else:
        axes.set_aspect("equal")
        axes.yaxis.set_inverted(True)
    axes.plot(*np.stack([start, end]).transpose(2, 0, 1), color="#777777" if face is None else "#F0E442", linewidth=1)
    axes.plot(*end.T, "o", color=ORANGE, markersize=1.6)
    _bare(axes)


def _map(axes: Axes, item: np.ndarray) -> AxesImage:
    image = axes.imshow(item, cmap="PuOr_r", vmin=0, vmax=254, interpolation="nearest")
    _bare(axes)
    return image


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _legend(figure: Figure, image: AxesImage, axes: list[Axes]) -> None:
    bar = figure.colorbar(image, ax=axes, shrink=0.9, ticks=[0, 127, 254], pad=0.02, aspect=30)
    bar.ax.set_yticklabels(["0 closer", "127 same", "255 farther"])
    bar.outline.set_visible(False)
