"""``lmf-fer transfer``: what was learnt on one data set is tested on another.

Either the models learn anew from everybody of the last run (with the joint framework's gate), or the shipped network
answers as it is. With ``fine_tune``, the shipped network also learns from all other subjects of the new data set.

Everything is made in results/transfer, by the stages' own commands with params.yaml as it is but for the data set; the
table goes to results/beyond, where the report finds it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import networkx as nx
import numpy as np
import pandas as pd
import yaml

from flows import parameters
from lmf_fer.transfer import classes, table
from stages.evaluate import pool
from stages.ingest.datasets import DATASETS
from stages.tables import files, parquet, pipeline, schema
from stages.tables.errors import UserError

WORK, TABLES = Path("results/transfer"), Path("results/beyond")
NETWORK = Path("networks/lmf.safetensors")
SEQUENCES = "data/interim/sequences.parquet"
FEATURES = (schema.LMF, schema.DTAGN)
TESTED, TRAINED = 0, 1
"""The folds of the two data sets."""


def transfer(root: Path, dataset: str | None, networks: Literal["auto", "run", "shipped"], fine_tune: bool,
             groups: int) -> None:  # fmt: skip
    """Tests on the data set of this name at ``root``; prints the table and where it is.

    Without a name it is what ``root`` looks like: tracks or ckplus. 'auto' takes the last run if there is one. Raises
    UserError when there is no such run or data set, or when a stage fails.
    """
    values = parameters.check()
    name = dataset or ("tracks" if root.is_file() or list(root.glob("labels.csv")) or list(root.glob("*.parquet"))
                       else "ckplus")  # fmt: skip
    if name not in DATASETS:
        raise UserError(f"there is no data set {name!r}; there is {', '.join(DATASETS)}")
    missing = [_features(each) for each in FEATURES if not _features(each).is_file()]
    if missing and networks == "run":  # before the long part
        raise UserError(f"{missing[0]}: no such table; run make reproduce first, or take --networks shipped")
    from_run = not missing and networks != "shipped"
    shutil.rmtree(WORK, ignore_errors=True)  # of another data set
    files.write(WORK / "params.yaml", yaml.safe_dump(changed(values, name, root), sort_keys=False))
    (WORK / NETWORK).parent.mkdir(exist_ok=True)
    shutil.copy(NETWORK, WORK / NETWORK)
    before, training = commands(pipeline.graph())
    for command, outputs in before:
        run(command)
        if SEQUENCES in outputs:
            rows = parquet.read(WORK / SEQUENCES, schema.SEQUENCES)
            parquet.write(WORK / SEQUENCES, schema.SEQUENCES, rows.assign(fold=TESTED))
    tested = parquet.read(WORK / _features(schema.LMF), schema.LMF)
    labels = _labels(WORK)
    learnt = _labels(Path()) if from_run else dict(schema.EMOTIONS)
    common, seven = classes.common(learnt, labels), classes.common(dict(schema.EMOTIONS), labels)
    same = {code: code for code in labels}
    answers, limit = [], None
    if from_run:
        answers.append((f"{values['dataset']['name']}, the last run", common, learn(training)))
        limit = pool.thresholds(pool.sizes(parquet.read(WORK / _features(schema.LMF), schema.LMF)))[TESTED]
    from lmf_fer.transfer import learning  # torch takes long

    if not from_run:
        answers.append(("actors", common, learning.as_shipped(tested)))
    if fine_tune:
        if tested["subject"].nunique() < 2 or groups == 1:
            raise UserError(
                f"{root}: nobody is left to learn from; fine-tuning needs two subjects, and --groups two or more"
            )
        emotions = {code: [own for own, to in seven.learnt.items() if to == seven.tested[code]] for code in labels}
        tuned = pd.concat(learning.fine_tuned(tested, emotions, groups))
        own = classes.Common(labels, same, same) if not common.merged else classes.Common(
            common.labels, common.tested, common.tested)  # fmt: skip
        others = f"in {groups} groups, all but its own" if groups else "all but its own"
        answers.append((f"subjects of {name}, {others}", own, tuned))
    predictions = pd.concat([_in_common(rows, one, common).assign(learnt=where) for where, one, rows in answers])
    result = table.tidy(predictions, common, pool.sizes(tested), limit)
    notes = [_counts(name, tested), classes.sentence(common, learnt, labels), table.unmatched(predictions, common),
             _without_pictures() if DATASETS[name].tracks else ""]  # fmt: skip
    text = table.markdown(f"Tested on {name}", notes, result)
    files.write(TABLES / f"{name}.md", text)
    files.write(TABLES / f"{name}.csv", result.to_csv(index=False, float_format="%.6f"))
    print(text)
    print(f"transfer: tested on {root} -> {TABLES}/{name}.md, {name}.csv; into the report: dvc repro -sf report")


def changed(values: dict[str, Any], name: str, root: Path) -> dict[str, Any]:
    """params.yaml for the data set ``name`` at ``root``."""
    weights = str(Path(values["synthesize"]["weights"]).resolve())
    return values | {
        "dataset": {"name": name, "root": str(root.resolve())},
        "protocol": values["protocol"] | {"folds": [TESTED, TRAINED]},
        "synthesize": values["synthesize"] | {"weights": weights},
    }


def commands(stages: nx.DiGraph) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """What of the pipeline is to run, in its order.

    The commands before the training, each with what it writes; the training's commands, each model's once and without
    its fold. What data/dvc.yaml makes stays the last run's.
    """
    nodes, training = stages.nodes, [name for name in stages if "stages.train" in stages.nodes[name]["cmd"]]
    above = set().union(*(nx.ancestors(stages, name) for name in training))
    before = [(nodes[name]["cmd"], nodes[name]["outs"]) for name in pipeline.order(stages)
              if name in above and ":" not in name]  # fmt: skip
    models = dict.fromkeys(re.sub(r" \d+$", "", nodes[name]["cmd"]) for name in pipeline.order(stages)
                           if name in training)  # fmt: skip
    return before, list(models)


def run(command: str) -> None:
    """Runs a stage's command in WORK. Raises UserError when it fails; its own error line says why."""
    arguments = shlex.split(command)[1:]
    here = {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}
    if subprocess.run([sys.executable, *arguments], cwd=WORK, env=os.environ | here).returncode:
        raise UserError(f"{WORK}: {command} failed there; the lines above say why")


