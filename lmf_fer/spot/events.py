"""Expressions in the landmarks of one person: the face's motion against its own neutral, and its peaks.

What a rigid head does is explained first: shift, roll, nearness, and turns by an average head. The neutral, and what
this head's turns do beyond that, are estimated over time from quiet stretches. Lids (blinks) and the jaw's outline do
not count. Thresholds follow the noise of quiet stretches (median and median absolute deviation). All sizes are in outer
eye distances.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from stages.tables.points import BROWS, EYE_CORNERS, JAW, LIPS, NOSE, POINTS

HEAD = np.array(json.loads(Path(__file__).with_name("head.json").read_text(encoding="utf-8"))["points"])
COUNTED = np.r_[19:25, NOSE, LIPS]
"""Landmarks whose motion is an expression's size: not the jaw, the lids, or the brows' outer halves, which a turn of
the head brings to its outline, where points slide."""
LOWER = np.r_[55:60, 65:68]
"""The lower lip without the mouth's corners."""
STEADY = np.ones(POINTS)
"""How far each point follows the head alone: what a rigid head does is fitted to points by these weights."""
STEADY[LIPS], STEADY[BROWS], STEADY[JAW] = 0.2, 0.4, 0.3
STEADY[[37, 38, 40, 41, 43, 44, 46, 47]] = 0  # lids
MICRO = 0.5
"""Longest duration of a micro-expression, s (the field's convention)."""
LEAST, DEVIATIONS = 0.006, 3.0
"""Size from which motion may be an expression: at least this, and so many deviations above the quiet size."""
EDGE = 0.25
"""Share of the apex's size at which an expression begins and ends."""
CEASED = 0.4
"""Share of the lesser of two apexes below which the motion between them shows that they are two expressions."""
FOOT, TURN, OWN = 0.5, 3.0, 0.5
"""How long before it is noticed an expression may have begun, s, and turn from which its residue follows it, degrees.
Share of an apex's size that must not be such residue."""
CALM, MEMORY, LONGEST = 0.2, 1.5, 10.0
"""Time below the threshold that ends an expression, time constant of the neutral, longest expression, s."""
LEARNED = 50.0
"""Squared turn times duration at which this head's own way of turning is half learned, degrees squared x s."""
UNSURE, TURNED = 0.003, 0.0004
"""Size that a turn whose square is LEARNED may seem to have before this head's way is known, and size that each degree
may leave afterwards."""
SYLLABLE, AROUND, NEXT, LIPS_ALONE, JAW_ALONE, HELD = 0.15, 1.5, 0.6, 0.5, 0.65, 0.75
"""Speech: peaks of the lips of at least that share of the apex, three within AROUND s of it or two within NEXT s, when
LIPS_ALONE of the motion is theirs and their mean over 0.5 s or over 1 s is less than HELD of the apex. Two are enough
when a mouth opens and JAW_ALONE of the motion is the lower lip's."""


@dataclass(frozen=True)
class Event:
    """One expression. Frames count from 1, times are in s; ``size`` is that of the apex in outer eye distances.

    ``points`` (n, 68, 2) are the landmarks from onset to apex, px. ``speech`` is the peaks of the lips a second.
    """

    person: int
    onset: int
    apex: int
    offset: int
    onset_time: float
    apex_time: float
    offset_time: float
    size: float
    speech: float
    points: np.ndarray

    @property
    def duration(self) -> float:
        return self.offset_time - self.onset_time

    @property
    def kind(self) -> str:
        """micro or macro."""
        return "micro" if self.duration <= MICRO else "macro"


@dataclass
class Moment:
    """One frame of a person; ``turn`` is yaw, pitch and roll against the first face, degrees.

    ``raw`` (68, 2) is what an average head's turn does not explain, ``residual`` what this person's face at rest and
    in that pose does neither.
    """

    frame: int
    time: float
    points: np.ndarray
    raw: np.ndarray
    residual: np.ndarray
    turn: np.ndarray
    size: float


