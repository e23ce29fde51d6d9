"""Does ``lmf-fer spot`` find the expressions in films of minutes, and name them?

    python -m benchmarks.spotting                   # landmark tracks of 16 people, minutes on one core
    python -m benchmarks.spotting --videos ROOT     # CAS(ME)^2 or SAMM Long Videos as their authors ship them

Simulated films (benchmarks/films.py) of people who are in no training. What a method can choose was chosen on other
people, the development films: the constants in lmf_fer/spot/events.py by hand, the baseline's threshold here.
Metrics are the grand challenge's (MEGC): an expression is found when the interval from onset to offset overlaps the
true one at IoU 0.5 and is of the same kind; precision, recall and F1 are of all films together. STRS is F1 of spotting
times the mean over emotions of F1 of recognition, of the expressions that were found. False alarms are counted on films
with blinks, speech-like motion and turns of the head only. The table of tracks is written to spotting.md beside this
file, that of a data set is printed. Emotions of CAS(ME)^2 are the challenge's three classes, and SAMM has none.

The baseline is SFEM against the film's median landmarks, above a fixed threshold. benchmarks/spotting_rendered.py has
films that are rendered, through the whole of spot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from benchmarks import common, films, long_videos
from lmf_fer.predict.predictor import Predictor
from lmf_fer.spot.events import MICRO, Event, Finder
from lmf_fer.spot.films import Film
from lmf_fer.spot.spotter import Spotter
from stages.featurize.lmf import lmf, sfem
from stages.ingest.megc import CODES, pictures
from stages.simulate.actors import errors, people
from stages.simulate.assets import load
from stages.simulate.params import Variety
from stages.tables import params, stage
from stages.tables.schema import EMOTIONS

DEVELOPMENT, REPORTED = range(1000, 1008), range(16)
"""Numbers of the people on whom choices are made, and of those on whom is reported. Each has both kinds of film."""
SECONDS = 90.0
OVERLAP = 0.5
"""Intersection over union at which an expression is found."""
THRESHOLDS = np.geomspace(0.2, 20, 41)
"""Of the baseline's SFEM, 1/px, of which the best on the development films is taken."""


@dataclass(frozen=True)
class Found:
    """An expression that a method spotted: frames from 1, kind, and landmarks (n, 68, 2) from onset to apex."""

    onset: int
    apex: int
    offset: int
    kind: str
    points: np.ndarray


@dataclass
class Count:
    """What is found in films: of each kind true, spotted, and both; pairs of true and recognised emotions; minutes."""

    true: dict[str, int] = field(default_factory=lambda: {"macro": 0, "micro": 0})
    spotted: dict[str, int] = field(default_factory=lambda: {"macro": 0, "micro": 0})
    hits: dict[str, int] = field(default_factory=lambda: {"macro": 0, "micro": 0})
    emotions: list[tuple[int, int]] = field(default_factory=list)
    alarms: int = 0
    minutes: float = 0.0

    def add(self, truth: Sequence[films.Truth], found: Sequence[Found], name: Callable[[np.ndarray], int] | None,
            minutes: float) -> None:  # fmt: skip
        """A film, with ``truth`` or, where it is none, of so many ``minutes`` without expression."""
        if not truth:
            self.alarms, self.minutes = self.alarms + len(found), self.minutes + minutes
            return
        for kind in self.true:
            mine, theirs = [t for t in truth if t.kind == kind], [f for f in found if f.kind == kind]
            pairs = matched(mine, theirs)
            self.true[kind] += len(mine)
            self.spotted[kind] += len(theirs)
            self.hits[kind] += len(pairs)
            self.emotions += (
                [(mine[i].emotion, name(theirs[j].points)) for i, j in pairs if mine[i].emotion] if name else []
            )

    def f1(self, *kinds: str) -> float:
        """F1 of spotting the kinds together; without any: of all."""
        hits, true, spotted = (sum(part[kind] for kind in kinds or part) for part in
                               (self.hits, self.true, self.spotted))  # fmt: skip
        return 2 * hits / max(true + spotted, 1)

    def row(self) -> dict[str, float]:
        """A line of the table."""
        line = {}
        for kind in self.true:
            line[f"{kind} precision"] = self.hits[kind] / max(self.spotted[kind], 1)
            line[f"{kind} recall"] = self.hits[kind] / max(self.true[kind], 1)
            line[f"{kind} F1"] = self.f1(kind)
        recognition = mean_f1(self.emotions)
        return line | {"F1": self.f1(), "recognition F1": recognition, "STRS": self.f1() * recognition,
                       "false alarms a minute": self.alarms / self.minutes if self.minutes else np.nan}  # fmt: skip


def matched(truth: Sequence[films.Truth], found: Sequence[Found]) -> list[tuple[int, int]]:
    """Pairs whose intervals overlap at IoU 0.5 or more, each at most once, the best first."""
    pairs = []
    for i, one in enumerate(truth):
        for j, two in enumerate(found):
            both = min(one.offset, two.offset) - max(one.onset, two.onset) + 1
            whole = max(one.offset, two.offset) - min(one.onset, two.onset) + 1
            if both / whole >= OVERLAP:
                pairs.append((both / whole, i, j))
    kept: list[tuple[int, int]] = []
    for _, i, j in sorted(pairs, reverse=True):
        if all(i != a and j != b for a, b in kept):
            kept.append((i, j))
    return kept


def mean_f1(pairs: Iterable[tuple[int, int]]) -> float:
    """The mean of F1 over the true classes of (true, answered); 0 of none."""
    true, answered = np.array(list(pairs), int).reshape(-1, 2).T
    scores = [
        2 * ((true == c) & (answered == c)).sum() / ((true == c).sum() + (answered == c).sum()) for c in np.unique(true)
    ]
    return float(np.mean(scores)) if scores else 0.0


