"""The table over several seeds of training: how much of it is the training's own chance.

    python -m benchmarks.seeds 2017 2018 2019        # after make reproduce; some seven minutes a seed on two cores

Everything before training is taken from the last run, whose own seed is not trained again; everything else is made in a
temporary folder. Writes seeds.md beside this file: mean and standard deviation over the seeds, least and most, and how
often the joint framework is best.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pandas as pd
import yaml

from stages.evaluate.poster import DTAGN, JOINT, LMF_FER
from stages.tables import panel, room

ROOT, HERE = Path(__file__).parents[1], Path(__file__).parent


def ran(folder: Path, command: str) -> None:
    """Runs a room in ``folder``, with one thread, since its like run beside it."""
    done = subprocess.run([sys.executable, "-m", *command.split()], cwd=folder, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})  # fmt: skip
    if done.returncode:
        raise room.RoomError(f"python -m {command}: {done.stderr.strip().splitlines()[-1]}")


def table(seed: int, folder: Path) -> pd.DataFrame:
    """results/table.csv as this seed of training makes it."""
    params = panel.read(ROOT / "params.yaml")
    if seed == params["train"]["seed"]:
        return pd.read_csv(ROOT / "results/table.csv").assign(seed=seed)
    params["train"] |= {"seed": seed}
    folder.mkdir()
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (folder / "data").symlink_to(ROOT / "data")
    trainings = [f"stages.train {model} {fold}" for model in ("dtagn", "lmf") for fold in params["protocol"]["folds"]]
    list(room.each(partial(ran, folder), [*trainings, "stages.train.svm"], f"seed {seed}"))
    ran(folder, "stages.evaluate")
    return pd.read_csv(folder / "results/table.csv").assign(seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.seeds", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seeds", nargs="+", type=int, help="of training; the data stay as they are")
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as folder:
        found = pd.concat([table(seed, Path(folder) / str(seed)) for seed in seeds])
    percent = found.assign(accuracy=100 * found["mean"]).groupby(["method", "set"])["accuracy"]  # mixed: of all draws
    cells = percent.agg(lambda v: f"{v.mean():.2f} ± {v.std():.2f} ({v.min():.2f} to {v.max():.2f})").unstack("set")
    mixed = found[found["set"] == "mixed"].pivot(index="seed", columns="method", values="mean")
    above = int((mixed[JOINT] > mixed[[DTAGN, LMF_FER]].max(axis=1)).sum())
    text = f"""{cells[["general", "micro", "mixed"]].to_markdown()}

Percent, over the training seeds {", ".join(map(str, seeds))}: mean, standard deviation, least and most. On the mixed
set the {JOINT.lower()} is above both {DTAGN} and {LMF_FER} in {above} of {len(mixed)} seeds.
"""
    print(text)
    with room.renamed(HERE / "seeds.md") as file:
        file.write_text(text)


if __name__ == "__main__":
    room.run(main)
