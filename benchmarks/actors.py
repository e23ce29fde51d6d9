"""Do actors move as people do, and what do they cost?

    python -m benchmarks.actors                     # 2,000 actors, half a minute on one core
    python -m benchmarks.actors --tracks FILE       # the same figures of landmark tracks beside them

Share of motion of a map: its mean |LMF| over the pairs of points, of the sum over the eight maps; means and standard
deviations over sequences. Correlation: Pearson's over the pairs, of a map's LMF with the sum of all eight. SFEM of
general sequences, and of their first three frames resampled to nine (micro). Real: 40 sequences of CK+ with the default
landmarks. Writes actors.md beside this file. ``--tracks`` takes a Parquet file with a row a frame: sequence, set,
frame, x and y.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import common
from stages.featurize.lmf import lmf, resample, sfem
from stages.simulate.actors import errors, people, stream
from stages.simulate.assets import load
from stages.simulate.params import Simulate
from stages.tables import params, stage
from stages.tables.points import POINTS
from stages.tables.schema import GENERAL, MICRO

COUNT, FRAMES, WEAK = 2000, (9, 23), 0.3
"""Actors, their fewest and most frames, and the correlation below which a map has little of the whole motion."""

REAL = {
    "share of motion, map 1 to 8, %": "5 11 14 17 18 15 12 8",
    "its spread between sequences": "8",
    "correlation with the whole, map 1 to 8": ".46 .60 .67 .77 .80 .71 .60 .42",
    f"maps below {WEAK:g}, %": "19",
    "SFEM general, quartiles": "0.1450 0.1970 0.2950",
    "SFEM micro, quartiles": "0.0057 0.0095 0.0156",
}

Points = list[np.ndarray]
"""Landmarks (frames, 68, 2) of each sequence, px."""


def figures(general: Points, micro: Points, frames: int) -> dict[str, str]:
    """One column of the table, of the landmarks of both sets."""
    whole = [resample(points, frames) for points in general]
    change = np.stack([lmf(points)[(slice(None), *np.triu_indices(POINTS, k=1))] for points in whole])
    motion = np.abs(change).mean(axis=2)
    share = 100 * motion / motion.sum(axis=1, keepdims=True)
    centred = change - change.mean(axis=2, keepdims=True)
    total = centred.sum(axis=1, keepdims=True)
    correlation = (centred * total).sum(axis=2) / np.sqrt((centred**2).sum(axis=2) * (total**2).sum(axis=2))
    sizes = [[sfem(lmf(p), p) for p in (resample(points, frames) for points in part)] for part in (general, micro)]
    quartiles = [" ".join(f"{q:.4f}" for q in np.quantile(part, (0.25, 0.5, 0.75))) for part in sizes]
    values = (
        " ".join(f"{v:.0f}" for v in share.mean(axis=0)),
        f"{share.std(axis=0).mean():.0f}",
        " ".join(f"{v:.2f}"[1:] for v in correlation.mean(axis=0)),
        f"{100 * (correlation < WEAK).mean():.0f}",
        *quartiles,
    )
    return dict(zip(REAL, values, strict=True))


def read(path: Path) -> tuple[Points, Points]:
    """The tracks of both sets in a file."""
    rows = pd.read_parquet(path).sort_values(["sequence", "frame"])
    both = []
    for kind in (GENERAL, MICRO):
        groups = rows[rows["set"] == kind].groupby("sequence")
        both.append([common.points(group) for _, group in groups])
    return both[0], both[1]


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--tracks", type=Path, help="other landmark tracks to measure")
    other = parser.parse_args().tracks
    settings, frames = params.read(Simulate), params.line("protocol.frames", int)
    originals = params.line("protocol.originals", int)
    model, error_model = people.reduced(load()), errors.load()

    def actors(count: int) -> list[stream.Tracks]:
        return list(stream.stream(model, error_model, settings.variety, FRAMES, settings.seed, range(count)))

    actors(stream.CHUNK)  # numba compiles
    start = time.process_time()
    parts = actors(COUNT)
    spent = time.process_time() - start
    tracks = [points[:n] for part in parts for points, n in zip(part.points, part.frames, strict=True)]
    columns = {"real faces": REAL, "actors": figures(tracks, [points[:originals] for points in tracks], frames)}
    if other:
        columns[other.stem] = figures(*read(other), frames)
    text = f"""{common.markdown(pd.DataFrame(columns), str)}
{COUNT} actors of {FRAMES[0]} to {FRAMES[1]} frames, {60 * COUNT / spent:,.0f} a minute on one core.
"""
    common.save("actors", "Actors", text)


if __name__ == "__main__":
    stage.run(main)