def by_finder(points: np.ndarray, rate: float) -> list[Found]:
    """What ``lmf-fer spot`` finds in landmarks (frames, 68, 2), px."""
    finder = Finder(1)
    events = [e for k, frame in enumerate(points) for e in finder(k + 1, k / rate, frame)[1]] + finder.close()
    return [found_of(event) for event in events]


def found_of(event: Event) -> Found:
    return Found(event.onset, event.apex, event.offset, event.kind, event.points)


def sizes(points: np.ndarray) -> np.ndarray:
    """SFEM of each frame's landmarks against the film's median ones, (frames,)."""
    usual = np.median(points, axis=0)
    pairs = (np.stack([usual, frame]) for frame in points)
    return np.array([sfem(lmf(pair), pair) for pair in pairs])


def by_sfem(points: np.ndarray, size: np.ndarray, rate: float, threshold: float) -> list[Found]:
    """The baseline: stretches of three frames and more whose SFEM is above a threshold."""
    above = np.diff(np.r_[0, (size > threshold).astype(int), 0])
    found = []
    for first, stop in zip(np.flatnonzero(above > 0).tolist(), np.flatnonzero(above < 0).tolist(), strict=True):
        apex = first + int(size[first:stop].argmax())
        if stop - first >= 3:
            kind = "micro" if (stop - 1 - first) / rate <= MICRO else "macro"
            part = points[first : max(apex + 1, first + 3)]
            found.append(Found(first + 1, apex + 1, stop, kind, part))
    return found


T = TypeVar("T")
Track = tuple[films.Script, np.ndarray]
"""A film and the landmarks measured in it, (frames, 68, 2), px."""


def tracks(numbers: range, variety: Variety) -> list[Track]:
    """Two films of each person, one with expressions and one without."""
    model, error_model = people.reduced(load()), errors.load()
    scripts = [(n, films.script(2 * n + part, SECONDS, part == 0, variety)) for n in numbers for part in (0, 1)]
    return [(told, films.track(model, error_model, n, told)) for n, told in stage.progress(scripts, "films")]


def count(
    tracks: Iterable[Track], spot: Callable[[np.ndarray, float], list[Found]], name: Callable[[np.ndarray], int] | None
) -> Count:
    """What a method finds in films and, with ``name``, what the network says of it."""
    total = Count()
    for told, points in tracks:
        total.add(told.events, spot(points, told.rate), name, len(points) / told.rate / 60)
    return total


def sfem_spotter(
    development: Iterable[tuple[list[films.Truth], np.ndarray, float]],
) -> Callable[[np.ndarray, float], list[Found]]:
    """The baseline with the threshold of the best F1 on films: expressions, landmarks (frames, 68, 2), frames a s."""
    measured = [(events, (points, sizes(points), rate)) for events, points, rate in development]
    threshold = best(THRESHOLDS, measured, lambda film, choice: by_sfem(*film, choice))
    return lambda points, rate: by_sfem(points, sizes(points), rate, threshold)


def best(
    choices: np.ndarray, development: Sequence[tuple[list[films.Truth], T]], spot: Callable[[T, float], list[Found]]
) -> float:
    """The choice of the best F1 on films, each with its expressions and what ``spot`` reads of it."""

    def f1(choice: float) -> float:
        total = Count()
        for events, film in development:
            total.add(events, spot(film, choice), None, 1)
        return total.f1()

    return max(choices.tolist(), key=f1)


def shipped() -> Callable[[np.ndarray], int]:
    """The code of the emotion that the shipped LMF-FER sees in landmarks (n, 68, 2)."""
    predictor = Predictor.load(networks="shipped")
    return lambda points: int(predictor.recognise(points)[0].argmax()) + 1


def of_videos(root: Path, name: Callable[[np.ndarray], int]) -> str:
    """The table of a data set of long videos. Raises UserError when ``root`` is none."""
    classes = dict.fromkeys(EMOTIONS, CODES["negative"]) | {5: CODES["positive"], 7: CODES["surprise"]}
    total = Count()
    for video in stage.progress(long_videos.read(root), "videos"):
        numbers = list(pictures(video.folder))
        spotter = Spotter()
        known = [event for frame in Film(video.folder, video.rate) for event in spotter(frame.time, frame.grey)]
        events = [*known, *spotter.close()]
        found = [Found(*(numbers[k - 1] for k in (e.onset, e.apex, e.offset)), e.kind, e.points) for e in events]
        total.add(video.events, found, lambda points: classes[name(points)], len(numbers) / video.rate / 60)
    return common.markdown(pd.DataFrame({"LMF-FER spot": total.row()}).T, "{:.4f}".format)


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--videos", type=Path, metavar="ROOT", help="a data set of long videos")
    arguments = parser.parse_args()
    common.one_thread()
    variety = params.line("simulate.variety", Variety)
    name = shipped()
    if arguments.videos:
        print(of_videos(arguments.videos, name))
        return
    development, reported = tracks(DEVELOPMENT, variety), tracks(REPORTED, variety)
    methods = {
        "LMF-FER spot": by_finder,
        "SFEM, fixed threshold": sfem_spotter((told.events, points, told.rate) for told, points in development),
    }
    rows = {method: count(reported, spot, name).row() for method, spot in methods.items()}
    events = sum(len(told.events) for told, _ in reported)
    text = f"""{common.markdown(pd.DataFrame(rows).T, "{:.2f}".format)}
Landmark tracks of {len(REPORTED)} simulated people, two films of {SECONDS:g} s each, with {events} expressions.
Constants were chosen on {len(DEVELOPMENT)} other people (development).
"""
    common.save("spotting", "Expressions in films", text)


if __name__ == "__main__":
    stage.run(main)
