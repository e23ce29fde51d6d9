"""Films of minutes in which it is known who shows what: simulated people, as landmark tracks or rendered.

A film with expressions holds macro- and micro-expressions among stretches of neutral face; both kinds of film hold
blinks, speech-like motion of the mouth, turns and sway of the head. Lengths of expressions follow what is published of
CAS(ME)^2 and SAMM Long Videos: macro 0.6 to 4 s, micro up to 0.5 s. All numbers are ours.

A scene shows two people, both or one of them at a time, and is cut from one shot to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from stages.simulate import sequence, tree
from stages.simulate.actors import errors, people
from stages.simulate.params import Variety
from stages.simulate.score import BLINK, RESTING, SPEECH, UNITS, Score, draw, habits
from stages.tables.schema import EMOTIONS

SEED = 21_000_000
"""People of films: no data set and no network's training draws from this seed."""
CALM = 0.3
"""Least time between a cut and an expression, s."""
HALF, CLOSE = 400, 1.25
"""Width of the picture of one person among two, px, and how much nearer one is seen who is alone."""


@dataclass(frozen=True)
class Truth:
    """An expression that is shown; frames count from 1, ``emotion`` is CK+'s code."""

    onset: int
    apex: int
    offset: int
    kind: str
    emotion: int


@dataclass(frozen=True)
class Script:
    """What a film of one person shows: ``rate`` frames a second, ``light`` (frames,) relative to its mean."""

    rate: float
    score: Score
    light: np.ndarray
    events: list[Truth]


@dataclass(frozen=True)
class Scene:
    """What a film of two people shows: their scripts, and its shots.

    A shot is its first frame, the frame after its last, from 0, and who is seen: positions in ``scripts``.
    """

    scripts: tuple[Script, Script]
    shots: list[tuple[int, int, tuple[int, ...]]]

    def seen(self, person: int) -> list[Truth]:
        """The expressions of a person that the film shows: no cut is in any."""
        return [event for event in self.scripts[person].events
                if any(person in who and first < event.onset and event.offset <= stop
                       for first, stop, who in self.shots)]  # fmt: skip


def script(person: int, seconds: float, expressive: bool, variety: Variety, rate: float | None = None) -> Script:
    """A film of person ``person``, from this number alone, and of its own ``rate`` if none is given."""
    generator = np.random.default_rng([SEED, person, 1])
    own = habits(variety, np.random.default_rng([SEED, person, 0]))
    own_rate = float(generator.choice([25.0, 30.0]))
    rate = rate or own_rate
    time = np.arange(round(seconds * rate)) / rate
    actions = 2 * variety.resting_motion * RESTING[None, :, None] * _wander(time, (len(UNITS), 1), 4.0, generator)
    actions = actions * np.ones(2)
    poses = _poses(time, generator)
    events: list[Truth] = []
    at = generator.uniform(1.5, 4)
    while True:
        kind = generator.choice(["macro", "micro", "speech"], p=[0.45, 0.35, 0.2] if expressive else [0, 0, 1])
        if kind == "speech":
            lasts = generator.uniform(1, 6)
        elif kind == "micro":
            lasts = generator.uniform(0.2, 0.48)
            rise = lasts * generator.uniform(0.35, 0.55)
            fall = (lasts - rise) * generator.uniform(0.75, 1)
        else:
            rise, hold, fall = generator.uniform(0.25, 1), generator.exponential(0.7), generator.uniform(0.35, 1.5)
            lasts = min(rise + hold + fall, 4.0)
        if at + lasts > seconds - 1:
            break
        if kind == "speech":
            actions += _speech(time, at, lasts, generator)[..., None]
        else:
            emotion = int(generator.integers(1, len(EMOTIONS) + 1))
            strength = generator.uniform(0.25, 0.6) if kind == "micro" else generator.uniform(0.5, 1.1)
            level = strength * draw(emotion, 2, own, variety, generator).apex
            early, late = (generator.uniform(0, 0.25, len(UNITS)) for _ in range(2))
            course = _smooth((time[:, None] - at - early * rise) / ((1 - early) * rise))
            course = course * _smooth((at + lasts - late * fall - time[:, None]) / ((1 - late) * fall))
            actions += level * course[..., None]
            frames = [round(t * rate) + 1 for t in (at, at + rise, at + lasts)]
            events.append(Truth(*frames, str(kind), emotion))
        at += lasts + generator.uniform(0.7, 5)
    shut = np.cumsum(generator.uniform(1.5, 6, int(seconds)))
    width = generator.uniform(0.04, 0.09, len(shut))
    actions[:, BLINK] += np.exp(-(((time[:, None] - shut) / width) ** 2) / 2).sum(axis=1)[:, None]
    light = 1 + 0.05 * _wander(time, (), 20, generator)
    for _ in range(int(seconds / 15)):
        light = light * (1 + generator.uniform(-0.15, 0.15) * _smooth((time - generator.uniform(0, seconds)) / 0.3))
    return Script(rate, Score(np.zeros((len(UNITS), 2)), actions, poses), light, events)


def scene(first: int, second: int, seconds: float, variety: Variety) -> Scene:
    """A film of two people, from their numbers alone: both, the one, the other, and both again.

    It is cut where neither shows an expression, as near to a quarter, half and three quarters of it as can be.
    """
    one = script(first, seconds, True, variety)
    other = script(second, seconds, True, variety, one.rate)
    calm = np.ones(len(one.light), bool)
    for event in one.events + other.events:
        calm[max(event.onset - round(CALM * one.rate), 0) : event.offset + round(CALM * one.rate)] = False
    quarter = len(calm) // 4
    places = np.flatnonzero(calm)
    cuts = [int(places[np.abs(places - quarter * k).argmin()]) for k in (1, 2, 3)]
    shots = zip(pairwise([0, *cuts, len(calm)]), ((0, 1), (0,), (1,), (0, 1)), strict=True)
    return Scene((one, other), [(*part, who) for part, who in shots])


