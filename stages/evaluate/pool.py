"""From the predictions of single folds to each method's answers for all sequences, and the joint framework's on top.

An *answers* frame has one row per sequence (index ``sequence``, sorted) and the columns ``emotion``, ``fold``,
``general`` and ``micro``: the true code, the fold that tested it, and the codes predicted for its two recordings.
A *sizes* frame has the same index and the columns ``fold``, ``general`` and ``micro``: the recordings' SFEM in 1/px.
"""

from __future__ import annotations

import pandas as pd

from stages.evaluate import gate
from stages.tables.errors import UserError
from stages.tables.methods import DTAGN, JOINT, JOINT_ACTORS, LMF_FER, LMF_FER_ACTORS
from stages.tables.schema import GENERAL, MICRO

RECORDINGS = [GENERAL, MICRO]
STALE = "predictions and data set do not belong together: run dvc repro"


def check(predictions: pd.DataFrame, sequences: pd.DataFrame) -> None:
    """Raises UserError unless every sequence is predicted once a set and method, in its subject's fold, as labelled.

    A subject in two folds would be tested by a model that was trained on it, so that is an error too.
    """
    split = sequences.groupby("subject")["fold"].nunique()
    if (split > 1).any():
        raise UserError(f"subject {split.index[split > 1][0]} is in more than one fold; run dvc repro ingest")
    twice = predictions.duplicated(["method", "set", "sequence"])
    if twice.any():
        method, recording, name = predictions.loc[twice, ["method", "set", "sequence"]].iloc[0]
        raise UserError(f"{name} ({recording}) is predicted more than once by {method}; {STALE}")
    known = predictions.merge(sequences, "left", "sequence", suffixes=("", "_known"))
    for column in ("subject", "emotion", "fold"):
        wrong = known[column] != known[f"{column}_known"]
        if wrong.any():
            raise UserError(f"{known.loc[wrong, 'sequence'].iloc[0]} is predicted with another {column}; {STALE}")


def sizes(lmf: pd.DataFrame) -> pd.DataFrame:
    """The sizes frame of every sequence that has both recordings, from the LMF table."""
    twice = lmf.duplicated(["sequence", "set"])
    if twice.any():
        raise UserError(f"{lmf.loc[twice, 'sequence'].iloc[0]} is twice in the LMF table; run dvc repro featurize")
    return _wide(lmf, ["fold"], "sfem")


def answers(predictions: pd.DataFrame, sfem: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Each method's answers frame, of the sequences that are complete.

    Complete is what has an SFEM and a prediction of DTAGN and of LMF-FER for both recordings. A further method is
    shown on those of them that it predicted for both recordings itself.
    """
    tables = {
        str(method): _wide(rows, ["emotion", "fold"], "predicted").astype(int)
        for method, rows in predictions.groupby("method")
    }
    for method in (DTAGN, LMF_FER):
        if method not in tables:
            raise UserError(f"results/predictions: holds no predictions of {method}; run dvc repro"
                            " (tracks have no pictures for DTAGN: lmf-fer transfer makes their table)")  # fmt: skip
    complete = sfem.index.intersection(tables[DTAGN].index).intersection(tables[LMF_FER].index)
    if complete.empty:
        raise UserError(
            "no sequence has an SFEM and predictions of both methods for its general and its micro recording;"
            " data/interim/rejected_*.parquet gives the reasons"
        )
    return {method: table[table.index.isin(complete)] for method, table in tables.items()}


def thresholds(sfem: pd.DataFrame) -> dict[int, float]:
    """Each fold's gate in 1/px, fitted on the sequences of all *other* folds' subjects."""
    training = {int(fold): sfem[sfem["fold"] != fold] for fold in sorted(sfem["fold"].unique())}
    if any(table.empty for table in training.values()):
        raise UserError("all subjects are in one fold, so nobody is left to train on; use a data set of two or more")
    return {fold: gate.threshold(table[GENERAL], table[MICRO]) for fold, table in training.items()}


def joint(large: pd.DataFrame, small: pd.DataFrame, sfem: pd.DataFrame, limits: pd.Series | float) -> pd.DataFrame:
    """The joint framework's answers from DTAGN's (``large``) and LMF-FER's (``small``), of the same sequences.

    ``limits`` is the gate's threshold in 1/px, one of each sequence (index ``sequence``) or one of all.
    """
    chosen = {
        recording: gate.choose(sfem.loc[large.index, recording], limits, large[recording], small[recording])
        for recording in RECORDINGS
    }
    return large.assign(**chosen)


def methods(tables: dict[str, pd.DataFrame], sfem: pd.DataFrame, limits: dict[int, float]) -> dict[str, pd.DataFrame]:
    """All answers in the poster's order (DTAGN, LMF-FER, the joint framework), then the further methods' by name.

    Where LMF-FER with actors has answered, a joint framework of DTAGN and it is among them.
    """
    large, small = tables[DTAGN], tables[LMF_FER]
    first = {DTAGN: large, LMF_FER: small, JOINT: joint(large, small, sfem, large["fold"].map(limits))}
    further = {method: table for method, table in tables.items() if method not in first and len(table)}
    if LMF_FER_ACTORS in further:
        small = further[LMF_FER_ACTORS]
        large = large.loc[small.index]
        further[JOINT_ACTORS] = joint(large, small, sfem, large["fold"].map(limits))
    return first | dict(sorted(further.items()))


def _wide(rows: pd.DataFrame, keys: list[str], value: str) -> pd.DataFrame:
    """One row per sequence with ``value`` of its two recordings; sequences that lack one are left out."""
    wide = rows.pivot(index=["sequence", *keys], columns="set", values=value).reindex(columns=RECORDINGS).dropna()
    return wide.reset_index(keys).rename_axis(columns=None).sort_index()
