"""A stream of actors' landmark tracks: any number of them, in memory that does not grow.

An actor is made from the seed and its own number alone, whatever its chunk and whoever makes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stages.simulate.actors import errors, people
from stages.simulate.params import Variety
from stages.simulate.plan import COUNTS

CHUNK = 256
"""Actors that are computed together."""

EMOTIONS = np.array(list(COUNTS), np.int8)
SHARES = np.cumsum(list(COUNTS.values())) / sum(COUNTS.values())


@dataclass(frozen=True)
class Tracks:
    """Several actors; after an actor's last frame it repeats."""

    points: np.ndarray  # (actors, most frames, 68, 2) float32, px of a 640 x 490 frame
    frames: np.ndarray  # (actors,) int64
    emotion: np.ndarray  # (actors,) int8, CK+'s code


def tracks(
    model: people.Model, error_model: errors.ErrorModel, variety: Variety, frames: Sequence[int], seed: int,
    numbers: range,
) -> Tracks:  # fmt: skip
    """The actors ``numbers`` of a seed, in CK+'s shares of emotions, each of ``frames`` (fewest, most) frames."""
    actors, counts, emotions, per_sequence, per_frame = [], [], [], [], []
    for number in numbers:
        generator = np.random.default_rng([seed, number])
        emotion = EMOTIONS[np.searchsorted(SHARES, generator.random(), side="right")]
        count = int(generator.integers(frames[0], frames[1] + 1))
        actors.append(people.actor(model, int(emotion), count, variety, generator))
        per_sequence.append(generator.standard_normal(error_model.per_sequence, np.float32))
        per_frame.append(generator.standard_normal((count, error_model.per_frame), np.float32))
        counts.append(count)
        emotions.append(emotion)
    lengths = np.array(counts)
    true = people.points(model, actors, lengths)
    points = errors.measured(error_model, true, np.stack(per_sequence), people.padded(per_frame, lengths))
    return Tracks(points.astype(np.float32), lengths, np.array(emotions, np.int8))


def stream(
    model: people.Model, error_model: errors.ErrorModel, variety: Variety, frames: Sequence[int], seed: int,
    numbers: range,
) -> Iterator[Tracks]:  # fmt: skip
    """The actors ``numbers``, CHUNK at a time; see ``tracks``."""
    for first in range(0, len(numbers), CHUNK):
        yield tracks(model, error_model, variety, frames, seed, numbers[first : first + CHUNK])
