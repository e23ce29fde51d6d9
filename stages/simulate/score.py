"""How a sequence unfolds: what every frame shows, of rendered people and of actors alike.

Time is the sequence's progress, from 0 in the first frame (neutral) to 1 in the last (apex). Every random choice comes
from the generator that is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.simulate.faces import ACTION_UNITS, EMOTION_UNITS
from stages.simulate.params import Variety

UNITS = np.array(list(ACTION_UNITS))
"""The action units in the order of all arrays."""

RESTING = np.isin(UNITS, (1, 2, 4, 7, 12, 14, 15, 17, 20, 23, 25, 45))
"""Units that nobody holds quite still."""
EXTRA = np.isin(UNITS, (1, 2, 4, 5, 6, 7, 10, 12, 14, 15, 17, 20, 23, 24, 25))
"""Units that appear without belonging to the emotion."""
SPEECH = np.isin(UNITS, (16, 20, 23, 25, 26))
"""Units of a mouth that speaks."""
BLINK = np.flatnonzero(UNITS == 45)[0]
CONTEMPT, ONE_SIDED = 2, np.isin(UNITS, (12, 14))
"""CK+'s code of contempt, and the units that it shows on one side."""
START = np.array([2.0, 2.0, 1.5, 0, 0, 0])
"""Standard deviation of the pose in the first frame, as in ``Score.poses``."""

_PROTOTYPES = np.zeros((max(EMOTION_UNITS) + 1, 2, len(UNITS)))
for _emotion, _units in EMOTION_UNITS.items():
    for _unit, _usual in _units.items():
        _PROTOTYPES[_emotion, :, _unit == UNITS] = _usual


@dataclass(frozen=True)
class Score:
    """What every frame shows."""

    apex: np.ndarray  # (units, 2) intensity at the apex on the subject's left and right
    actions: np.ndarray  # (frames, units, 2) intensity
    poses: np.ndarray  # (frames, 6) yaw, pitch, roll (degrees), columns, rows (px), towards the camera (relative)


def habits(variety: Variety, generator: np.random.Generator) -> np.ndarray:
    """How strongly a person uses each unit on the left and right, (units, 2), about 1."""
    own = generator.normal(1, variety.person_spread) + generator.normal(0, variety.person_spread, len(UNITS))
    return np.clip(own[:, None] + generator.normal(0, variety.asymmetry / 2, (len(UNITS), 2)), 0.4, 1.8)


def draw(emotion: int, frames: int, habits: np.ndarray, variety: Variety, generator: np.random.Generator) -> Score:
    """A sequence of a person with these ``habits`` (units, 2), from neutral to the apex of an emotion (CK+'s code)."""
    count = len(UNITS)
    apex = habits * _apex(emotion, variety, generator)
    progress = np.linspace(0, 1, frames)[:, None]
    centre = _uniform(variety.onset_centre, generator) + generator.normal(0, variety.onset_spread, count)
    width = variety.onset_width * np.exp(generator.normal(0, variety.onset_width_spread, count))
    level = variety.resting_motion * RESTING * _wander(progress, count, 1, generator)
    if generator.random() < variety.speech_share:
        intensity = _uniform(variety.speech_intensity, generator)
        level += intensity * SPEECH * np.abs(_wander(progress, count, 3, generator))
    if generator.random() < variety.blink_share:
        blink = np.exp(-(((progress[:, 0] - generator.uniform(0, 0.95)) / variety.blink_width) ** 2) / 2)
        level[:, BLINK] += blink - blink[0]
    early = variety.linear_share * generator.standard_exponential()  # one for all units, which start together
    linear = np.clip(early * np.exp(generator.normal(0, variety.linear_spread, count)), 0, 0.5)
    course = (1 - linear) * _rise(progress, np.clip(centre, 0.05, 0.95), width) + linear * progress
    actions = apex * course[..., None] + level[..., None]

    extent = np.array([*variety.head_turn, *variety.head_shift])
    start = START * generator.standard_normal(6)
    move = generator.standard_normal(6) * _rise(progress, generator.uniform(0, 1), variety.head_onset_width)
    poses = start + extent * (move + variety.head_sway * _wander(progress, 6, 1, generator))
    return Score(apex, actions, poses)


def _apex(emotion: int, variety: Variety, generator: np.random.Generator) -> np.ndarray:
    """Intensities (units, 2) of the emotion's units as they are shown this time, and of a few others."""
    usual, often = _PROTOTYPES[emotion]
    shown = generator.random(len(UNITS)) < often
    level = usual * shown * np.clip(generator.normal(1, variety.intensity_spread, len(UNITS)), 0.2, 2)
    others = generator.permutation(np.flatnonzero(EXTRA & ~shown))
    others = others[: generator.integers(variety.extra_units[0], variety.extra_units[1] + 1)]
    level[others] = [_uniform(variety.extra_intensity, generator) for _ in others]
    sides = np.clip(generator.normal(1, variety.asymmetry, (len(UNITS), 2)), 0, 2)
    if emotion == CONTEMPT:
        sides[ONE_SIDED, generator.integers(2)] *= _uniform(variety.contempt_weak_side, generator)
    return np.clip(variety.strength * level[:, None] * sides, 0, 1.4)


def _uniform(limits: list[float], generator: np.random.Generator) -> float:
    least, most = limits
    return generator.uniform(least, most)


def _rise(progress: np.ndarray, centre: np.ndarray | float, width: np.ndarray | float) -> np.ndarray:
    """(frames, n) logistic courses from exactly 0 in the first frame, which end near 1."""
    course = 1 / (1 + np.exp((centre - progress) / width))
    return (course - course[0]) / (1 - course[0])


def _wander(progress: np.ndarray, count: int, cycles: float, generator: np.random.Generator) -> np.ndarray:
    """(frames, count) smooth paths from 0 in the first frame, of standard deviation about 1.

    Each is the sum of a slow wave and of two that are faster and lower.
    """
    waves = 1.0 / np.arange(1, 4)
    phase = generator.uniform(0, 2 * np.pi, (3, 1, count))
    size = generator.standard_normal((3, 1, count)) * waves[:, None, None]
    path = (size * np.sin(np.pi * cycles * progress / waves[:, None, None] + phase)).sum(axis=0)
    return path - path[0]