def learn(training: list[str]) -> pd.DataFrame:
    """The predictions of all models, which learn from everybody of the last run; no one answers without its input."""
    for features in FEATURES:
        join(features)
    for command in training:
        run(f"{command} {TESTED}")
    paths = sorted((WORK / "results/predictions").glob("*.parquet"))
    return pd.concat([parquet.read(path, schema.PREDICTIONS) for path in paths])


def join(features: schema.Table) -> None:
    """Puts the last run's rows behind the tested ones in WORK's feature table, as people of another fold."""
    tested, learnt = (parquet.read(folder / _features(features), features) for folder in (WORK, Path()))
    learnt = learnt.assign(fold=TRAINED, **{key: "train/" + learnt[key] for key in ("sequence", "subject")})
    parquet.write(WORK / _features(features), features, pd.concat([tested, learnt]))


def _in_common(predictions: pd.DataFrame, own: classes.Common, common: classes.Common) -> pd.DataFrame:
    """Predictions whose codes are those of the ``common`` classes; ``own`` says what their probabilities are of."""
    probability = own.probability(np.stack(list(predictions["probability"])))
    return predictions.assign(
        predicted=probability.argmax(axis=1) + 1, emotion=predictions["emotion"].map(common.tested)
    )


def _labels(folder: Path) -> dict[int, str]:
    rows = parquet.read(folder / "data/interim/classes.parquet", schema.CLASSES)
    return dict(zip(map(int, rows["emotion"]), rows["label"], strict=True))


def _counts(name: str, tested: pd.DataFrame) -> str:
    paths = [WORK / f"data/interim/rejected_{stage}.parquet" for stage in schema.REJECTING]
    codes = pd.concat([parquet.read(path, schema.REJECTED) for path in paths])["code"].value_counts().sort_index()
    aside = ", ".join(f"{count} {code}" for code, count in codes.items()) or "none"
    return f"{tested['sequence'].nunique()} sequences of {tested['subject'].nunique()} subjects; set aside: {aside}."


def _without_pictures() -> str:
    kinds = parquet.keys(WORK / "data/interim/tracks.parquet", schema.LANDMARKS)["set"].value_counts()
    given = int(kinds.get(schema.MICRO, 0))
    made = "as they were given" if given else "interpolated linearly between the landmarks of the first frames"
    if 0 < given < kinds[schema.GENERAL]:
        made = f"as they were given for {given}, else interpolated linearly between landmarks"
    left_out = "The data set is landmarks alone. DTAGN and the joint framework need pictures and are left out"
    return f"{left_out}; micro sequences are {made}."


def _features(features: schema.Table) -> Path:
    return Path(f"data/features/{features.name}.parquet")
