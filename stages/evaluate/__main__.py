"""Reads the predictions of every fold and model, and writes the poster's table with its statistics to results/."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from stages.evaluate import curves, document, facts, mixed, pool, table
from stages.evaluate.params import Evaluate
from stages.tables import files, params, parquet, stage
from stages.tables.errors import UserError
from stages.tables.methods import DTAGN
from stages.tables.schema import CLASSES, LMF, PREDICTIONS, REJECTED, REJECTING, SEQUENCES

INTERIM, FEATURES, RESULTS = Path("data/interim"), Path("data/features"), Path("results")


def predictions(folds: list[int]) -> tuple[pd.DataFrame, int]:
    """All rows but their probabilities, and the number of files that hold them.

    Files of folds that params.yaml no longer names may be left from an earlier protocol: those are not read.
    """
    paths = sorted((RESULTS / "predictions").glob("*.parquet"))
    paths = [path for path in paths if "-" not in path.stem or path.stem.rpartition("-")[2] in map(str, folds)]
    if not paths:
        raise UserError(f"{RESULTS / 'predictions'}: holds no predictions; run dvc repro")
    columns = [name for name in PREDICTIONS.schema.names if name != "probability"]
    return pd.concat([parquet.read(path, PREDICTIONS, columns) for path in paths]), len(paths)


def main() -> None:
    settings, folds = params.read(Evaluate), params.line("protocol.folds", params.Folds)
    share = settings.micro_share
    predicted, count = predictions(folds)
    sequences = parquet.read(INTERIM / "sequences.parquet", SEQUENCES)
    classes = parquet.read(INTERIM / "classes.parquet", CLASSES)
    rejected = pd.concat([parquet.read(INTERIM / f"rejected_{name}.parquet", REJECTED) for name in REJECTING])
    sfem = pool.sizes(parquet.read(FEATURES / "lmf.parquet", LMF, ["sequence", "fold", "set", "sfem"]))

    pool.check(predicted, sequences)
    limits = pool.thresholds(sfem)
    methods = pool.methods(pool.answers(predicted, sfem), sfem, limits)
    complete = methods[DTAGN].index
    draws = mixed.draws(complete, settings.draws, settings.seed)
    labels = dict(zip(classes["emotion"], classes["label"], strict=True))
    counted = facts.facts(classes, sequences, complete, rejected, folds)
    tidy, tests = table.tidy(methods, draws, share), table.comparisons(methods, draws, share)
    filmed = table.filmed(methods, sequences.set_index("sequence")["dataset"]) if counted["micro"] else []
    text = document.markdown(tidy, tests, filmed, facts.sentence(counted), settings.draws, share)
    details = document.details(methods, sfem, limits, draws, share, labels, counted, tests, filmed)
    drawn = curves.curves(methods, sfem, draws, share, labels)

    files.write(RESULTS / "table.json", json.dumps(document.metric(tidy, counted), indent=2) + "\n")
    files.write(RESULTS / "table.md", text)
    files.write(RESULTS / "table.csv", tidy.to_csv(index=False, float_format="%.6f"))
    files.write(RESULTS / "statistics.json", json.dumps(details, indent=2) + "\n")
    for name, curve in drawn.items():
        files.write(RESULTS / f"plots/{name}.csv", curve.to_csv(index=False, float_format="%.6f"))
    print(text)
    counts = f"{len(predicted)} predictions in {count} files, {len(complete)} complete sequences"
    stage.summary("evaluate", f"{counts} -> {RESULTS}/table.md, table.csv, table.json, statistics.json, plots/")


if __name__ == "__main__":
    stage.run(main, __doc__)
