"""What does the default landmarker do to the true points? Fits the errors that actors are drawn with.

    python -m benchmarks.landmark_errors            # after make reproduce; seconds

Compares the landmark table of both sets with the true points of the simulated faces. Writes the fitted model to
stages/simulate/actors/landmark_errors.npz, and landmark_errors.md beside this file: measured errors, and errors drawn
from the model for the same true points.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import common
from stages.landmark import shipped
from stages.simulate.actors import errors
from stages.tables import params, parquet, stage
from stages.tables.schema import GENERAL, LANDMARKS, MICRO, SEQUENCES

KEPT = 0.95
"""Share of the variance that factors keep."""
STILL = 0.0012
"""Root mean square motion, in outer eye distances, below which what remains is noise."""
MOTIONS = ((0, 0.15), (0.15, 0.5), (0.5, 1.5), (1.5, 4), (4, 20))
"""Least and most motion of each row of the table, px."""

Pairs = list[tuple[np.ndarray, np.ndarray]]
"""Measured and true points (frames, 68, 2) of each sequence, px."""


def pairs(kind: str) -> Pairs:
    """All sequences of a set."""
    root, originals = Path(params.line("dataset.root", str)), params.line("protocol.originals", int)
    lengths = parquet.read(Path("data/interim/sequences.parquet"), SEQUENCES).set_index("sequence")["frames"]
    rows = parquet.read(Path("data/interim/landmarks.parquet"), LANDMARKS)
    result = []
    for name, part in rows[rows["set"] == kind].groupby("sequence"):
        points = common.points(part).astype(float)
        true = shipped.read(root, str(name), lengths[name])
        true = true if kind == GENERAL else shipped.between(true.astype(float), originals, len(points))
        result.append((points, true.astype(float)))
    return result


def factor(rows: np.ndarray) -> np.ndarray:
    """(k, n) such that normal numbers (k,) @ it vary as ``rows`` (m, n) do about zero."""
    _, size, axes = np.linalg.svd(rows / np.sqrt(len(rows)), full_matrices=False)
    share = np.cumsum(size**2) / np.sum(size**2)
    kept = int(np.searchsorted(share, KEPT)) + 1
    return (size[:kept, None] * axes[:kept]) / np.sqrt(share[kept - 1])


def fit(general: Pairs) -> errors.ErrorModel:
    """The model of the errors in general sequences."""
    eyes = np.array([errors.eye_distance(true[None])[0] for _, true in general])
    offsets = np.stack([(p[0] - t[0]).ravel() / e for (p, t), e in zip(general, eyes, strict=True)])
    moves = [((p - p[0]) / e, (t - t[0]) / e) for (p, t), e in zip(general, eyes, strict=True)]
    measured, true = (np.concatenate([pair[k][1:] for pair in moves]) for k in range(2))
    gain = ((measured * true).sum(axis=(0, 2)) / (true**2).sum(axis=(0, 2)))[:, None]
    drifts = np.stack([(p[-1] - gain * t[-1]) / errors.distance(t[-1]) for p, t in moves])
    lengths = np.array([rms(t[-1]) for _, t in moves])
    weight = np.sqrt(lengths / lengths.mean())  # more for long ones, whose errors can be seen
    rest = [p - gain * t - errors.distance(t) * drift for (p, t), drift in zip(moves, drifts, strict=True)]
    noise = np.stack([r[k] for r, (_, t) in zip(rest, moves, strict=True) for k in range(1, 4) if rms(t[k]) < STILL])
    return errors.ErrorModel(
        mean=offsets.mean(axis=0),
        offset=factor(offsets - offsets.mean(axis=0)),
        gain=gain[:, 0],
        drift=factor(drifts.reshape(len(drifts), -1) * weight[:, None]),
        noise=factor(noise.reshape(len(noise), -1)),
    )


def drawn(model: errors.ErrorModel, known: Pairs) -> Pairs:
    """Points drawn from the model for the same true ones."""
    generator = np.random.default_rng(0)
    numbers = [(generator.standard_normal((1, model.per_sequence)),
                generator.standard_normal((1, len(t), model.per_frame))) for _, t in known]  # fmt: skip
    return [(errors.measured(model, t[None], *z)[0], t) for (_, t), z in zip(known, numbers, strict=True)]


def rms(vectors: np.ndarray) -> float:
    """Root mean square length."""
    return float(np.sqrt((vectors**2).sum(axis=-1).mean()))


def summary(known: Pairs) -> dict[str, float]:
    """Errors in px, and of motion in px by the motion's size."""
    moves = [((p - p[0])[1:], (t - t[0])[1:]) for p, t in known]
    measured, true = (np.concatenate([pair[k] for pair in moves]) for k in range(2))
    size = np.sqrt((true**2).sum(axis=-1).mean(axis=-1))
    line = {"offset": rms(np.stack([p[0] - t[0] for p, t in known]))}
    for low, high in MOTIONS:
        inside = (size >= low) & (size < high)
        line[f"motion {low:g} to {high:g} px"] = rms((measured - true)[inside]) if inside.any() else np.nan
    steps = np.concatenate([np.diff(p - t, axis=0) for p, t in known])
    return line | {"from frame to frame": rms(steps)}


def main() -> None:
    common.parser(__doc__).parse_args()
    general, micro = pairs(GENERAL), pairs(MICRO)
    model = fit(general)
    model.save(errors.STORED)
    lines = {"general": summary(general), "general, drawn": summary(drawn(model, general)), "micro": summary(micro)}
    factors = ", ".join(f"{name} {len(getattr(model, name))}" for name in ("offset", "drift", "noise"))
    text = f"""{common.markdown(pd.DataFrame(lines))}
Root mean square errors of the landmarks of {len(general)} sequences, px: of the first frame's points, of motion since
the first frame by the true motion's size, and of the change between frames. Drawn: from the fitted model, for the same
true points. Factors: {factors}; gain of motion {model.gain.min():.2f} to {model.gain.max():.2f}.
"""
    common.save("landmark_errors", "Errors of the landmarks", text)


if __name__ == "__main__":
    stage.run(main)
