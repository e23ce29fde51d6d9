"""How precise are the landmarks? Every method against the ground truth of the simulated faces.

    python -m benchmarks.landmarks                 # people of folds 0 and 5, about five minutes on one core
    python -m benchmarks.landmarks --folds 0 1 2

Reads the tables that ``make reproduce`` left in data/, and writes landmarks.md and landmarks.svg beside this file,
which the report shows. No model has seen the people it is tested on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

from benchmarks import common
from stages.featurize.lmf import lmf, sfem
from stages.landmark import shipped
from stages.landmark.detection import Dlib
from stages.landmark.landmarker import Detector, Landmarker
from stages.landmark.methods import METHODS
from stages.landmark.params import Landmark
from stages.report.style import COLOURS, RECORDINGS, WIDTH, render, style
from stages.tables import files, images, params, parquet, stage
from stages.tables.box import Box
from stages.tables.points import EYE_CORNERS
from stages.tables.schema import EMOTIONS, FRAMES, GENERAL, MICRO, SEQUENCES

TABLES = {GENERAL: Path("data/interim/frames.parquet"), MICRO: Path("data/interim/micro.parquet")}
NOISE = 2.0
"""Sensor noise of the still face, grey levels."""

PALETTE = (*COLOURS.values(), *RECORDINGS.values())

Find = Callable[[np.ndarray, Box], np.ndarray]


def plain_flow(detect: Detector, smoothing: float) -> Find:
    """dlib in frame 1, carried by one smoothed DIS flow from frame 1 to t: what the default has to beat."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def find(frames: np.ndarray, box: Box) -> np.ndarray:
        start = detect(frames[0], box)
        points = [start]
        for frame in frames[1:]:
            flow = cv2.GaussianBlur(dis.calc(frames[0], frame, None), (0, 0), smoothing)
            points.append(start + cv2.remap(flow, start[:, :1], start[:, 1:], cv2.INTER_LINEAR).reshape(-1, 2))
        return np.stack(points)

    return find


