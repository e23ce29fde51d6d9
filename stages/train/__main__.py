"""python -m stages.train MODEL FOLD: the feature tables -> predictions, weights and losses of one fold of one model."""

import argparse
import hashlib
import importlib
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file

from stages.tables import parquet, room, schema
from stages.train.optimise import configured

FEATURES, OUT = Path("data/features"), Path("results")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.train", description=__doc__)
    parser.add_argument("model", choices=("dtagn", "lmf", "svm"))
    parser.add_argument("fold", type=int)
    arguments = parser.parse_args()
    options, name = room.params("train"), f"{arguments.model}-{arguments.fold}"
    model = importlib.import_module(f"stages.train.{arguments.model}")
    config = configured(model.Config, options[arguments.model])
    # The number of threads changes how sums are rounded: it is a parameter, so that every machine adds alike.
    torch.set_num_threads(options["threads"])
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(int(hashlib.sha256(f"{options['seed']} {name}".encode()).hexdigest()[:8], 16))
    rows = parquet.read(FEATURES / f"{model.TABLE.name}.parquet", model.TABLE)
    test = rows[rows["fold"] == arguments.fold]
    train = rows[(rows["fold"] != arguments.fold) & (rows["set"] == schema.GENERAL)]
    history = pd.DataFrame(columns=["part", "epoch", "loss"])
    lines, weights = [], {}
    if len(test):
        network, losses = model.fit(train, config, room.device(), name)
        history = pd.DataFrame([(part, epoch, loss) for part, values in losses.items()
                                for epoch, loss in enumerate(values, 1)], columns=history.columns)  # fmt: skip
        weights = network.state_dict()
        seen = torch.tensor([code in set(train["emotion"]) for code in schema.EMOTIONS])
        head = test[["sequence", "subject", "emotion", "fold", "set"]]
        for method, probability in model.predict(network, test).items():
            if not seen.all():  # what no training sequence shows is never answered
                probability = probability.where(seen, 0) / probability.where(seen, 0).sum(dim=1, keepdim=True)
            lines.append(head.assign(method=method, probability=list(probability.numpy()),
                                     predicted=probability.argmax(dim=1).numpy() + 1))  # fmt: skip
    predictions = pd.concat(lines) if lines else pd.DataFrame(columns=schema.PREDICTIONS.schema.names)
    parquet.write(OUT / f"predictions/{name}.parquet", schema.PREDICTIONS, predictions)
    with room.renamed(OUT / f"models/{name}.safetensors") as file:
        save_file({key: value.cpu().contiguous() for key, value in weights.items()}, file)
    with room.renamed(OUT / f"history/{name}.csv") as file:
        history.to_csv(file, index=False)
    held_out = f"tested {len(test)} of {test['subject'].nunique()} subjects" if len(test) else "no subject in this fold"
    room.say("train", f"{name}: learned from {len(train)} general rows, {held_out} -> {len(predictions)} predictions")


if __name__ == "__main__":
    room.run(main)