def _poses(time: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Poses (frames, 6): a head that sways, and every few seconds turns and comes back or stays."""
    extent = np.array([1.5, 1.2, 1.0, 4.0, 3.0, 0.008])
    poses = extent * (generator.standard_normal(6) + _wander(time, (6,), 8.0, generator))
    at = generator.uniform(2, 8)
    while at < time[-1]:
        turn = np.array([generator.normal(0, 8), generator.normal(0, 4), generator.normal(0, 3), 0, 0, 0])
        rise, hold, fall = generator.uniform(0.4, 1.2), generator.exponential(1.0), generator.uniform(0.4, 1.2)
        there = _smooth((time - at) / rise) - _smooth((time - at - rise - hold) / fall)
        poses += np.clip(turn, -18, 18) * there[:, None]
        at += rise + hold + fall + generator.uniform(2, 10)
    return poses


def _speech(time: np.ndarray, at: float, lasts: float, generator: np.random.Generator) -> np.ndarray:
    """(frames, units) syllables, 3 to 6 a second, each of another shape and size."""
    beats = np.arange(at, at + lasts, 1 / generator.uniform(3, 6))
    beats = beats + generator.normal(0, 0.03, len(beats))
    size = generator.uniform(0.1, 0.5) * generator.uniform(0.2, 1, (len(beats), len(UNITS))) * SPEECH
    size *= (generator.random(size.shape) < 0.6) * (generator.random((len(beats), 1)) < 0.9)
    width = generator.uniform(0.05, 0.08)
    return np.exp(-(((time[:, None] - beats) / width) ** 2) / 2) @ size


def _smooth(share: np.ndarray) -> np.ndarray:
    """From 0 to 1 as ``share`` does, without a corner."""
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)


def _wander(time: np.ndarray, shape: tuple[int, ...], period: float, generator: np.random.Generator) -> np.ndarray:
    """(frames, *shape) smooth paths of standard deviation 1 and periods of about ``period`` s, from 0.5 to 2 times."""
    waves = 8
    rate = 2 * np.pi / (period * np.exp(generator.uniform(-0.7, 0.7, (waves, *shape))))
    phase = generator.uniform(0, 2 * np.pi, (waves, *shape))
    angle = np.multiply.outer(time, rate) + phase
    return np.sqrt(2 / waves) * np.sin(angle).sum(axis=1)


def track(model: people.Model, error_model: errors.ErrorModel, person: int, told: Script) -> np.ndarray:
    """Landmarks (frames, 68, 2), px of a 640 x 490 frame, as the landmarker measures them.

    Drift and gain are of what the face does; the head's own motion is followed without.
    """
    generator = np.random.default_rng([SEED, person, 2])
    weights = people.faces.draw(model.axes, generator)[0]
    lens = sequence.camera(generator)
    still = Score(told.score.apex, 0 * told.score.actions, told.score.poses)
    frames = np.array([len(told.light)] * 2)
    true, head = people.points(model, [people.Actor(weights, lens, s) for s in (told.score, still)], frames)
    per_sequence = generator.standard_normal((1, error_model.per_sequence))
    per_frame = generator.standard_normal((1, len(true), error_model.per_frame))
    face = head[0] + (true - head)
    return errors.measured(error_model, face[None], per_sequence, per_frame)[0] + head - head[0]


def rendered(person: int, told: Script, variety: Variety, noise: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each frame, uint8 (height, width), and its true landmarks (68, 2), px."""
    assets, maps = tree.model()
    who = sequence.subject(assets, variety, np.random.default_rng([SEED, person, 2]))
    generator = np.random.default_rng([SEED, person, 3])
    for (image, points), light in zip(sequence.film(assets, maps, who, told.score, 0.0, generator), told.light,
                                      strict=True):  # fmt: skip
        seen = image * light + noise * generator.standard_normal(image.shape, np.float32)
        yield np.clip(np.rint(seen), 0, 255).astype(np.uint8), points


def scene_rendered(
    people: tuple[int, int], told: Scene, variety: Variety, noise: float
) -> Iterator[tuple[np.ndarray, dict[int, np.ndarray]]]:
    """Each frame, uint8 (height, 2 * HALF), and the true landmarks (68, 2), px, of who is seen: 0, 1 or both.

    Two sit side by side. Who is alone is seen from nearer.
    """
    for first, stop, who in told.shots:
        films = []
        for person in who:
            whole = told.scripts[person]
            score = replace(whole.score, actions=whole.score.actions[first:stop], poses=whole.score.poses[first:stop])
            part = replace(whole, score=score, light=whole.light[first:stop])
            films.append(rendered(people[person], part, variety, noise))
        for pictures in zip(*films, strict=True):
            side = (pictures[0][0].shape[1] - HALF) // 2
            if len(who) == 2:
                image = np.hstack([picture[:, side : side + HALF] for picture, _ in pictures])
                places = {person: points + np.array([k * HALF - side, 0]) for k, (person, (_, points)) in
                          enumerate(zip(who, pictures, strict=True))}  # fmt: skip
            else:
                ((picture, points),) = pictures
                above = round((CLOSE - 1) / 2 * picture.shape[0])
                large = cv2.resize(picture, None, fx=CLOSE, fy=CLOSE, interpolation=cv2.INTER_CUBIC)
                image = large[above : above + picture.shape[0], : 2 * HALF]
                places = {who[0]: CLOSE * (points + 0.5) - 0.5 - np.array([0, above])}
            yield np.ascontiguousarray(image), places
