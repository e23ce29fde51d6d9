"""Does ``lmf-fer spot`` find the expressions in rendered films, from pictures to names?

    python -m benchmarks.spotting_rendered              # a quarter of an hour on one core
    python -m benchmarks.spotting_rendered --scenes     # films of two people with cuts, some minutes

Films (benchmarks/films.py) of people who are in no training, rendered as the simulated data set is. Metrics are those
of benchmarks/spotting.py. Constants and thresholds were chosen on films of other people. Writes spotting_rendered.md
and spotting_rendered.svg beside this file, of scenes spotting_scenes.md.

Baselines: optical flow over 0.3 s about the brows and the mouth, less that of the nose, its main direction (MDMO: Liu
et al., IEEE Trans. Affective Computing 7, 2016), and a peak finder; and SFEM against the film's median landmarks, above
a fixed threshold. Both get the landmarks that spot has followed.

Scenes show two people and have cuts. Each person that spot follows is taken for the one whose face is nearest most of
the time.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.signal import find_peaks

from benchmarks import common, films
from benchmarks.films import Truth
from benchmarks.spotting import Count, Found, best, found_of, sfem_spotter, shipped
from lmf_fer.spot.events import MICRO, Event
from lmf_fer.spot.spotter import Spotter
from stages.report.style import BLUE, GREEN, ORANGE, WIDTH, render, style
from stages.simulate.params import Simulate
from stages.tables import files, params, stage
from stages.tables.points import LEFT_BROW, NOSE, RIGHT_BROW

DEVELOPMENT, REPORTED, SECONDS = range(2000, 2001), range(100, 106), 30.0
"""People on whom the baselines' thresholds are chosen, and on whom is reported; each has two films of so many s."""
SCENES, SCENE_SECONDS = ((200, 201), (202, 203)), 20.0
"""Pairs of people who share a film, and its length, s."""
PROMINENCES = np.geomspace(0.005, 1, 25)
"""Of the peaks of flow, px of a face 128 px wide, of which the best on the development films is taken."""
PLACES = (RIGHT_BROW, LEFT_BROW, slice(48, 49), slice(54, 55), slice(50, 53), slice(56, 59))
"""Landmarks about which flow is measured: the brows, the corners of the mouth, the lips."""
SPOT, FLOW, SFEM = "LMF-FER spot", "main direction of flow, peaks", "SFEM, fixed threshold"
COLOURS = {SPOT: BLUE, FLOW: GREEN, SFEM: ORANGE}
LABELS = {SPOT: "spot", FLOW: "flow", SFEM: "SFEM"}


@dataclass(frozen=True)
class Seen:
    """A film, read: what spot finds, and of each frame the landmarks (68, 2), its size of expression, and flow."""

    rate: float
    events: list[Truth]
    found: list[Found]
    points: np.ndarray
    size: np.ndarray
    flow: np.ndarray


def watch(frames: Iterable[np.ndarray], rate: float, events: list[Truth]) -> Seen:
    """Everything that the methods need of a film of one person, ``frames`` uint8 (height, width)."""
    spotter, dis = Spotter(), cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    found: list[Event] = []
    points: list[np.ndarray] = []
    size, flow = [], [0.0]
    before: deque[np.ndarray] = deque(maxlen=max(round(0.3 * rate), 1))
    for number, frame in enumerate(frames):
        found += spotter(number / rate, frame)
        moment = next((moment for moment, _ in spotter.moments.values()), None)
        last = points[-1] if points else np.zeros((68, 2), np.float32)
        points.append(moment.points if moment else last)
        size.append(moment.size if moment else 0.0)
        if before:
            flow.append(main_direction(dis, before[0], frame, points[-1]) if points[0].any() else 0.0)
        before.append(frame)
    spotted = [found_of(event) for event in [*found, *spotter.close()]]
    return Seen(rate, events, spotted, np.array(points), np.array(size), np.array(flow[: len(points)]))


