"""What the table is a table of: how many sequences, subjects, classes and folds, and what was set aside on the way."""

from __future__ import annotations

from typing import Any

import pandas as pd

from stages.evaluate import poster
from stages.tables.datasets import DATASETS


def facts(
    name: str, sequences: pd.DataFrame, complete: pd.Index, rejected: pd.DataFrame, folds: list[int]
) -> dict[str, Any]:
    """Counts of the data set, nested plain values.

    ``name`` is the data set's; ``complete`` names the sequences that the table counts; ``folds`` are the protocol's.
    ``published`` says whether class counts, and fold sizes where they are known, are the published ones.
    """
    known = DATASETS[name]
    count = sequences["fold"].value_counts()
    subjects = sequences.groupby("fold")["subject"].nunique()
    found: dict[str, Any] = {
        "name": name,
        "sequences": len(sequences),
        "subjects": int(sequences["subject"].nunique()),
        "evaluated": len(complete),
        "incomplete": sorted(set(sequences["sequence"]) - set(complete)),
        "classes": _classes(sequences, known.emotions),
        "evaluated_classes": _classes(sequences[sequences["sequence"].isin(complete)], known.emotions),
        "folds": [
            {"fold": fold, "subjects": int(subjects.get(fold, 0)), "sequences": int(count.get(fold, 0))}
            for fold in folds
        ],
        "folds_with_subjects": int((count > 0).sum()),
        "one_subject_a_fold": bool((subjects == 1).all()),
        "micro": known.micro,
        "published": None,
        "rejected": rejected.groupby(["stage", "code"])["sequence"]
        .nunique()
        .rename("sequences")
        .reset_index()
        .to_dict("records"),
    }
    if known.classes:
        folds, agree = [], {"class counts": found["classes"] == known.classes}
        if name == "ckplus":
            folds, sizes = list(poster.FOLDS), [fold["sequences"] for fold in found["folds"]]
            agree["fold sizes"] = sizes == folds
        found["published"] = {"classes": known.classes, "folds": folds, "agree": agree}
    return found


def _classes(sequences: pd.DataFrame, emotions: dict[int, str]) -> dict[str, int]:
    return {emotion: int((sequences["emotion"] == code).sum()) for code, emotion in emotions.items()}


def sentence(found: dict[str, Any]) -> str:
    """The counts in words, for above the table."""
    total = len(found["folds"])
    classes = sum(number > 0 for number in found["classes"].values())
    words = (
        f"{found['evaluated']} of {found['sequences']} sequences of {found['subjects']} subjects,"
        f" {classes} of {len(found['classes'])} emotions, {found['folds_with_subjects']} of {total} folds hold subjects"
    )
    if found["incomplete"]:
        words += f" (without a general or a micro recording: {len(found['incomplete'])})"
    if published := found.get("published"):
        for what, agree in published["agree"].items():
            words += f"; {what} {'agree' if agree else 'do NOT agree'} with the published ones"
    if found["micro"]:
        words += ". General is the micro-expression as filmed, from onset to apex; micro is its first frames"
        if not found["one_subject_a_fold"]:
            words += f". NOT leave-one-subject-out: protocol.folds needs {found['subjects']} folds for that"
    return words + "."
