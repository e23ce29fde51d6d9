"""What the table is a table of: how many sequences, subjects, classes and folds, and what was set aside on the way."""

from __future__ import annotations

from typing import Any

import pandas as pd

from stages.evaluate import poster
from stages.tables.schema import EMOTIONS


def facts(
    name: str, sequences: pd.DataFrame, complete: pd.Index, rejected: pd.DataFrame, folds: list[int]
) -> dict[str, Any]:
    """Counts of the data set, nested plain values.

    ``name`` is the data set's; ``complete`` names the sequences that the table counts; ``folds`` are the protocol's.
    Where the data set is CK+, ``published`` says whether its class counts and fold sizes are the published ones.
    """
    count = sequences["fold"].value_counts()
    subjects = sequences.groupby("fold")["subject"].nunique()
    found: dict[str, Any] = {
        "name": name,
        "sequences": len(sequences),
        "subjects": int(sequences["subject"].nunique()),
        "evaluated": len(complete),
        "incomplete": sorted(set(sequences["sequence"]) - set(complete)),
        "classes": _classes(sequences),
        "evaluated_classes": _classes(sequences[sequences["sequence"].isin(complete)]),
        "folds": [
            {"fold": fold, "subjects": int(subjects.get(fold, 0)), "sequences": int(count.get(fold, 0))}
            for fold in folds
        ],
        "folds_with_subjects": int((count > 0).sum()),
        "published": None,
        "rejected": rejected.groupby(["stage", "code"])["sequence"]
        .nunique()
        .rename("sequences")
        .reset_index()
        .to_dict("records"),
    }
    if name == "ckplus":
        sizes = [fold["sequences"] for fold in found["folds"]]
        found["published"] = {
            "classes": poster.CLASSES,
            "folds": list(poster.FOLDS),
            "classes_agree": found["classes"] == poster.CLASSES,
            "folds_agree": sizes == list(poster.FOLDS),
        }
    return found


def _classes(sequences: pd.DataFrame) -> dict[str, int]:
    return {emotion: int((sequences["emotion"] == code).sum()) for code, emotion in EMOTIONS.items()}


def sentence(found: dict[str, Any]) -> str:
    """The counts in words, for above the table."""
    total = len(found["folds"])
    classes = sum(number > 0 for number in found["classes"].values())
    words = (
        f"{found['evaluated']} of {found['sequences']} sequences of {found['subjects']} subjects,"
        f" {classes} of {len(EMOTIONS)} emotions, {found['folds_with_subjects']} of {total} folds hold subjects"
    )
    if found["incomplete"]:
        words += f" (without a general or a micro recording: {len(found['incomplete'])})"
    if published := found.get("published"):
        for what in ("classes", "folds"):
            state = "agree" if published[f"{what}_agree"] else "do NOT agree"
            words += f"; {'class counts' if what == 'classes' else 'fold sizes'} {state} with CK+'s published ones"
    return words + "."
