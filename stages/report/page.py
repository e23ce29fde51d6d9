"""The page of results, rendered by page.html, and that of times, by times.html."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, UndefinedError

from stages.report.captions import Caption
from stages.report.run import Run
from stages.report.style import SETS
from stages.report.times import rows as times
from stages.tables import params
from stages.tables.errors import UserError
from stages.tables.methods import METHODS
from stages.tables.stage import TIMES

TIMES_PAGE = TIMES / "times.html"


@dataclass(frozen=True)
class Picture:
    """A figure as it is embedded: its caption, and its bytes in the format that the caption names."""

    caption: Caption
    data: bytes

    @property
    def address(self) -> str:
        mime = {"png": "image/png", "svg": "image/svg+xml"}[self.caption.kind]
        return f"data:{mime};base64,{base64.b64encode(self.data).decode()}"


def render(run: Run, pictures: Mapping[str, Picture]) -> str:
    """The results as HTML, with all styles and pictures inside; the same bytes for the same results.

    Raises UserError when the run lacks what it shows.
    """
    rows = run.table.astype(object).where(run.table.notna(), None).to_dict("records")
    methods = list(dict.fromkeys(run.table["method"]))
    shown = {
        "cells": {(row["method"], row["set"]): row for row in rows},
        "methods": METHODS,
        "more": [method for method in methods if method not in METHODS],
        "all": methods,
        "sets": SETS,
        "statistics": run.statistics,
        "data": run.statistics["dataset"],
        "rejected": run.rejected.to_dict("records"),
        "landmarks": tracking(run.landmarks).to_dict("records"),
        "values": run.params,
        "params": settings(run.params),
        "benchmarks": run.benchmarks,
        "beyond": run.beyond,
        "pictures": pictures,
        "times_page": TIMES_PAGE,
    }
    try:
        return _template("page.html").render(shown)
    except UndefinedError as error:
        raise UserError(f"params.yaml or results/: {error.message}, which the page shows; run dvc repro") from None


def render_times(run: Run, machine: Mapping[str, str], versions: Mapping[str, str]) -> str:
    """What the stages took, with which software and where, as HTML: no two runs are alike."""
    return _template("times.html").render(times=times(run.stages, run.times), machine=machine, versions=versions)


def _template(name: str) -> Template:
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    environment.filters |= {"percent": percent, "number": format, "p": probability}
    environment.filters |= {"points": points, "duration": duration}
    environment.globals["layout"] = environment.get_template("layout.html")
    return environment.get_template(name)


def tracking(landmarks: pd.DataFrame) -> pd.DataFrame:
    """One row per recording from the landmark table's columns set, status and jitter."""
    rows = []
    for name, group in landmarks.groupby("set"):
        ways = ", ".join(f"{count} {status}" for status, count in group["status"].value_counts().sort_index().items())
        rows.append({"set": name, "frames": len(group), "jitter": group["jitter"].median(), "status": ways})
    return pd.DataFrame(rows)


def percent(share: float, digits: int = 2) -> str:
    """A share as a percentage with its sign."""
    return f"{100 * share:.{digits}f}%"


def points(difference: float) -> str:
    """The difference of two shares in percentage points, with its sign; none is never "-0.0"."""
    return f"{round(100 * difference, 1) + 0.0:+.1f} points"


def duration(seconds: float) -> str:
    """Seconds as one reads a clock: 4.2 s, 3 min 07 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def probability(p: float) -> str:
    """A p value, never as zero."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def settings(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Nested parameters as (dotted name, value) pairs."""
    return [
        (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in params.flat(values).items()
    ]