def main_direction(dis: cv2.DISOpticalFlow, before: np.ndarray, after: np.ndarray, points: np.ndarray) -> float:
    """Mean over PLACES of the mean length of flow in its most frequent direction of eight, px of a 128 px face."""
    left, top = np.maximum(points.min(axis=0), 0).astype(int)
    right, bottom = np.maximum(points.max(axis=0), (left + 8, top + 8)).astype(int)
    scale = 128 / (right - left)
    crops = [frame[top:bottom, left:right] for frame in (before, after)]
    if min(crops[0].shape) < 8:
        return 0.0
    motion = dis.calc(*(cv2.resize(crop, None, fx=scale, fy=scale) for crop in crops), None)
    inside = (points - (left, top)) * scale

    def around(place: slice) -> np.ndarray:
        (x, y), (width, height) = inside[place].mean(axis=0).astype(int), motion.shape[1::-1]
        x, y = min(max(x, 8), width - 8), min(max(y, 8), height - 8)
        return motion[y - 8 : y + 8, x - 8 : x + 8].reshape(-1, 2)

    head = around(NOSE).mean(axis=0)
    sizes = []
    for place in PLACES:
        moved = around(place) - head
        way = np.floor((np.arctan2(moved[:, 1], moved[:, 0]) + np.pi) / (np.pi / 4)).astype(int) % 8
        main = np.bincount(way, minlength=8).argmax()
        sizes.append(float(np.linalg.norm(moved[way == main].mean(axis=0))))
    return float(np.mean(sizes))


def by_flow(seen: Seen, prominence: float) -> list[Found]:
    """The baseline: from half the height before a peak of flow to half the height after it."""
    smooth = np.convolve(seen.flow, np.ones(5) / 5, "same")
    peaks, about = find_peaks(smooth, prominence=prominence, width=1)
    found = []
    for peak, first, last in zip(peaks, about["left_ips"], about["right_ips"], strict=True):
        kind = "micro" if (last - first) / seen.rate <= MICRO else "macro"
        part = seen.points[int(first) : max(int(peak) + 1, int(first) + 3)]
        found.append(Found(int(first) + 1, int(peak) + 1, int(last) + 1, kind, part))
    return found


def rendered(numbers: range, settings: Simulate) -> Iterator[Seen]:
    """Two rendered films of each person, one with expressions and one without, both read."""
    for number, part in stage.progress([(n, part) for n in numbers for part in (0, 1)], "films"):
        told = films.script(2 * number + part, SECONDS, part == 0, settings.variety)
        frames = (image for image, _ in films.rendered(number, told, settings.variety, settings.noise))
        yield watch(frames, told.rate, told.events)


def of_films(name: Callable[[np.ndarray], int], settings: Simulate) -> tuple[str, Figure]:
    """The table of the methods on films of one person, and a picture of the first one's films."""
    development, reported = (list(rendered(numbers, settings)) for numbers in (DEVELOPMENT, REPORTED))

    sfem = sfem_spotter((seen.events, seen.points, seen.rate) for seen in development)
    prominence = best(PROMINENCES, [(seen.events, seen) for seen in development], by_flow)
    methods: dict[str, Callable[[Seen], list[Found]]] = {
        SPOT: lambda seen: seen.found,
        FLOW: lambda seen: by_flow(seen, prominence),
        SFEM: lambda seen: sfem(seen.points, seen.rate),
    }
    totals = {method: Count() for method in methods}
    for seen in reported:
        for method, spot in methods.items():
            totals[method].add(seen.events, spot(seen), name, len(seen.points) / seen.rate / 60)
    rows = pd.DataFrame({method: total.row() for method, total in totals.items()}).T
    events = sum(len(seen.events) for seen in reported)
    text = f"""{common.markdown(rows, "{:.2f}".format)}
Rendered films of {len(REPORTED)} simulated people, two of {SECONDS:g} s each, with {events} expressions.
The baselines' thresholds were chosen on {len(DEVELOPMENT)} other person.
"""
    return text, draw(reported[0], {method: spot(reported[0]) for method, spot in methods.items()}, rows)