class Finder:
    """The expressions of one person, whose landmarks come frame by frame. Memory is that of the longest expression.

    An expression is known AROUND s after it has ended, when it is clear that it was no speech.
    """

    def __init__(self, person: int) -> None:
        self.person, self.rest = person, Rest()
        self.reference: np.ndarray | None = None
        self.moments: deque[Moment] = deque()
        self.quiet: deque[float] = deque(maxlen=300)
        self.waiting: deque[Event] = deque()
        self.active: float | None = None
        self.above = 0.0
        self.last = 0.0

    @property
    def threshold(self) -> float:
        """The size above which motion may be an expression."""
        if len(self.quiet) < 10:
            return 2 * LEAST
        sizes = np.array(self.quiet)
        middle = float(np.median(sizes))
        return max(LEAST, middle + DEVIATIONS * 1.4826 * float(np.median(np.abs(sizes - middle))))

    @property
    def resting(self) -> bool:
        """Whether the last frame shows the neutral face."""
        return self.active is None and len(self.quiet) >= 10 and bool(self.moments)

    def __call__(self, frame: int, time: float, points: np.ndarray) -> tuple[Moment, list[Event]]:
        """The next frame, and the expressions that are known now."""
        points = points.astype(np.float64)
        if self.reference is None:
            self.reference, self.rest = points, Rest()
        raw, turn = explained(points, self.reference)
        step, self.last = min(max(time - self.last, 0.0), 0.2), time
        face, unsure = self.rest(turn)
        residual = raw - face
        near = [m.residual for m in self.moments if time - m.time <= 0.07]
        size = max(_size(np.mean([*near, residual], axis=0)) - UNSURE * unsure, 0.0)
        moment = Moment(frame, time, points.astype(np.float32), raw, residual, turn, size)
        self.moments.append(moment)
        limit = self.threshold
        if moment.size > limit:
            self.above, self.active = time, time if self.active is None else self.active
        alike = min(1.0, limit / max(_size(residual), 1e-9)) ** 2  # expressions have nothing to do with turns
        self.rest.learn(turn, raw, step * alike, step if self.active is None else 0.0)
        if self.active is None:
            self.quiet.append(moment.size)
        elif time - self.above > CALM or time - self.active > LONGEST:
            self._end(limit)
            if moment.size > limit:  # held for so long that it is the face's own way now
                self.rest.renew(residual)
                self.quiet.clear()
            self.active = None
        return moment, self._known(time - AROUND)

    def close(self) -> list[Event]:
        """The expressions that are not known yet, and that which the end, or the face's leaving, has cut off."""
        if self.active is not None:
            self._end(self.threshold)
        known = self._known(np.inf)
        self.moments.clear()
        self.active, self.reference = None, None
        return known

    def _known(self, time: float) -> list[Event]:
        """The expressions that ended before ``time`` and are no speech. What nobody needs any more is forgotten."""
        known = []
        while self.waiting and self.waiting[0].offset_time < time:
            event = self.waiting.popleft()
            if (speech := self._speech(event)) is not None:
                known.append(replace(event, speech=speech))
        starts = [self.last, *([self.active] if self.active is not None else []), *(e.onset_time for e in self.waiting)]
        while self.moments and self.moments[0].time < min(starts) - 2 * AROUND:
            self.moments.popleft()
        return known

    def _end(self, limit: float) -> None:
        """What has been above the threshold is one expression or, where it nearly ceased in between, several."""
        assert self.active is not None, "else nothing ends"
        before = self.waiting[-1].offset if self.waiting else 0
        moments = [m for m in self.moments if m.time >= self.active - FOOT and m.frame >= before]
        ended = moments[-1].size <= limit
        sizes = self._own(moments) if ended else np.array([m.size for m in moments])
        apexes: list[int] = []
        for k in (find_peaks(np.r_[0, sizes, 0])[0] - 1).tolist():
            if apexes and sizes[apexes[-1] : k + 1].min() > CEASED * min(sizes[apexes[-1]], sizes[k]):
                apexes[-1] = max(apexes[-1], k, key=lambda j: sizes[j])
            elif sizes[k] > LEAST:
                apexes.append(k)
        start = 0
        for apex, after in pairwise([*apexes, len(moments)]):
            stop = apex + int(sizes[apex:after].argmin()) + 1
            part = moments[start : stop if after < len(moments) else after]
            self._add(part, self._own(part) if ended or after < len(moments) else sizes[start:], limit)
            start = stop - 1

    def _add(self, moments: list[Moment], sizes: np.ndarray, limit: float) -> None:
        """The expression among ``moments``, whose own sizes are ``sizes``."""
        apex = int(sizes.argmax())
        edge = max(EDGE * sizes[apex], float(np.median(self.quiet)) if self.quiet else 0.0)
        first = last = apex
        while first > 0 and sizes[first] > edge:
            first -= 1
        while last + 1 < len(moments) and sizes[last] > edge:
            last += 1
        one, high, end = (moments[k] for k in (first, apex, last))
        size = max(m.size for m in moments[first : last + 1])
        if last - first < 3 or end.time - one.time < 0.06 or size <= limit or sizes[apex] < OWN * size:
            return
        points = np.stack([m.points for m in moments[first : apex + 1]])
        self.waiting.append(Event(self.person, one.frame, high.frame, end.frame, one.time, high.time, end.time,
                                  size, 0.0, points))  # fmt: skip

    def _own(self, moments: list[Moment]) -> np.ndarray:
        """Sizes against the way from the face before to the face after: what a turn in between leaves is no expression.

        These faces are the least sizes before and after the greatest. The way is that of the turn from the one to the
        other or, when there is none, that of time.
        """
        sizes = np.array([m.size for m in moments])
        apex = int(sizes.argmax())
        left, right = int(sizes[: apex + 1].argmin()), apex + int(sizes[apex:].argmin())
        if not left < apex < right:
            return sizes
        part = moments[left : right + 1]
        times, turns = np.array([m.time for m in part]), np.stack([m.turn for m in part])
        faces = uniform_filter1d(np.stack([m.raw - self.rest(m.turn)[0] for m in part]), 3, axis=0, origin=1)
        way = turns[-1] - turns[0]
        if float(np.linalg.norm(way)) > TURN:
            share = np.clip((turns - turns[0]) @ way / (way @ way), 0, 1)
        else:
            share = (times - times[0]) / (times[-1] - times[0])
        faces = faces - faces[0] - share[:, None, None] * (faces[-1] - faces[0])
        beside = TURNED * np.linalg.norm(turns - turns[0] - share[:, None] * way, axis=1)
        sizes = np.zeros(len(moments))
        sizes[left : right + 1] = np.maximum([_size(face) for face in faces] - beside, 0)
        return sizes

    def _speech(self, event: Event) -> float | None:
        """Peaks of the lips a second around an expression; None when it is speech."""
        part = [m for m in self.moments if event.onset_time <= m.time <= event.offset_time]
        track = np.stack([m.residual for m in part])
        if (track[:, LIPS] ** 2).sum() < LIPS_ALONE * (track[:, COUNTED] ** 2).sum():
            return 0.0
        around = [m for m in self.moments if abs(m.time - event.apex_time) <= AROUND]
        lips = np.stack([m.residual[LIPS] for m in around])
        size = np.sqrt((lips**2).sum(axis=2).mean(axis=1))
        away = np.array([abs(m.time - event.apex_time) for m in around])
        apex = size[[m.frame == event.apex for m in around]].max()
        times = np.array([m.time for m in around])[find_peaks(size, prominence=SYLLABLE * apex)[0]]
        beside = int((abs(times - event.apex_time) <= NEXT).sum())
        held = [lips[away <= window].mean(axis=0) for window in (0.25, 0.5)]
        high = size[away <= NEXT].max()  # a small syllable beside a large one is not held
        slow = min(np.sqrt((mean**2).sum(axis=1).mean()) for mean in held) / high
        jaw = (track[:, LOWER] ** 2).sum() > JAW_ALONE * (track[:, COUNTED] ** 2).sum()
        opens = jaw and np.mean([m.residual[LOWER, 1] for m in part if m.frame == event.apex]) > 0
        spoken = (len(times) >= (2 if opens else 3) or beside >= 2) and slow < HELD
        return None if spoken else len(times) / (2 * AROUND)


