"""python -m stages.transfer ROOT: train on the last run's data set, test on the CK+ tree at ROOT, and print the table.

Everything is made in results/transfer, by the rooms' own commands with params.yaml as it is but for the data set. All
people of the last run are in the fold that trains (with the joint framework's gate), all of ROOT in the one that is
tested, so nothing of ROOT is learnt from.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

from stages.tables import panel, parquet, room, schema

WORK = Path("results/transfer")
TABLES = (schema.LMF, schema.DTAGN)
TESTED, TRAINED = 0, 1
"""The folds of the two data sets."""


def settings(root: Path) -> dict[str, object]:
    """params.yaml for the tree at ``root``."""
    whole = panel.read("params.yaml")
    weights = str(Path(whole["synthesize"]["weights"]).resolve())
    return whole | {
        "dataset": {"name": "ckplus", "root": str(root.resolve())},
        "protocol": whole["protocol"] | {"folds": [TESTED, TRAINED]},
        "synthesize": whole["synthesize"] | {"weights": weights},
    }


def visit(command: str) -> None:
    """Runs a room in WORK. Raises RoomError when it fails; it has said why by then."""
    here = {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}
    if subprocess.run([sys.executable, "-m", *command.split()], cwd=WORK, env=os.environ | here).returncode:
        raise room.RoomError(f"{WORK}: python -m {command} failed there; what it said stands above")


def join(table: schema.Table) -> None:
    """Puts the last run's rows behind the tested ones in WORK's feature table, as people of another fold."""
    place = f"data/features/{table.name}.parquet"
    tested, learnt = parquet.read(WORK / place, table), parquet.read(place, table)
    learnt = learnt.assign(fold=TRAINED, **{key: "train/" + learnt[key] for key in ("sequence", "subject")})
    parquet.write(WORK / place, table, pd.concat([tested, learnt]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.transfer", description=__doc__)
    parser.add_argument("root", type=Path, help="folder that holds cohn-kanade-images/ and Emotion/")
    root = parser.parse_args().root
    for table in TABLES:  # before the long part
        if not Path(f"data/features/{table.name}.parquet").is_file():
            raise room.RoomError(f"data/features/{table.name}.parquet: no such table; run make reproduce first")
    content = yaml.safe_dump(settings(root), sort_keys=False)
    with room.renamed(WORK / "params.yaml") as file:
        file.write_text(content)
    visit("stages.ingest")
    sequences = WORK / "data/interim/sequences.parquet"
    parquet.write(sequences, schema.SEQUENCES, parquet.read(sequences, schema.SEQUENCES).assign(fold=TESTED))
    for stage in ("synthesize", "landmark", "featurize"):
        visit(f"stages.{stage}")
    for table in TABLES:
        join(table)
    for model in ("train lmf", "train dtagn", "train.svm"):
        visit(f"stages.{model} {TESTED}")
    visit("stages.evaluate")
    room.say("transfer", f"trained on data/features, tested on {root} -> {WORK}/results/table.md")


if __name__ == "__main__":
    room.run(main)
