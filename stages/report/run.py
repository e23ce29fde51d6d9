"""A finished run as the report needs it: read once, from the files of all stages before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from dvc.exceptions import DvcException
from dvc.repo import Repo

from stages.report import benchmarks, examples
from stages.report.benchmarks import Benchmark
from stages.report.captions import CAPTIONS
from stages.report.pictures import RECORDINGS, Example
from stages.report.pipeline import Stage
from stages.report.times import Time
from stages.tables import images, parquet, room
from stages.tables.datasets import DATASETS
from stages.tables.schema import FRAMES, LANDMARKS, LMF, REJECTED, SEQUENCES, Table

INTERIM, FEATURES, RESULTS = Path("data/interim"), Path("data/features"), Path("results")
SECTIONS = ("dataset", "protocol", "simulate", "ingest", "synthesize", "landmark", "featurize", "train", "evaluate")
SETTING_ASIDE = ("ingest", "synthesize", "landmark")
BENCHMARKS = Path("benchmarks")
MEASURED = ("landmarks", "interpolation")
"""Benchmarks that the page shows: measured before this run and committed with the code, not part of it."""
LOSSES = {"step": "int64", "loss": "float64"}


@dataclass(frozen=True)
class Run:
    """``table``, ``statistics`` and ``curves`` are evaluate's files; ``losses`` has part, epoch and loss of all folds.

    ``landmarks`` holds set, status and jitter of every frame; ``typical`` is an example of each emotion, ``spread``
    are examples of a small, a median and a large expression. ``times`` are by DVC's addresses, as ``stages`` are;
    ``measured`` and ``drawn`` are the benchmarks' words and figures, of those that are there.
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
    stages: dict[str, Stage]
    times: dict[str, Time]
    measured: dict[str, Benchmark]
    drawn: dict[str, bytes]


def read() -> Run:
    """Reads the run in the current folder. Raises RoomError when a stage before has not run."""
    dataset, stages = room.params("dataset")["name"], _stages()
    simulated, emotions = dataset == "simulated", DATASETS[dataset].emotions
    curves = {file.stem: pd.read_csv(file) for file in sorted(_made("plots").glob("*.csv"))}
    sequences, sfem = parquet.read(INTERIM / "sequences.parquet", SEQUENCES), curves["sfem"]
    typical, spread, rows = examples.typical(sfem, sequences), examples.spread(sfem), sequences.set_index("sequence")
    # A real person's face may be published only with that person's consent, which no table knows: none is read.
    shown = {name: _example(name, rows.loc[name], emotions, simulated) for name in dict.fromkeys(typical + spread)}
    return Run(
        params={section: room.params(section) for section in SECTIONS if simulated or section != "simulate"},
        statistics=json.loads(_made("statistics.json").read_text()),
        table=pd.read_csv(_made("table.csv")),
        curves=curves,
        losses=_losses(),
        rejected=pd.concat(parquet.read(INTERIM / f"rejected_{stage}.parquet", REJECTED) for stage in SETTING_ASIDE),
        landmarks=parquet.read(INTERIM / "landmarks.parquet", LANDMARKS, ["set", "status", "jitter"]),
        typical=[shown[name] for name in typical],
        spread=[shown[name] for name in spread],
        stages=stages,
        times={stage: Time(**json.loads(room.time_file(stage).read_text()))
               for stage in stages if room.time_file(stage).is_file()},
        measured={name: benchmarks.parse((BENCHMARKS / f"{name}.md").read_text())
                  for name in MEASURED if (BENCHMARKS / f"{name}.md").is_file()},
        drawn={name: _figure(name).read_bytes() for name in MEASURED if _figure(name).is_file()},
    )  # fmt: skip


def _figure(name: str) -> Path:
    return BENCHMARKS / f"{name}.{CAPTIONS[name].kind}"


def _made(name: str) -> Path:
    if not (RESULTS / name).exists():
        raise room.RoomError(f"{RESULTS / name}: not found; run the stages that come first: dvc repro evaluate")
    return RESULTS / name


def _losses() -> pd.DataFrame:
    files = sorted(_made("history").glob("*/plots/metrics/*/loss.tsv"))
    parts = [pd.read_csv(file, sep="\t", dtype=LOSSES).assign(part=file.parent.name) for file in files]
    return pd.concat(parts).rename(columns={"step": "epoch"})


def _example(name: str, row: pd.Series, emotions: dict[int, str], faces: bool) -> Example:
    maps, sfem, landmarks = {}, {}, {}
    for recording in RECORDINGS:
        lmf = _sequence(FEATURES / "lmf.parquet", LMF, name, recording).iloc[0]
        maps[recording], sfem[recording] = np.frombuffer(lmf["maps"], np.uint8).reshape(-1, 68, 68), lmf["sfem"]
        points = _sequence(INTERIM / "landmarks.parquet", LANDMARKS, name, recording)
        landmarks[recording] = np.stack([np.stack(points["x"]), np.stack(points["y"])], axis=-1)
        landmarks[recording] -= row[["crop_x", "crop_y"]].to_numpy("float32")
    path = INTERIM / "frames.parquet"
    crops = list(images.decode(_sequence(path, FRAMES, name)["png"], f"{path}: {name}")) if faces else []
    return Example(name, emotions[row["emotion"]], maps, sfem, landmarks, crops)


def _sequence(path: Path, table: Table, *key: str) -> pd.DataFrame:
    """The rows of one sequence alone, so that memory does not grow with the data set."""
    (number,) = np.flatnonzero((parquet.keys(path, table) == key).all(axis=1))
    return parquet.read_sequence(path, table, int(number))


def _stages() -> dict[str, Stage]:
    """DVC's stages that the root's dvc.yaml declares or needs, by their addresses."""
    try:
        with Repo() as repo:
            graph = repo.index.graph
            wanted = {stage for stage in graph if stage.path_in_repo == "dvc.yaml"}
            wanted |= {below for stage in wanted for below in nx.descendants(graph, stage)}
            return {
                stage.addressing: Stage(
                    [below.addressing for below in graph.successors(stage)], [out.def_path for out in stage.outs]
                )
                for stage in wanted
            }
    except DvcException as error:
        raise room.RoomError(
            f"dvc.yaml: DVC cannot read the pipeline here ({error}); run from the repository"
        ) from None
