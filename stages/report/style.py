"""One look for all figures, and how they become the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from stages.tables.methods import METHODS
from stages.tables.schema import GENERAL, MICRO

WIDTH = 6.4
"""Width of a figure in inches: a page's column in print, and still legible when a phone scales it down."""

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
COLOURS = dict(zip(METHODS, (BLUE, ORANGE, GREEN), strict=True))
MARKERS = dict(zip(METHODS, "os^", strict=True))
RECORDINGS = {GENERAL: "#56B4E9", MICRO: "#E69F00"}
"""Okabe and Ito's palette, which the colour-blind can tell apart; markers and hatches repeat what colours say."""
MIXED = "mixed"
SETS = (*RECORDINGS, MIXED)

_RULES: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "lmf-fer",
    "svg.fonttype": "path",
}


@contextmanager
def style() -> Iterator[None]:
    """Figures drawn and rendered inside the block have this look."""
    with matplotlib.rc_context(_RULES):
        yield


def render(figure: Figure) -> dict[str, bytes]:
    """The figure as 'png' (150 dpi) and 'svg', without a date or a version: equal figures give equal bytes."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out above, once for both
    return {
        kind: _bytes(figure, kind, nothing) for kind, nothing in (("png", ["Software"]), ("svg", ["Date", "Creator"]))
    }


def _bytes(figure: Figure, kind: str, nothing: list[str]) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150, metadata=dict.fromkeys(nothing))
    return buffer.getvalue()
