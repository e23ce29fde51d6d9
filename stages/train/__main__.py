"""python -m stages.train MODEL [FOLD]: a feature table -> what the model predicts for the subjects of a fold.

A network takes a FOLD and leaves its weights and losses too; a training that was killed goes on from its checkpoint,
which is at most a minute old, when it is started again. The support vector machine does all folds at once.
"""

import argparse
from pathlib import Path

import pandas as pd

from stages.tables import params, parquet, schema, stage
from stages.train import models
from stages.train.predictions import answers, shown

FEATURES, PREDICTIONS = Path("data/features"), Path("results/predictions")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.train", description=__doc__)
    parser.add_argument("model", choices=models.names())
    parser.add_argument("fold", type=int, nargs="*",
                        help="of a network one; of another model only these, without which it does all")  # fmt: skip
    arguments = parser.parse_args()
    model, folds = models.load(arguments.model), arguments.fold
    if len(folds) != 1 and not model.RUN.together:
        parser.error(f"{arguments.model} is trained one fold at a time: python -m stages.train {arguments.model} 0")
    name = arguments.model if model.RUN.together else f"{arguments.model}-{folds[0]}"
    folds = folds or params.line("protocol.folds", params.Folds)
    config, table = params.read(model.Config), FEATURES / f"{model.TABLE.name}.parquet"
    rows = parquet.read(table, model.TABLE)
    tables = []
    for fold in stage.progress(folds, name) if model.RUN.together else folds:
        test = rows[rows["fold"] == fold]
        train = rows[(rows["fold"] != fold) & (rows["set"] == schema.GENERAL)]
        run, network = model.RUN(arguments.model, fold, config, train, table), None
        if len(test):
            network = model.fit(run.rows, config, run.trainer)
            for method, probability in model.predict(network, test).items():
                tables.append(answers(test, method, shown(probability, train)))
    predictions = pd.concat(tables) if tables else pd.DataFrame(columns=schema.PREDICTIONS.schema.names)
    parquet.write(PREDICTIONS / f"{name}.parquet", schema.PREDICTIONS, predictions)
    run.finish(network)
    subjects = predictions["subject"].nunique()
    tested = f"tested {subjects} subjects" if subjects else "no subject in this fold"
    stage.summary("train", f"{name}: {len(rows)} rows of {table}, {tested} -> {len(predictions)} predictions")


if __name__ == "__main__":
    stage.run(main)
