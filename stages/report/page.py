"""The page: everything that is said in words and tables, rendered by page.html."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.report.captions import Caption
from stages.report.charts import METHODS, SETS
from stages.report.run import Run
from stages.report.times import rows as times


@dataclass(frozen=True)
class Picture:
    """A figure as it is embedded: what is said about it, and its bytes in the format that the caption names."""

    caption: Caption
    data: bytes

    @property
    def address(self) -> str:
        mime = {"png": "image/png", "svg": "image/svg+xml"}[self.caption.kind]
        return f"data:{mime};base64,{base64.b64encode(self.data).decode()}"


def render(run: Run, pictures: Mapping[str, Picture], machine: Mapping[str, str], versions: Mapping[str, str]) -> str:
    """The page as HTML, with all styles and pictures inside."""
    folder = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
                         trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    folder.filters |= {"percent": percent, "p": probability, "points": points, "duration": duration}
    rows = run.table.astype(object).where(run.table.notna(), None).to_dict("records")
    everybody = list(dict.fromkeys(run.table["method"]))
    return folder.get_template("page.html").render(
        cells={(row["method"], row["set"]): row for row in rows},
        methods=METHODS,
        more=[method for method in everybody if method not in METHODS],
        all=everybody,
        sets=SETS,
        statistics=run.statistics,
        data=run.statistics["dataset"],
        rejected=run.rejected.to_dict("records"),
        landmarks=tracking(run.landmarks).to_dict("records"),
        values=run.params,
        params=flat(run.params),
        machine=machine,
        versions=versions,
        times=times(run.stages, run.times),
        measured=run.measured,
        pictures=pictures,
    )


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


def flat(section: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested parameters as (dotted name, value) pairs."""
    pairs: list[tuple[str, str]] = []
    for name, value in section.items():
        if isinstance(value, Mapping):
            pairs += flat(value, f"{prefix}{name}.")
        else:
            text = (
                ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
            )
            pairs.append((prefix + name, text))
    return pairs
