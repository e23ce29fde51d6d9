"""How good are the frames in between? Every interpolator against frames that were really rendered there.

    python -m benchmarks.interpolation                 # 7 people, about three minutes on one core

The people are in no fold and in no training data. SepConv's weights are read from ``synthesize.weights``: with
``synthesize.interpolator: sepconv`` in params.yaml, ``dvc repro data/dvc.yaml:interpolator`` makes them, in minutes.
Without them SepConv is left out.
Writes interpolation.md and interpolation.png beside this file, which the report shows.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from benchmarks import common
from stages.ingest.faces import crop_box, find_face
from stages.ingest.params import Ingest
from stages.landmark.landmarker import Landmarker
from stages.landmark.methods import METHODS as LANDMARKERS
from stages.landmark.params import Landmark
from stages.report.style import WIDTH, render, style
from stages.simulate import score, sequence, tree
from stages.simulate.params import Variety
from stages.simulate.portraits.film import FIRST
from stages.synthesize.interpolators import choose
from stages.synthesize.recursion import Interpolator, densify, depth
from stages.synthesize.separable import filter_cpu, filter_torch
from stages.synthesize.sepconv import PUBLISHED, SepConv, midpoints
from stages.tables import files, params, stage
from stages.tables.box import Box
from stages.tables.errors import UserError
from stages.tables.schema import EMOTIONS

METHODS = ("average", "flow", "rife", "sepconv")
LENGTH = 12
"""Frames of a simulated sequence."""
CLIPS = {"first three frames": (0, 1, 2), "whole sequence": (0, LENGTH // 2, LENGTH - 1)}
"""The frames of a sequence between which frames are made: what the pipeline does, and larger motions."""
WARPS = (1, 2, 3)
"""Longest motion between the two frames of a warped picture, px."""
ALL_WARPS = f"warps of {WARPS[0]} to {WARPS[-1]} px"
MOVED = 3
"""What differs by more than this between the clean frames on both sides is the moving region, grey levels ..."""
AROUND = 9
"""... and what lies in a window of this side around it, px."""

Case = tuple[str, np.ndarray, np.ndarray | None, Box | None]
"""A kind, the true frames (odd count, height, width), and for a sequence its true landmarks and its face box."""


def clip(whole: score.Score, kept: tuple[int, ...], frames: int) -> score.Score:
    """The score of ``frames`` frames that lie evenly between the ``kept`` ones: the truth about in-betweens."""
    at = np.linspace(0, len(kept) - 1, frames)
    before = np.minimum(at.astype(int), len(kept) - 2)
    shares, first, second = at - before, np.take(kept, before), np.take(kept, before + 1)

    def blend(values: np.ndarray) -> np.ndarray:
        share = shares.reshape(-1, *[1] * (values.ndim - 1))
        return (1 - share) * values[first] + share * values[second]

    return replace(whole, actions=blend(whole.actions), poses=blend(whole.poses))


def warped(picture: np.ndarray, longest: float, generator: np.random.Generator) -> np.ndarray:
    """The picture between two copies of it, moved both ways by a smooth random motion: at most ``longest`` px."""
    motion = np.stack(
        [cv2.GaussianBlur(generator.standard_normal(picture.shape), (0, 0), 16) for _ in range(2)], -1
    ).astype(np.float32)
    motion *= longest / 2 / np.linalg.norm(motion, axis=-1).max()
    grid = np.stack(np.meshgrid(*map(np.arange, picture.shape[::-1])), -1).astype(np.float32)
    outer = (cv2.remap(picture.astype(np.float32), grid + way * motion, None, cv2.INTER_LANCZOS4,
                       borderMode=cv2.BORDER_REPLICATE) for way in (-1, 1))  # fmt: skip
    first, last = (np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in outer)
    return np.stack([first, picture, last])


def cases(people: range, margin: float) -> Iterator[Case]:
    """Everything that is interpolated: warped pictures and sequences of people who are in no other data."""
    assets, maps = tree.model()
    variety = params.line("simulate.variety", Variety)
    for number in stage.progress(people, "people"):
        who = sequence.subject(assets, variety, np.random.default_rng([number, FIRST, 0]))
        generator = np.random.default_rng([number, FIRST, 1])
        whole = score.draw(number % len(EMOTIONS) + 1, LENGTH, who.habits, variety, generator)
        for kind, kept in CLIPS.items():
            filmed = list(sequence.film(assets, maps, who, clip(whole, kept, 9), 0.0, generator))
            frames, points = (np.stack(part) for part in zip(*filmed, strict=True))
            face = find_face(frames[0], 0, Path(kind))
            crop = crop_box(face, margin, *frames.shape[:0:-1])
            frames = np.ascontiguousarray(frames[:, crop.y : crop.y + crop.height, crop.x : crop.x + crop.width])
            box = Box(face.x - crop.x, face.y - crop.y, face.width, face.height)
            yield kind, frames, points - (crop.x, crop.y), box
        for longest in WARPS:
            yield f"warp of {longest} px", warped(frames[-1], longest, generator), None, None


def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """SSIM at every pixel (Wang et al., 2004): a Gaussian window of 1.5 px, K1 0.01, K2 0.03."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    mean_a, mean_b, square_a, square_b, product = (
        cv2.GaussianBlur(part, (11, 11), 1.5) for part in (a, b, a * a, b * b, a * b)
    )
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    structure = (2 * (product - mean_a * mean_b) + c2) / (square_a - mean_a**2 + square_b - mean_b**2 + c2)
    return structure * (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)


