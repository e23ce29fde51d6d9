"""python -m stages.train MODEL FOLD: the feature tables -> predictions, weights and losses of one fold of one model.

A training that was killed goes on from its checkpoint, which is at most a minute old, when it is started again.
"""

import argparse
import hashlib
import importlib
import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from dvclive import Live
from numpy.typing import NDArray
from safetensors.torch import save_file

from stages.tables import parquet, room, schema
from stages.train import FEATURES, OUT, answers, shown
from stages.train.optimise import Trainer, configured

PARTS = ("__init__", "__main__", "augment", "optimise")
"""The code that all models share, which dvc.yaml names too."""


class Losses(Live):
    """DVCLive's files alone: it would ask git for a commit, which a new repository lacks."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), save_dvc_exp=False, dvcyaml=None)

    def _init_dvc(self) -> None:
        self._dvc_file = ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.train", description=__doc__)
    parser.add_argument("model", choices=("dtagn", "lmf"))
    parser.add_argument("fold", type=int)
    arguments = parser.parse_args()
    options, name = room.params("train"), f"{arguments.model}-{arguments.fold}"
    model = importlib.import_module(f"stages.train.{arguments.model}")
    config = configured(model.Config, options, arguments.model)
    table = FEATURES / f"{model.TABLE.name}.parquet"
    rows = parquet.read(table, model.TABLE)
    test = rows[rows["fold"] == arguments.fold]
    train = rows[(rows["fold"] != arguments.fold) & (rows["set"] == schema.GENERAL)]
    watched = held_out(train["subject"], options["held_out"])
    apart = int(watched.sum())
    code = _digest(*(Path(__file__).with_name(f"{part}.py") for part in (*PARTS, arguments.model)))
    device = room.device()
    chosen = {line: options[line] for line in ("seed", "held_out")}
    about = json.dumps({"name": name, "config": asdict(config), **chosen, "code": code})
    key = json.dumps([about, _digest(table), options["threads"], torch.__version__])
    compiled = options["compile"] and device.type == "cuda"
    live = Losses(OUT / f"history/{name}")
    trainer = Trainer(name, device, OUT / f"models/{name}.checkpoint", key, compiled, apart, live)
    answered, weights = [], {}
    if len(test):
        _settle(options["threads"], f"{options['seed']} {name}")
        network = model.fit(pd.concat([train[~watched], train[watched]]), config, trainer)
        weights = network.state_dict()
        found = {method: shown(said.numpy(), train) for method, said in model.predict(network, test).items()}
        answered = [answers(test, method, probability) for method, probability in found.items()]
    predictions = pd.concat(answered) if answered else pd.DataFrame(columns=schema.PREDICTIONS.schema.names)
    parquet.write(OUT / f"predictions/{name}.parquet", schema.PREDICTIONS, predictions)
    with room.renamed(OUT / f"models/{name}.safetensors") as file:
        save_file({key: value.cpu().contiguous() for key, value in weights.items()}, file, {"about": about})
    live.end()
    trainer.forget()
    tested = f"tested {len(test)} of {test['subject'].nunique()} subjects" if len(test) else "no subject in this fold"
    learnt = f"learned from {len(train) - apart} general rows"
    room.say("train", f"{name}: {learnt}, {tested} -> {len(predictions)} predictions")


def held_out(subject: pd.Series, share: float) -> NDArray[np.bool_]:
    """Which rows are of a ``share`` of all subjects, taken evenly from their order."""
    everyone = sorted(subject.unique())
    apart = [one for n, one in enumerate(everyone) if int((n + 1) * share) > int(n * share)]
    return np.asarray(subject.isin(apart))


def _settle(threads: int, seed: str) -> None:
    """Makes torch do the same again: the number of threads is a parameter because it changes how sums are rounded."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, cuBLAS refuses to be deterministic
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # All memory is written before it is read; to fill it with NaN first, torch takes 6 to 8% of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.manual_seed(int(hashlib.sha256(seed.encode()).hexdigest()[:8], 16))


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


if __name__ == "__main__":
    room.run(main)
