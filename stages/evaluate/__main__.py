"""Reads the predictions of every fold and model, and writes the poster's table with its statistics to results/."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from stages.evaluate import curves, document, facts, mixed, pool, table
from stages.tables import parquet, room
from stages.tables.datasets import DATASETS
from stages.tables.schema import LMF, PREDICTIONS, REJECTED, SEQUENCES

SETTING_ASIDE = ("ingest", "synthesize", "landmark")
INTERIM, RESULTS = Path("data/interim"), Path("results")


def save(name: str, text: str) -> None:
    with room.renamed(RESULTS / name) as file:
        file.write_text(text, encoding="utf-8")


def main() -> None:
    share, draws, seed = (room.params("evaluate")[key] for key in ("micro_share", "draws", "seed"))
    folds = room.params("protocol")["folds"]
    # Files of folds that params.yaml no longer names may lie about from an earlier protocol.
    kept = {str(fold) for fold in folds}
    files = sorted((RESULTS / "predictions").glob("*.parquet"))
    files = [file for file in files if "-" not in file.stem or file.stem.rpartition("-")[2] in kept]
    if not files:
        raise room.RoomError(f"{RESULTS / 'predictions'}: holds no predictions; run dvc repro train")
    columns = [name for name in PREDICTIONS.schema.names if name != "probability"]
    predictions = pd.concat([parquet.read(file, PREDICTIONS, columns) for file in files])
    sequences = parquet.read(INTERIM / "sequences.parquet", SEQUENCES)
    rejected = pd.concat([parquet.read(INTERIM / f"rejected_{stage}.parquet", REJECTED) for stage in SETTING_ASIDE])
    sfem = pool.sizes(parquet.read("data/features/lmf.parquet", LMF, ["sequence", "fold", "set", "sfem"]))

    pool.check(predictions, sequences)
    limits = pool.thresholds(sfem)
    tables = pool.methods(pool.answers(predictions, sfem), sfem, limits)
    complete = tables["DTAGN"].index
    lots = pd.DataFrame(mixed.lots(list(complete), draws, seed), complete)
    name = room.params("dataset")["name"]
    found = facts.facts(name, sequences, complete, rejected, folds)
    tidy, tests = table.tidy(tables, lots, share), table.comparisons(tables, lots, share)
    text = document.markdown(tidy, tests, facts.sentence(found), draws, share)

    save("table.json", json.dumps(document.metric(tidy, found), indent=2) + "\n")
    save("table.md", text)
    save("table.csv", tidy.to_csv(index=False, float_format="%.6f"))
    details = document.details(tables, sfem, limits, lots, share, found, tests)
    save("statistics.json", json.dumps(details, indent=2) + "\n")
    for file, curve in curves.curves(tables, sfem, lots, share, DATASETS[name].emotions).items():
        save(f"plots/{file}.csv", curve.to_csv(index=False, float_format="%.6f"))
    print(text)
    counts = f"{len(predictions)} predictions in {len(files)} files, {len(complete)} complete sequences"
    room.say("evaluate", f"{counts} -> {RESULTS}/table.md, table.csv, table.json, statistics.json, plots/")


if __name__ == "__main__":
    room.run(main, __doc__)