class Rest:
    """The face at rest: a neutral that drifts, and what turns of this head do that an average head's do not.

    Linear in yaw, pitch and roll and in products of them. A Kalman filter; variances are relative to that of what is
    seen in 1 s.
    """

    def __init__(self) -> None:
        self.mean = np.zeros((len(_about(np.zeros(3))), 2 * POINTS))
        self.cov = np.diag([1 / CALM, *[1 / LEARNED] * (len(self.mean) - 1)])

    def __call__(self, turn: np.ndarray) -> tuple[np.ndarray, float]:
        """The face at rest that has this ``turn``, (68, 2), and how unsure that is, beyond what is usual."""
        about = _about(turn)
        more = float(about @ self.cov @ about) - 1 / MEMORY
        return (about @ self.mean).reshape(POINTS, 2), max(more, 0.0) ** 0.5

    def learn(self, turn: np.ndarray, raw: np.ndarray, weight: float, step: float) -> None:
        """Learns from a frame as from ``weight`` s of it; the neutral drifts for ``step`` s, or stays: 0."""
        about = _about(turn)
        self.cov[0, 0] += step / MEMORY**2
        noise = 1 / max(weight, 1e-9)
        gain = self.cov @ about / (about @ self.cov @ about + noise)
        if not step:
            gain[0] = 0
        self.mean += np.outer(gain, raw.ravel() - about @ self.mean)
        left = np.eye(len(gain)) - np.outer(gain, about)
        self.cov = left @ self.cov @ left.T + noise * np.outer(gain, gain)

    def renew(self, residual: np.ndarray) -> None:
        """Takes the face that shows this ``residual`` for the neutral."""
        self.mean[0] += residual.ravel()
        self.cov[0], self.cov[:, 0] = 0, 0
        self.cov[0, 0] = 1 / CALM