def noisy(frames: np.ndarray, deviation: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, deviation, frames.shape)
    return np.clip(np.rint(frames + noise), 0, 255).astype(np.uint8)


def quality(made: np.ndarray, truth: np.ndarray, step: int) -> dict[str, float]:
    """Sums over the moving region of the frames that are not every ``step``-th: those are given."""
    error = pixels = structure = 0.0
    for n in range(len(truth)):
        if n % step:
            before, after = (truth[k].astype(int) for k in (n - n % step, n - n % step + step))
            moving = cv2.dilate((np.abs(before - after) > MOVED).astype(np.uint8), np.ones((AROUND, AROUND))) > 0
            error += np.square(made[n].astype(float) - truth[n])[moving].sum()
            structure += similarity(made[n], truth[n])[moving].sum()
            pixels += moving.sum()
    return {"error": error, "structure": structure, "pixels": pixels}


def landmark_error(find: Landmarker, frames: np.ndarray, case: Case, step: int) -> float:
    """How far the landmarks' motion since frame 1 is off in the frames between, mean over points, px."""
    _, _, truth, box = case
    assert truth is not None
    assert box is not None
    points = find(frames, box).points
    off = np.linalg.norm((points - points[0]) - (truth - truth[0]), axis=-1).mean(axis=1)
    return float(off[np.arange(len(off)) % step > 0].mean())


