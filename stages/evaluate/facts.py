"""What the table is a table of: how many sequences, subjects, classes and folds, and what was set aside on the way."""

from __future__ import annotations

from typing import Any

import pandas as pd

from stages.evaluate import poster


def facts(
    classes: pd.DataFrame, sequences: pd.DataFrame, complete: pd.Index, rejected: pd.DataFrame, folds: list[int]
) -> dict[str, Any]:
    """Counts of the data set, nested plain values.

    ``classes`` are the rows of classes.parquet; ``complete`` names the sequences that the table counts; ``folds`` are
    the protocol's. ``published`` says whether class counts, and fold sizes where they are known, are the published
    ones.
    """
    name, labels = classes["dataset"].iloc[0], dict(zip(classes["emotion"], classes["label"], strict=True))
    count = sequences["fold"].value_counts()
    subjects = sequences.groupby("fold")["subject"].nunique()
    by_fold = [{"fold": fold, "subjects": int(subjects.get(fold, 0)), "sequences": int(count.get(fold, 0))}
               for fold in folds]  # fmt: skip
    by_class = _classes(sequences, labels)
    published = None
    if classes["published"].any():
        wanted = dict(zip(classes["label"], map(int, classes["published"]), strict=True))
        sizes, agree = list(poster.FOLDS.get(name, ())), {"class counts": by_class == wanted}
        if sizes:
            agree["fold sizes"] = [fold["sequences"] for fold in by_fold] == sizes
        published = {"classes": wanted, "folds": sizes, "agree": agree}
    reasons = rejected.groupby(["stage", "code"])["sequence"].nunique().rename("sequences")
    return {
        "name": name,
        "sequences": len(sequences),
        "subjects": int(sequences["subject"].nunique()),
        "evaluated": len(complete),
        "incomplete": sorted(set(sequences["sequence"]) - set(complete)),
        "classes": by_class,
        "evaluated_classes": _classes(sequences[sequences["sequence"].isin(complete)], labels),
        "folds": by_fold,
        "folds_with_subjects": int((count > 0).sum()),
        "one_subject_a_fold": bool((subjects == 1).all()),
        "datasets": sorted(sequences["dataset"].unique()),
        "one_dataset_a_fold": bool((sequences.groupby("fold")["dataset"].nunique() == 1).all()),
        "middle": int((sequences["apex"] == "middle").sum()),
        "micro": bool(classes["micro"].any()),
        "published": published,
        "rejected": reasons.reset_index().to_dict("records"),
    }


def _classes(sequences: pd.DataFrame, labels: dict[int, str]) -> dict[str, int]:
    return {label: int((sequences["emotion"] == code).sum()) for code, label in labels.items()}


def sentence(facts: dict[str, Any]) -> str:
    """The counts in words, for above the table."""
    classes = sum(number > 0 for number in facts["classes"].values())
    words = (
        f"{facts['evaluated']} of {facts['sequences']} sequences of {facts['subjects']} subjects,"
        f" {classes} of {len(facts['classes'])} emotions,"
        f" {facts['folds_with_subjects']} of {len(facts['folds'])} folds hold subjects"
    )
    if facts["incomplete"]:
        words += f" (without a general or a micro recording: {len(facts['incomplete'])})"
    if facts["published"]:
        for what, agree in facts["published"]["agree"].items():
            words += f"; {what} {'agree' if agree else 'do NOT agree'} with the published ones"
    if facts["micro"]:
        words += ". General is the micro-expression as filmed, from onset to apex; micro is its first frames"
        if facts["middle"]:
            words += f". Of {facts['middle']} the middle stands for the apex"
        if len(facts["datasets"]) > 1 and facts["one_dataset_a_fold"]:
            words += ". Leave-one-data-set-out: each was tested by networks that saw only the others"
        elif not facts["one_subject_a_fold"]:
            words += f". NOT leave-one-subject-out: protocol.folds needs {facts['subjects']} folds for that"
    return words + "."
