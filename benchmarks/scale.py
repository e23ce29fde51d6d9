"""How featurize grows: time and memory against the number of sequences, the speed of LMF maps, and the flow's share.

    python -m benchmarks.scale                       # 1x and 10x of the poster's 327 sequences, some ten minutes
    python -m benchmarks.scale --sizes 1 10 100      # and 100x, 32,700 sequences: an hour and 5 GB of disk

Makes tables of random landmarks and plain crops (no rendering) in a temporary folder, runs the stage there with one
worker process and with two, then on a Dask cluster of one and of two, and writes scale.md and scale.png beside this
file. The flow is timed where ``make reproduce`` has left it nothing to do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, chdir
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import yaml
from distributed import LocalCluster
from matplotlib.figure import Figure

from benchmarks import common
from benchmarks.common import ROOT
from stages.featurize import lmf
from stages.tables import images, parquet, pipeline, stage
from stages.tables.errors import UserError
from stages.tables.points import POINTS
from stages.tables.schema import FRAMES, GENERAL, LANDMARKS, MICRO, SEQUENCES

SEQUENCES_OF_CK = 327
FRAMES_OF_A_SEQUENCE = 12
SIDE = 200
"""Side of a face crop, px."""


def face(generator: np.random.Generator, frames: int) -> np.ndarray:
    """Landmarks (frames, 68, 2) in px of a face-sized cloud of points that drifts."""
    start = generator.uniform(20, SIDE - 20, (1, POINTS, 2))
    return (start + generator.normal(0, 0.4, (frames, POINTS, 2)).cumsum(axis=0)).astype(np.float32)


def write_tables(folder: Path, sequences: int) -> None:
    """What featurize reads, for so many sequences, general and micro."""
    generator = np.random.default_rng(2017)
    png = images.encode(np.full((SIDE, SIDE), 128, np.uint8) + generator.integers(0, 40, (SIDE, SIDE), np.uint8))
    interim = folder / "data/interim"
    names = [f"S{number // 4:06}/{number % 4 + 1:03}" for number in range(sequences)]
    place = {"image_width": 640, "image_height": 490, "box_x": 20, "box_y": 20, "box_width": 160, "box_height": 160}
    place |= {"crop_x": 0, "crop_y": 0, "crop_width": SIDE, "crop_height": SIDE}
    with parquet.Writer(interim / "sequences.parquet", SEQUENCES) as table:
        table.write([{"sequence": name, "subject": name[:7], "session": name[8:], "emotion": 1 + number % 7,
                      "frames": FRAMES_OF_A_SEQUENCE, "fold": number // 4 % 10} | place
                     for number, name in enumerate(names)])  # fmt: skip
    with parquet.Writer(interim / "landmarks.parquet", LANDMARKS) as landmarks:
        for kind, file, count in ((GENERAL, "frames", FRAMES_OF_A_SEQUENCE), (MICRO, "micro", 9)):
            with parquet.Writer(interim / f"{file}.parquet", FRAMES) as frames:
                for name in names:
                    points = face(generator, count)
                    rows = [{"sequence": name, "frame": i + 1} for i in range(count)]
                    frames.write([row | {"png": png} for row in rows])
                    landmarks.write([row | {"set": kind, "x": p[:, 0], "y": p[:, 1], "status": "given", "jitter": 0.0}
                                     for row, p in zip(rows, points, strict=True)])  # fmt: skip


def featurize(folder: Path, workers: int, dask: bool) -> dict[str, float]:
    """Runs the stage; seconds, and the largest memory in MB of all its processes and of the main one."""
    with ExitStack() as stack:
        scheduler = None
        if dask:
            stack.enter_context(chdir(folder))  # where the cluster's workers are to work
            cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            scheduler = stack.enter_context(cluster).scheduler_address
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params["machine"] |= {"workers": workers, "scheduler": scheduler}
        (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        return measured(folder)


def measured(folder: Path) -> dict[str, float]:
    """See featurize. CPU seconds, which leave out a cluster's workers, are what other programs disturb least."""
    largest = {"all": 0, "parent": 0}
    before, start = os.times(), time.perf_counter()
    process = psutil.Popen([sys.executable, "-m", "stages.featurize"], cwd=folder, stderr=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.2):
            try:
                own = process.memory_info().rss
                family = sum(child.memory_info().rss for child in psutil.Process().children(recursive=True))
            except psutil.Error:
                continue
            largest["parent"], largest["all"] = max(largest["parent"], own), max(largest["all"], family)

    sampler = threading.Thread(target=sample)
    sampler.start()
    status = process.wait()
    seconds, after = time.perf_counter() - start, os.times()
    ended.set()
    sampler.join()
    if status:
        raise UserError("python -m stages.featurize failed on the benchmark's tables")
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": seconds, "CPU seconds": busy, "MB": largest["all"] / 1e6, "parent MB": largest["parent"] / 1e6}