def reference(detect: Detector, frames: np.ndarray, box: Box) -> float:
    """Milliseconds a frame of one dlib prediction and one DIS flow."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    start = time.process_time()
    for frame in frames:
        detect(frame, box)
        dis.calc(frames[0], frame, None)
    return (time.process_time() - start) / len(frames) * 1000


def still(frame: np.ndarray, count: int, seed: int) -> np.ndarray:
    """``count`` frames of a face that does not move: its own noise taken off, fresh noise put on."""
    clean = cv2.fastNlMeansDenoising(frame, h=3 * NOISE).astype(float)
    noise = np.random.default_rng(seed).normal(0, NOISE, (count, *frame.shape))
    return np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)


def lengths(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1)


def measure(find: Find, kind: str, frames: np.ndarray, truth: np.ndarray, box: Box) -> dict[str, object]:
    """One line of numbers for one sequence; ``truth`` is (frames, 68, 2) in crop px."""
    start = time.process_time()
    points = find(frames, box)
    spent = time.process_time() - start
    right, left = EYE_CORNERS
    eyes = lengths(truth[0, right] - truth[0, left])
    static = lengths(points - truth).mean(axis=1) / eyes * 100
    motion = lengths((points - points[0]) - (truth - truth[0])).mean(axis=1)
    line = {
        "set": kind, "static": static.mean(), "end": static[-1], "motion": motion[1:].mean(), "motion_end": motion[-1],
        "failed": (static > 10).mean(), "sfem": sfem(lmf(points), points), "true_sfem": sfem(lmf(truth), truth),
        "curve": motion, "ms": spent / len(frames) * 1000,
    }  # fmt: skip
    if kind == MICRO:
        rested = find(still(frames[0], 9, seed=len(frames)), box)
        line["jitter"] = np.sqrt(np.mean((rested - rested.mean(axis=0)) ** 2) * 9 / 8)
    return line


def points_of(landmarker: Landmarker) -> Find:
    return lambda frames, box: landmarker(frames, box).points


def finders(fold: int, sequences: pd.DataFrame, settings: Landmark, root: Path) -> dict[str, Find]:
    """Every method as a function from frames and box to points. No fitted model has seen the people of ``fold``."""
    models: dict[object, Detector | None] = {None: None}
    ways = {"DIS from frame 1": plain_flow(Dlib(settings.upscale), settings.flow_smoothing)}
    for name, method in METHODS.items():
        if method.fit and method.fit not in models:
            models[method.fit] = method.fit(fold, sequences, TABLES[GENERAL], root)
        if method.landmarker:  # the others are the data set's own points, which are the truth here
            ways[name] = points_of(method.landmarker(settings, models[method.fit]))
    return ways


def run(folds: list[int]) -> pd.DataFrame:
    """One line for each sequence, set and method."""
    settings, root = params.read(Landmark), Path(params.line("dataset.root", str))
    originals, detect = params.line("protocol.originals", int), Dlib(settings.upscale)
    sequences = parquet.read(Path("data/interim/sequences.parquet"), SEQUENCES)
    numbers = {kind: parquet.index(path, FRAMES) for kind, path in TABLES.items()}
    lines = []
    for fold in folds:
        ways = finders(fold, sequences, settings, root)
        rows = list(sequences[sequences["fold"] == fold].itertuples())
        for row in stage.progress(rows, f"fold {fold}"):
            name, corner = row.sequence, np.array([row.crop_x, row.crop_y], np.float32)
            truth = shipped.read(root, name, row.frames) - corner
            box = Box(row.box_x - corner[0], row.box_y - corner[1], row.box_width, row.box_height)
            for kind, path in TABLES.items():
                if name not in numbers[kind]:
                    continue
                pngs = parquet.read_sequence(path, FRAMES, numbers[kind][name])["png"]
                frames = images.decode(pngs, f"{path}: {name}")
                right = truth if kind == GENERAL else shipped.between(truth, originals, len(frames))
                common_to_all = {"emotion": EMOTIONS[row.emotion], "reference": reference(detect, frames, box)}
                lines += [
                    {"method": way} | measure(find, kind, frames, right, box) | common_to_all
                    for way, find in ways.items()
                ]
    return pd.DataFrame(lines)


def summary(lines: pd.DataFrame) -> pd.DataFrame:
    """The table: one row for each method."""
    rows = {}
    for way, part in lines.groupby("method", sort=False):
        general, micro = part[part["set"] == GENERAL], part[part["set"] == MICRO]
        surprise = general[general["emotion"] == "surprise"]
        rows[way] = {
            "static, general %": general["static"].mean(),
            "static, micro %": micro["static"].mean(),
            "motion, general px": general["motion"].mean(),
            "motion, micro px": micro["motion"].mean(),
            "end of surprise %": surprise["end"].mean(),
            "end of surprise px": surprise["motion_end"].mean(),
            "still face px": micro["jitter"].mean(),
            "SFEM micro/general": micro["sfem"].median() / general["sfem"].median(),
            "its true value": micro["true_sfem"].median() / general["true_sfem"].median(),
            "SFEM AUC": roc_auc_score(part["set"] == GENERAL, part["sfem"]),
            "failed %": 100 * part["failed"].mean(),
            "ms a frame": part["ms"].mean(),
            "of dlib + DIS": part["ms"].mean() / part["reference"].mean(),
        }
    return pd.DataFrame(rows).T


def draw(lines: pd.DataFrame) -> Figure:
    """Error of motion along the sequences of both sets, and error of position, one colour for each method."""
    figure = Figure((WIDTH, 5.6))
    grid = figure.add_gridspec(2, 2, height_ratios=(3, 2))
    left, right, below = (figure.add_subplot(grid[place]) for place in ((0, 0), (0, 1), (1, slice(None))))
    share, ways = np.linspace(0, 1, 21), list(lines["method"].unique())
    colours, marks = dict(zip(ways, cycle(PALETTE))), dict(zip(ways, cycle("osD^v")))
    for way in ways:
        part, look = lines[lines["method"] == way], {"color": colours[way], "marker": marks[way], "markersize": 4}
        general = [np.interp(share, np.linspace(0, 1, len(c)), c) for c in part[part["set"] == GENERAL]["curve"]]
        left.plot(100 * share, np.mean(general, axis=0), markevery=4, label=way, **look)
        micro = np.mean(np.stack(list(part[part["set"] == MICRO]["curve"])), axis=0)
        right.plot(np.arange(2, len(micro) + 1), micro[1:], **look)
    left.set(title="general", xlabel="neutral to apex, % of the sequence", xlim=(0, 100), ylim=(0, None))
    left.set_ylabel("error of motion since frame 1, px")
    right.set(title="micro", xlabel="frame", yscale="log")
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1]
    right.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    right.minorticks_off()
    table = lines.pivot_table(index="method", columns="set", values="static", sort=False).loc[ways]
    spots = np.arange(len(ways))
    for shift, (kind, hatch) in enumerate(((GENERAL, ""), (MICRO, "////"))):
        below.barh(spots + 0.4 * shift, table[kind], 0.36, color=[colours[way] for way in ways], hatch=hatch,
                   edgecolor="white", linewidth=0.3)  # fmt: skip
    below.set(title="position (hatched: micro)", xlabel="error, % of the outer eye distance")
    below.set_yticks(spots + 0.2, ways)
    below.invert_yaxis()
    below.grid(axis="y", visible=False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=len(ways), columnspacing=1.2)
    return figure


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 5], help="the people that are tested")
    folds = parser.parse_args().folds
    common.one_thread()
    lines = run(folds)
    count = int(lines.groupby(["method", "set"]).size().iloc[0])
    text = f"Landmarks against ground truth: {count} sequences of each set, held-out simulated people.\n\n"
    common.save("landmarks", "Landmarks", text + common.markdown(summary(lines).T))
    with style():
        files.write(common.HERE / "landmarks.svg", render(draw(lines))["svg"])


if __name__ == "__main__":
    stage.run(main)
