"""Trains on one data set and tests on another.

Everything is made in results/transfer, by the stages' own commands with params.yaml as it is but for the data set. All
people of the last run are in the fold that trains (with the joint framework's gate), all of the other data set's in the
one that is tested, so nothing is learnt from them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx as nx
import pandas as pd
import yaml

from flows import parameters
from stages.tables import files, parquet, pipeline, schema
from stages.tables.errors import UserError

WORK = Path("results/transfer")
SHIPPED = Path("networks/lmf.safetensors")
SEQUENCES = "data/interim/sequences.parquet"
TABLES = (schema.LMF, schema.DTAGN)
TESTED, TRAINED = 0, 1
"""The folds of the two data sets."""


def transfer(root: Path) -> None:
    """Trains on the last run's features and tests on the CK+ tree at ``root``; prints where the table is.

    Raises UserError when there is no such run, or when a stage fails.
    """
    for table in TABLES:  # before the long part
        if not _features(table).is_file():
            raise UserError(f"{_features(table)}: no such table; run make reproduce first")
    files.write(WORK / "params.yaml", yaml.safe_dump(changed(parameters.check(), root), sort_keys=False))
    (WORK / SHIPPED).parent.mkdir(exist_ok=True)
    shutil.copy(SHIPPED, WORK / SHIPPED)
    before, training, evaluation = commands(pipeline.graph())
    for command, outputs in before:
        run(command)
        if SEQUENCES in outputs:
            rows = parquet.read(WORK / SEQUENCES, schema.SEQUENCES)
            parquet.write(WORK / SEQUENCES, schema.SEQUENCES, rows.assign(fold=TESTED))
    for table in TABLES:
        join(table)
    for command in training:
        run(f"{command} {TESTED}")
    run(evaluation)
    print(f"transfer: trained on data/features, tested on {root} -> {WORK}/results/table.md")


def changed(values: dict[str, Any], root: Path) -> dict[str, Any]:
    """params.yaml for the tree at ``root``."""
    weights = str(Path(values["synthesize"]["weights"]).resolve())
    return values | {
        "dataset": {"name": "ckplus", "root": str(root.resolve())},
        "protocol": values["protocol"] | {"folds": [TESTED, TRAINED]},
        "synthesize": values["synthesize"] | {"weights": weights},
    }


def commands(stages: nx.DiGraph) -> tuple[list[tuple[str, list[str]]], list[str], str]:
    """What of the pipeline is to run, in its order.

    The commands before the training, each with what it writes; the training's commands, each model's once and without
    its fold; the evaluation's command. What data/dvc.yaml makes stays the last run's.
    """
    nodes, training = stages.nodes, [name for name in stages if "stages.train" in stages.nodes[name]["cmd"]]
    above = set().union(*(nx.ancestors(stages, name) for name in training))
    before = [(nodes[name]["cmd"], nodes[name]["outs"]) for name in pipeline.order(stages)
              if name in above and ":" not in name]  # fmt: skip
    models = dict.fromkeys(re.sub(r" \d+$", "", nodes[name]["cmd"]) for name in pipeline.order(stages)
                           if name in training)  # fmt: skip
    return before, list(models), nodes["evaluate"]["cmd"]


def run(command: str) -> None:
    """Runs a stage's command in WORK. Raises UserError when it fails; its own error line says why."""
    arguments = shlex.split(command)[1:]
    here = {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}
    if subprocess.run([sys.executable, *arguments], cwd=WORK, env=os.environ | here).returncode:
        raise UserError(f"{WORK}: {command} failed there; the lines above say why")


def join(table: schema.Table) -> None:
    """Puts the last run's rows behind the tested ones in WORK's feature table, as people of another fold."""
    tested, learnt = (parquet.read(folder / _features(table), table) for folder in (WORK, Path()))
    learnt = learnt.assign(fold=TRAINED, **{key: "train/" + learnt[key] for key in ("sequence", "subject")})
    parquet.write(WORK / _features(table), table, pd.concat([tested, learnt]))


def _features(table: schema.Table) -> Path:
    return Path(f"data/features/{table.name}.parquet")