def plain(points: np.ndarray, eps: float) -> np.ndarray:
    """LMF maps frame by frame in plain numpy: what the compiled ones are measured against."""
    maps = []
    for before, after in pairwise(points):
        change = np.linalg.norm(after[:, None] - after, axis=-1) - np.linalg.norm(before[:, None] - before, axis=-1)
        largest = np.abs(change).max()
        if largest < eps:
            maps.append(np.full(change.shape, 127, np.uint8))
            continue
        value = 127 + 128 * np.sign(change) * np.sqrt(np.abs(change) / largest)
        maps.append(np.clip(np.rint(value), 0, 255).astype(np.uint8))
    return np.stack(maps)


def speed_of_maps() -> pd.DataFrame:
    """Maps a second on one thread: compiled, in plain numpy, and merely copied. The fastest of many turns."""
    points = face(np.random.default_rng(1), 9).astype(np.float64)
    made = lmf.maps(lmf.lmf(points), 0.001)
    assert np.array_equal(made, plain(points, 0.001))
    ways: dict[str, Callable[[], object]] = {
        "compiled (`stages/featurize/lmf.py`)": lambda: lmf.maps(lmf.lmf(points), 0.001),
        "plain numpy, frame by frame": lambda: plain(points, 0.001),
        "copy of the maps": made.copy,
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(2000):
        for way, make in ways.items():
            start = time.perf_counter()
            make()
            taken[way].append(time.perf_counter() - start)
    rows = [{"way": way, "maps a second": len(made) / min(times)} for way, times in taken.items()]
    return pd.DataFrame(rows)


def flow() -> str:
    """What the flow takes where no stage has anything to do, and what DVC alone takes, in a sentence."""
    if subprocess.run([sys.executable, "-m", "dvc", "status", "--quiet"], cwd=ROOT, check=False).returncode:
        return "The flow was not timed: `make reproduce` first, so that it finds nothing to do.\n"
    count, seconds = len(pipeline.graph()), []
    for command in (["lmf_fer", "reproduce"], ["dvc", "repro"]):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return (f"The flow on {count} unchanged stages takes {seconds[0]:.1f} s, its server's start included,"
            f" `dvc repro` {seconds[1]:.1f} s; {2 + 1.2 * count:.1f} s are allowed.\n")  # fmt: skip


def draw(table: pd.DataFrame) -> None:
    """Time and memory against size, to scale.png."""
    figure = Figure((10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for ((by, workers), some), marker in zip(table.groupby(["by", "workers"]), "os^v", strict=False):
        label = f"{by}, {workers} worker{'s' * (workers > 1)}"
        left.loglog(some["sequences"], some["seconds"], marker=marker, label=label)
        right.semilogx(some["sequences"], some["MB"], marker=marker, label=label)
    left.set(xlabel="sequences", ylabel="seconds", title="Time of featurize")
    right.set(xlabel="sequences", ylabel="MB", ylim=(0, None), title="Largest memory, all processes together")
    left.set_yticks([10, 30, 100, 300, 1000, 3000], ["10", "30", "100", "300", "1,000", "3,000"])
    left.set_ylim(0.7 * table["seconds"].min(), 1.4 * table["seconds"].max())
    sizes = sorted(set(table["sequences"]))
    for axes in (left, right):
        axes.minorticks_off()
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(common.HERE / "scale.png", dpi=120)


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 10], help="multiples of CK+'s 327 sequences")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="worker processes")
    parser.add_argument("--by", nargs="+", choices=("joblib", "dask"), default=["joblib", "dask"],
                        help="who runs them: this machine's processes, or a cluster's")  # fmt: skip
    arguments = parser.parse_args()
    speed = speed_of_maps()
    rows = []
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as name:
            write_tables(Path(name), size * SEQUENCES_OF_CK)
            for workers in arguments.workers:
                for by in arguments.by:
                    rows.append({"size": size, "sequences": size * SEQUENCES_OF_CK, "by": by, "workers": workers}
                                | featurize(Path(name), workers, by == "dask"))  # fmt: skip
                    print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table["ms a sequence"] = 1000 * table["CPU seconds"] / table["sequences"]
    table["MB, of the smallest"] = table["MB"] / table.groupby(["by", "workers"])["MB"].transform("first")
    table["speed, of the fewest workers"] = (
        table.groupby(["by", "size"])["seconds"].transform("first") / table["seconds"]
    )
    text = f"{speed.to_markdown(index=False, floatfmt=',.0f')}\n\n"
    text += table.to_markdown(index=False, floatfmt=(*[".0f"] * 4, ".1f", ".1f", ".0f", ".0f", ".1f", ".2f", ".2f"))
    text += f"\n\n{flow()}"
    common.save("scale", "How featurize and the flow grow", text)
    draw(table)


if __name__ == "__main__":
    stage.run(main)