def draw(seen: Seen, found: dict[str, list[Found]], rows: pd.DataFrame) -> Figure:
    """The methods side by side: their scores above, and a film with what each of them spots in it below."""
    figure = Figure((WIDTH, 5.2))
    above, below = figure.subplots(2, 1, height_ratios=(1, 1.1))
    scores = ["macro F1", "micro F1", "recognition F1", "STRS"]
    for k, method in enumerate(found):
        places = np.arange(len(scores)) + 0.27 * (k - 1)
        alarms = rows.loc[method, "false alarms a minute"]
        bars = above.bar(places, rows.loc[method, scores], 0.25, color=COLOURS[method],
                         label=f"{method}: {alarms:.1f} false alarms a minute")  # fmt: skip
        above.bar_label(bars, fmt="%.2f", fontsize=7.5)
    above.set(xticks=range(len(scores)), xticklabels=scores, ylim=(0, 1.5), yticks=(0, 0.25, 0.5, 0.75, 1))
    above.grid(axis="x", visible=False)
    above.legend(loc="upper left")
    time, top = np.arange(len(seen.size)) / seen.rate, 1.1 * float(seen.size.max())
    below.plot(time, seen.size, color="#444444", linewidth=0.9)
    lines: dict[str, Sequence[Truth | Found]] = {"true": seen.events, **found}
    for k, (method, events) in enumerate(lines.items()):
        y, colour = -0.16 * (k + 1) * top, COLOURS.get(method, "#000000")
        for event in events:
            parts = ((event.onset - 1) / seen.rate, (event.offset - event.onset) / seen.rate)
            below.broken_barh([parts], (y, 0.11 * top), color=colour, alpha=1 if event.kind == "macro" else 0.5)
            if method == "true":
                below.axvspan(parts[0], sum(parts), color="#000000", alpha=0.07, linewidth=0)
        below.text(-0.01, y + 0.05 * top, LABELS.get(method, method), transform=below.get_yaxis_transform(), ha="right",
                   va="center", fontsize=7.5, color=colour)  # fmt: skip
    ticks = [tick for tick in below.get_yticks() if 0 <= tick < top]
    below.set(ylim=(-0.16 * (len(lines) + 0.2) * top, top), yticks=ticks, xlim=(0, time[-1]), xlabel="s")
    below.set_title("One film: size of the expression, and what is found (micro: pale)")
    return figure


def of_scenes(name: Callable[[np.ndarray], int], settings: Simulate) -> str:
    """What spot finds in films of two people with cuts."""
    total, counted = Count(), 0
    for people in stage.progress(SCENES, "scenes"):
        told = films.scene(*people, SCENE_SECONDS, settings.variety)
        rate, spotter = told.scripts[0].rate, Spotter()
        known: list[Event] = []
        nearest: defaultdict[int, Counter[int]] = defaultdict(Counter)
        for number, (frame, true) in enumerate(films.scene_rendered(people, told, settings.variety, settings.noise)):
            known += spotter(number / rate, frame)
            for person, (moment, _) in spotter.moments.items():
                away = {who: float(np.abs(points - moment.points).mean()) for who, points in true.items()}
                nearest[person][min(away, key=away.__getitem__)] += 1
        known += spotter.close()
        who = {person: votes.most_common(1)[0][0] for person, votes in nearest.items()}
        counted += sorted(who.values()) == [0, 1]
        for person in (0, 1):
            mine = [found_of(event) for event in known if who[event.person] == person]
            total.add(told.seen(person), mine, name, SCENE_SECONDS / 60)
    return f"""{common.markdown(pd.DataFrame({SPOT: total.row()}).drop("false alarms a minute").T, "{:.2f}".format)}
{len(SCENES)} films of {SCENE_SECONDS:g} s with two people: both, the one, the other, and both again, with a cut in
between, and {sum(total.true.values())} expressions, which are matched person by person.
Two people are counted in {counted} of the films.
"""


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--scenes", action="store_true", help="films of two people with cuts")
    arguments = parser.parse_args()
    common.one_thread()
    settings, name = params.read(Simulate), shipped()
    if arguments.scenes:
        common.save("spotting_scenes", "Expressions of two people in films with cuts", of_scenes(name, settings))
        return
    with style():
        text, figure = of_films(name, settings)
        picture = render(figure)["svg"]
    common.save("spotting_rendered", "Expressions in rendered films", text)
    files.write(common.HERE / "spotting_rendered.svg", picture)


if __name__ == "__main__":
    stage.run(main)
