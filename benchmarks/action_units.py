"""Do the action units move the right points? Each against displacements measured on face scans.

    python -m benchmarks.action_units UNITS.json       # seconds

The reference holds, for each FACS unit, how far each of iBUG's 68 points moves at full activation, in outer eye
distances, y up, the left and the right half of the face separately. It is no part of the project. Writes
action_units.md beside this file: the correlation of x and y over all points, of both halves together and of each alone,
and sizes (root mean square in % of the outer eye distance, project / reference) of all points and of each group.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import common
from stages.simulate import faces
from stages.simulate.assets import Assets, load
from stages.tables import stage
from stages.tables.errors import UserError
from stages.tables.points import EYE_CORNERS, GROUPS, POINTS

REGIONS = {"all": slice(POINTS), **GROUPS}
PEOPLE = 6
"""Neutral faces over which displacements in outer eye distances are averaged."""

SOURCES = {10: (11, 1.0), 23: (28, 0.5), 26: (27, 0.8)}
"""Units that have another number in the reference, and the share of it that is meant: the scans call a raised upper lip
11, lips that tighten roll in half as far as sucked ones (28), and a jaw drops to 0.8 of a stretched mouth (27)."""

SIDES = {"both": (1.0, 1.0), "left": (1.0, 0.0), "right": (0.0, 1.0)}
"""Intensities on the left and right."""


def eye_distance(assets: Assets) -> float:
    """The outer eye distance of the model's people, in its unit of length (harmonic mean: displacements are alike)."""
    distances = []
    for number in range(PEOPLE):
        points = assets.landmarks(faces.person(assets, np.random.default_rng(number)).vertices)[:, :2]
        right, left = points[list(EYE_CORNERS)]
        distances.append(np.linalg.norm(right - left))
    return float(1 / np.mean(1 / np.array(distances)))


def displacement(assets: Assets, unit: int, sides: tuple[float, float]) -> np.ndarray:
    """Displacement (68, 2) of the points by a unit at (left, right) intensity, in the model's unit of length."""
    still = assets.vertices
    return (assets.landmarks(faces.act(assets, still, {unit: sides})) - assets.landmarks(still))[:, :2]


def reference(path: Path) -> dict[int, dict[str, np.ndarray]]:
    """The units' displacements (68, 2) by half, in outer eye distances, under the project's numbers.

    Raises UserError when the file is not of that kind.
    """
    try:
        units = json.loads(path.read_text(encoding="utf-8"))["action_units"]
        scans = {int(u): {s: np.array(halves[s], float)[:, :2] for s in ("left", "right")}
                 for u, halves in units.items()}  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        reason = f"no reference of action units ({error}); see benchmarks/action_units.py"
        raise UserError(f"{path}: {reason}") from None
    named = {unit: SOURCES.get(unit, (unit, 1.0)) for unit in faces.ACTION_UNITS}
    return {u: {s: share * d for s, d in scans[n].items()} for u, (n, share) in named.items() if n in scans}


def size(moves: np.ndarray) -> float:
    return float(100 * np.sqrt((moves**2).sum(axis=1).mean()))


def compare(assets: Assets, halves: dict[str, np.ndarray], unit: int, eyes: float) -> dict[str, str]:
    """One row of the table."""
    own = {side: displacement(assets, unit, levels) / eyes for side, levels in SIDES.items()}
    scans = {"both": halves["left"] + halves["right"], **halves}
    alike = {side: np.corrcoef(own[side].ravel(), scans[side].ravel())[0, 1] for side in SIDES}
    sizes = {name: (size(own["both"][part]), size(scans["both"][part])) for name, part in REGIONS.items()}
    return {
        "correlation": f"{alike['both']:.2f}",
        "left / right alone": f"{alike['left']:.2f} / {alike['right']:.2f}",
        "size": f"{sizes['all'][0] / sizes['all'][1]:.2f}",
        **{name: f"{ours:.1f} / {theirs:.1f}" for name, (ours, theirs) in sizes.items()},
    }


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("reference", type=Path, help="the scans' displacements (JSON)")
    scans, assets = reference(parser.parse_args().reference), load()
    eyes = eye_distance(assets)
    rows = {unit: compare(assets, halves, unit, eyes) for unit, halves in sorted(scans.items())}
    text = f"""{common.markdown(pd.DataFrame(rows).T.rename_axis("unit"), str)}
Displacement of the 68 points in x and y at full activation: correlation with the scans' (also of each half alone), size
as a factor of theirs, and root mean square by group in % of the outer eye distance, project / scans.
"""
    common.save("action_units", "Action units", text)


if __name__ == "__main__":
    stage.run(main)