def _about(turn: np.ndarray) -> np.ndarray:
    yaw, pitch, roll = turn
    return np.array([1, yaw, pitch, roll, yaw * yaw / 20, pitch * pitch / 20, yaw * pitch / 20])


def _size(residual: np.ndarray) -> float:
    """Root mean square over the counted points."""
    return float(np.sqrt((residual[COUNTED] ** 2).sum(axis=1).mean()))


def carried(points: np.ndarray, neutral: np.ndarray) -> np.ndarray:
    """Where a rigid head alone takes the points of ``neutral``, (68, 2) px, on the way to ``points``."""
    axis = neutral[EYE_CORNERS[1]] - neutral[EYE_CORNERS[0]]
    left, _ = explained(points, neutral)
    return points - left @ np.array([[axis[0], axis[1]], [-axis[1], axis[0]]])


def explained(points: np.ndarray, neutral: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a rigid head does not explain of the way from ``neutral`` to ``points``, both (68, 2) in px.

    Returns (68, 2) in outer eye distances, and yaw, pitch and roll in degrees, signs as the picture shows them. Least
    squares over shift, roll, nearness, yaw and pitch, in which points that move on their own count less (Huber).
    """
    axis = neutral[EYE_CORNERS[1]] - neutral[EYE_CORNERS[0]]
    scale = max(float(np.linalg.norm(axis)), 1e-6)
    turn = np.array([[axis[0], axis[1]], [-axis[1], axis[0]]]) / scale  # to a face without roll
    face = (neutral - neutral.mean(axis=0)) @ turn.T / scale
    moved = (points - neutral) @ turn.T / scale
    depth, zero, one = HEAD[:, 2] - HEAD[:, 2].mean(), np.zeros(POINTS), np.ones(POINTS)
    modes = np.stack([
        np.stack([one, zero], 1), np.stack([zero, one], 1), face, np.stack([-face[:, 1], face[:, 0]], 1),
        np.stack([depth, zero], 1), np.stack([zero, depth], 1),
    ])  # fmt: skip
    weight = STEADY
    flat = modes.reshape(len(modes), -1)
    amount = np.zeros(len(modes))
    for _ in range(3):
        w = np.repeat(weight, 2)
        amount = np.linalg.solve((flat * w) @ flat.T + 1e-9 * np.eye(len(flat)), (flat * w) @ moved.ravel())
        left = moved - np.tensordot(amount, modes, 1)
        off = np.linalg.norm(left, axis=1)
        spread = 1.5 * max(float(np.median(off[STEADY > 0])), 1e-4)
        weight = STEADY * np.minimum(1, spread / np.maximum(off, spread))
    turned = np.arcsin(np.clip(amount[4:], -1, 1))
    return left, np.rad2deg([*turned, np.arctan2(amount[3], 1 + amount[2])])
