"""A finished run as the report needs it: read once, from the files of all stages before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from stages.report import benchmarks, examples
from stages.report.benchmarks import Benchmark
from stages.report.captions import CAPTIONS
from stages.report.pictures import Example
from stages.report.style import RECORDINGS
from stages.report.times import Time
from stages.tables import images, params, parquet, pipeline
from stages.tables.errors import UserError
from stages.tables.points import POINTS
from stages.tables.schema import CLASSES, FRAMES, LANDMARKS, LMF, REJECTED, REJECTING, SEQUENCES, Table
from stages.tables.stage import time_file

INTERIM, FEATURES, RESULTS = Path("data/interim"), Path("data/features"), Path("results")
BENCHMARKS = Path("benchmarks")
BEYOND = RESULTS / "beyond"
"""Tables of lmf-fer transfer: for people, so no stage depends on them and DVC does not track them."""
MEASURED = ("landmarks", "interpolation")
"""Benchmarks that the page shows: measured on simulated people before this run, and committed with the code."""
LOSSES = {"step": "int64", "loss": "float64"}


@dataclass(frozen=True)
class Run:
    """What the stages before have written.

    ``table``, ``statistics`` and ``curves`` are evaluate's files; ``losses`` has network, epoch and loss of all
    folds; ``landmarks`` holds set, status and jitter of every frame; ``typical`` is an example of each emotion,
    ``spread`` are examples of a small, a median and a large expression. ``stages`` is DVC's graph, ``times`` are by
    its addresses; ``beyond`` are the tables of other data sets, by their names; ``benchmarks`` and
    ``benchmark_figures`` are those that are there, and none where the data are not simulated.
    """

    params: dict[str, dict[str, Any]]
    statistics: dict[str, Any]
    table: pd.DataFrame
    curves: dict[str, pd.DataFrame]
    losses: pd.DataFrame
    rejected: pd.DataFrame
    landmarks: pd.DataFrame
    typical: list[Example]
    spread: list[Example]
    stages: nx.DiGraph
    times: dict[str, Time]
    benchmarks: dict[str, Benchmark]
    benchmark_figures: dict[str, bytes]
    beyond: dict[str, Benchmark]


def read() -> Run:
    """Reads the run in the current folder. Raises UserError when a stage before has not run."""
    stages = pipeline.graph()
    curves = {file.stem: pd.read_csv(file) for file in sorted(_made("plots").glob("*.csv"))}
    classes, sequences = (parquet.read(INTERIM / f"{table.name}.parquet", table) for table in (CLASSES, SEQUENCES))
    simulated, labels = classes["dataset"][0] == "simulated", classes.set_index("emotion")["label"]
    typical, spread = examples.typical(curves["sfem"], sequences), examples.spread(curves["sfem"])
    rows = sequences.assign(label=sequences["emotion"].map(labels)).set_index("sequence")
    # A real person's face may be published only with that person's consent, which no table knows: none is read.
    shown = {name: _example(name, rows.loc[name], simulated) for name in dict.fromkeys(typical + spread)}
    hidden = {"machine"} if simulated else {"machine", "simulate"}
    figures = {name: BENCHMARKS / f"{name}.{CAPTIONS[name].kind}" for name in MEASURED if simulated}
    texts = {name: BENCHMARKS / f"{name}.md" for name in figures}
    times = {stage: time_file(stage) for stage in stages}
    return Run(
        params={name: section for name, section in params.values().items() if name not in hidden},
        statistics=json.loads(_made("statistics.json").read_text(encoding="utf-8")),
        table=pd.read_csv(_made("table.csv")),
        curves=curves,
        losses=_losses(),
        rejected=pd.concat(parquet.read(INTERIM / f"rejected_{name}.parquet", REJECTED) for name in REJECTING),
        landmarks=parquet.read(INTERIM / "landmarks.parquet", LANDMARKS, ["set", "status", "jitter"]),
        typical=[shown[name] for name in typical],
        spread=[shown[name] for name in spread],
        stages=stages,
        times={
            name: Time(**json.loads(file.read_text(encoding="utf-8"))) for name, file in times.items() if file.is_file()
        },
        benchmarks={
            name: benchmarks.parse(file.read_text(encoding="utf-8")) for name, file in texts.items() if file.is_file()
        },
        beyond={file.stem: benchmarks.parse(file.read_text(encoding="utf-8")) for file in sorted(BEYOND.glob("*.md"))},
        benchmark_figures={name: file.read_bytes() for name, file in figures.items() if file.is_file()},
    )


def _made(name: str) -> Path:
    if not (RESULTS / name).exists():
        raise UserError(f"{RESULTS / name}: not found; run the stages that come first: dvc repro evaluate")
    return RESULTS / name


def _losses() -> pd.DataFrame:
    files = sorted(_made("history").glob("*/plots/metrics/*/loss.tsv"))
    if not files:
        raise UserError(f"{RESULTS / 'history'}: holds no losses; run the stages that come first: dvc repro evaluate")
    losses = [pd.read_csv(file, sep="\t", dtype=LOSSES).assign(network=file.parent.name) for file in files]
    return pd.concat(losses).rename(columns={"step": "epoch"})


def _example(name: str, row: pd.Series, faces: bool) -> Example:
    maps, sfem, landmarks = {}, {}, {}
    for recording in RECORDINGS:
        lmf = _sequence(FEATURES / "lmf.parquet", LMF, name, recording).iloc[0]
        maps[recording] = np.frombuffer(lmf["maps"], np.uint8).reshape(-1, POINTS, POINTS)
        sfem[recording] = lmf["sfem"]
        points = _sequence(INTERIM / "landmarks.parquet", LANDMARKS, name, recording)
        landmarks[recording] = np.stack([np.stack(points["x"]), np.stack(points["y"])], axis=-1)
        landmarks[recording] -= row[["crop_x", "crop_y"]].to_numpy("float32")
    path = INTERIM / "frames.parquet"
    crops = list(images.decode(_sequence(path, FRAMES, name)["png"], f"{path}: {name}")) if faces else []
    return Example(name, row["label"], maps, sfem, landmarks, crops)


def _sequence(path: Path, table: Table, *key: str) -> pd.DataFrame:
    """The rows of one sequence alone, so that memory does not grow with the data set."""
    (number,) = np.flatnonzero((parquet.keys(path, table) == list(key)).all(axis=1))
    return parquet.read_sequence(path, table, int(number))
