"""Which sequences are shown as examples: chosen by a rule, so that nobody can pick the prettiest."""

from __future__ import annotations

import pandas as pd

from stages.tables.schema import GENERAL


def typical(sfem: pd.DataFrame, sequences: pd.DataFrame) -> list[str]:
    """For each emotion that has one, in the order of their codes, the sequence of median general SFEM.

    ``sfem`` holds evaluate's rows (sequence, set, sfem) of sequences with both recordings.
    """
    rows = sfem[sfem["set"] == GENERAL].merge(sequences[["sequence", "emotion"]], on="sequence")
    return [_quantile(group, 0.5) for _, group in rows.groupby("emotion")]


def spread(sfem: pd.DataFrame) -> list[str]:
    """Sequences of a small, a median and a large expression: the 10th, 50th and 90th percentile of general SFEM."""
    rows = sfem[sfem["set"] == GENERAL]
    return list(dict.fromkeys(_quantile(rows, share) for share in (0.1, 0.5, 0.9)))


def _quantile(rows: pd.DataFrame, share: float) -> str:
    """The sequence at a quantile of SFEM, the lower one of two; ties are broken by name."""
    ordered = rows.sort_values(["sfem", "sequence"])["sequence"]
    return str(ordered.iloc[int(share * (len(ordered) - 1))])