def measure(
    people: range, noise: float, ways: dict[str, Interpolator]
) -> tuple[pd.DataFrame, dict[str, dict[str, np.ndarray]]]:
    """One line for each case, level of noise and method; and the last person's frames, by kind and method."""
    make = LANDMARKERS["dlib-flow"].landmarker
    assert make is not None
    find = make(params.read(Landmark), None)
    lines: list[dict[str, object]] = []
    pictures: dict[str, dict[str, np.ndarray]] = {}
    for number, case in enumerate(cases(people, params.read(Ingest).margin)):
        kind, truth, points, _ = case
        originals = 2 if points is None else 3
        levels = depth(originals, len(truth))
        for deviation in (0.0, noise):
            seen = noisy(truth, deviation, number)
            pictures[kind] = {"first": seen[0], "last": seen[2**levels], "rendered": truth[2**levels // 2]}
            about = {"kind": kind, "noise": deviation, "motion": np.nan}
            if points is not None:
                about["motion"] = np.linalg.norm(np.diff(points[:: 2**levels], axis=0), axis=-1).mean()
                rendered = {"method": "rendered", "landmarks": landmark_error(find, seen, case, 2**levels)}
                lines.append(about | rendered)
            for name, interpolate in ways.items():
                start = time.process_time()
                made = densify(seen[:: 2**levels], interpolate, levels)
                spent = (time.process_time() - start) / (len(truth) - originals)
                line = about | quality(made, truth, 2**levels) | {"method": name, "ms": 1000 * spent}
                if points is not None:
                    line["landmarks"] = landmark_error(find, made, case, 2**levels)
                lines.append(line)
                if deviation:
                    pictures[kind][name] = made[2**levels // 2]
    return pd.DataFrame(lines), pictures


def measured(names: Iterable[str]) -> list[str]:
    """Those of METHODS that are there, in their order."""
    return [name for name in METHODS if name in names]


def tables(lines: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Title -> one row for each method, one column for each kind."""
    warps = [f"warp of {longest} px" for longest in WARPS]
    kinds, together = [*warps, ALL_WARPS, *CLIPS], lines["kind"].isin(warps)
    pooled = pd.concat([lines, lines[together].assign(kind=ALL_WARPS)])
    sums = pooled[pooled["method"] != "rendered"].groupby(["noise", "method", "kind"])[["error", "structure", "pixels"]]
    total = sums.sum()
    psnr = (10 * np.log10(255**2 * total["pixels"] / total["error"])).unstack("kind")[kinds]
    ssim = (total["structure"] / total["pixels"]).unstack("kind")[kinds]
    grids, methods = {}, measured(set(lines["method"]))
    for noise in sorted(lines["noise"].unique()):
        what = f"frames with noise of {noise:g} grey levels" if noise else "frames without noise"
        grids[f"PSNR in the moving region, dB, {what}"] = psnr.loc[noise].loc[methods]
        grids[f"SSIM in the moving region, {what}"] = ssim.loc[noise].loc[methods]
        part = lines[lines["noise"].eq(noise) & lines["landmarks"].notna()]
        off = part.pivot_table(index="method", columns="kind", values="landmarks", sort=False)[list(CLIPS)]
        grids[f"error of the landmarks' motion in the frames between, px, {what}"] = off.loc[["rendered", *methods]]
    spent = lines[lines["ms"].notna()].groupby("method")["ms"].mean().loc[methods]
    return grids | {"milliseconds a frame": spent.to_frame("")}


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The shortest processor time of ``repeats`` calls."""
    return common.fastest(work, repeats, time.process_time)


def row_loop(image: torch.Tensor, vertical: torch.Tensor, horizontal: torch.Tensor) -> torch.Tensor:
    """The operator as torch users write it: rows one after the other, the other axis unfolded."""
    taps, height = vertical.shape[1:3]
    windows, across = image.unfold(3, taps, 1), horizontal.permute(0, 2, 3, 1)[:, None]
    return torch.as_tensor(
        sum(vertical[:, i : i + 1] * (windows[:, :, i : i + height] * across).sum(-1) for i in range(taps))
    )


def inputs() -> list[np.ndarray]:
    """An image and its filters, 256 x 256 x 3 and 51 taps."""
    generator = np.random.default_rng(1)
    shapes = ((3, 306, 306), (51, 256, 256), (51, 256, 256))
    return [generator.standard_normal(shape, np.float32) for shape in shapes]


MEMORY = """
import re
from benchmarks.interpolation import *
parts, small = inputs(), [np.zeros(shape, np.float32) for shape in ((1, 4, 4), (3, 2, 2), (3, 2, 2))]
filter_cpu(*small)
status = lambda name: int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
filter_cpu(*parts)
print(status("VmHWM") - before)
"""


def operator() -> pd.DataFrame:
    """The separable convolution on one thread, beside a large matrix product."""
    parts = inputs()
    tensors = [torch.from_numpy(part)[None] for part in parts]
    square = torch.ones(2048, 2048)
    work = 3 * 51 * 52 * 256 * 256
    rows = {}
    with torch.inference_mode():
        product = 2048**3 / seconds(lambda: square @ square, 5)
        loop = seconds(lambda: row_loop(*tensors), 1)
        for name, spent in {
            "torch, loop over rows": loop,
            "filter_torch": seconds(lambda: filter_torch(*tensors), 2),
            "filter_cpu": seconds(lambda: filter_cpu(*parts), 10),
        }.items():
            rows[name] = {"ms": 1000 * spent, "times the row loop": loop / spent,
                          "share of the matrix product's rate": work / spent / product}  # fmt: skip
    rows["2048 x 2048 matrix product"] = {"ms": 1000 * 2048**3 / product, "share of the matrix product's rate": 1.0}
    return pd.DataFrame(rows).T


def memory() -> str:
    """Peak memory of one call of the operator beyond its inputs (Linux: the kernel keeps the peak)."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, encoding="utf-8", check=False)
    size = sum(part.nbytes for part in inputs()) / 2**20
    if done.returncode:
        return "not measured: needs Linux"
    return f"{float(done.stdout):.1f} MiB beyond inputs of {size:.1f} MiB, {float(done.stdout) / size:.2f} times them"


def published() -> float:
    """Milliseconds for one frame of 256 x 256 by the network of the published size, with random weights."""
    network = SepConv(PUBLISHED).eval()
    frames = np.zeros((2, 256, 256, 3), np.uint8)
    return 1000 * seconds(lambda: midpoints(network, frames[:1], frames[1:]), 1)


def draw(pictures: dict[str, dict[str, np.ndarray]]) -> Figure:
    """A strip for each kind: the frames on both sides, the true one between, and each method's, with its error."""
    kinds = [kind for kind in (f"warp of {WARPS[-1]} px", *CLIPS) if kind in pictures]
    names = ["first", "last", "rendered", *measured(pictures[kinds[0]])]
    figure = Figure((WIDTH, 2.1 * len(kinds)))
    axes = figure.subplots(2 * len(kinds), len(names), squeeze=False)
    for kind, (above, below) in zip(kinds, zip(axes[::2], axes[1::2], strict=True), strict=True):
        frames = pictures[kind]
        for name, top, bottom in zip(names, above, below, strict=True):
            top.imshow(frames[name], cmap="gray", vmin=0, vmax=255)
            off = frames[name].astype(float) - frames["rendered"]
            image = bottom.imshow(off, cmap="PuOr_r", vmin=-20, vmax=20)
            top.set_title(name)
            for part in (top, bottom):
                part.set(xticks=[], yticks=[])
                part.spines[:].set_visible(False)
        above[0].set_ylabel(kind)
        below[0].set_ylabel("difference")
    figure.colorbar(image, ax=axes, shrink=0.4, aspect=30, pad=0.02, label="brighter than rendered, grey levels")
    return figure


def chosen() -> dict[str, Interpolator]:
    """METHODS, without SepConv where it has no weights, as after a run with another interpolator."""
    ways = {}
    for name in METHODS:
        try:
            ways[name] = choose(name, params.line("synthesize.weights", str))
        except UserError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return ways


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--people", type=int, default=7, help="how many people are filmed")
    people = parser.parse_args().people
    common.one_thread()
    lines, pictures = measure(range(people), params.line("simulate.noise", float), chosen())
    motion = lines.groupby("kind")["motion"].mean()
    grids = {**tables(lines), "the operator, 256 x 256 x 3, 51 taps, float32, one thread": operator()}
    moves = ", ".join(f"{motion[kind]:.2f} px in the {kind}" for kind in CLIPS)
    text = f"{people} simulated people. Between the given frames the landmarks move by {moves}, on average.\n\n"
    for title, rows in grids.items():
        table = common.markdown(rows, lambda value: f"{value:.{2 if value >= 10 else 3}f}")
        text += f"**{title[0].upper()}{title[1:]}**\n\n{table}\n"
    text += f"SepConv of the published size: {published():.0f} ms a frame of 256 x 256 x 3 on one thread.\n\n"
    text += f"Peak memory of the operator: {memory()}.\n"
    common.save("interpolation", "Frames in between", text)
    with style():
        files.write(common.HERE / "interpolation.png", render(draw(pictures))["png"])


if __name__ == "__main__":
    stage.run(main)
