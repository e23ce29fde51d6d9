"""What the answers amount to: the poster's table with its intervals, and the tests between methods.

``methods`` is always every method's answers frame (see pool.py); ``draws`` a frame of ``mixed.draws``; ``share`` the
probability that a sequence of the mixed set is the micro one. Accuracies are shares in [0, 1].
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from stages.evaluate import pool, poster, statistics
from stages.evaluate.poster import MIXED
from stages.tables.methods import DTAGN, JOINT, JOINT_ACTORS, LMF_FER, LMF_FER_ACTORS
from stages.tables.schema import GENERAL, MICRO

Methods = dict[str, pd.DataFrame]

ACTORS = ((LMF_FER_ACTORS, LMF_FER), (JOINT_ACTORS, JOINT))
"""Each row with actors, and its published counterpart."""
PAIRS = ((JOINT, LMF_FER), *ACTORS, (JOINT_ACTORS, LMF_FER_ACTORS))


def by_set(answers: pd.DataFrame, draws: pd.DataFrame, share: float) -> dict[str, np.ndarray]:
    """A method's predictions (n,) of each of the three sets; of the mixed one, its first draw."""
    general, micro = answers[GENERAL].to_numpy(), answers[MICRO].to_numpy()
    return {GENERAL: general, MICRO: micro, MIXED: np.where(draws.loc[answers.index, 0] < share, micro, general)}


def spread(answers: pd.DataFrame, draws: pd.DataFrame, share: float) -> tuple[float, float]:
    """Mean and standard deviation of a method's accuracy over all mixed draws."""
    general, micro = ((answers[recording] == answers["emotion"]).to_numpy()[:, None] for recording in pool.RECORDINGS)
    accuracy = np.where(draws.loc[answers.index].to_numpy() < share, micro, general).mean(axis=0)
    return float(accuracy.mean()), float(accuracy.std())


def scores(methods: Methods, draws: pd.DataFrame, share: float) -> dict[tuple[str, str], statistics.Score]:
    """Every method's score on every set, by (method, set)."""
    return {
        (method, name): statistics.score(answers["emotion"].to_numpy(), predicted)
        for method, answers in methods.items()
        for name, predicted in by_set(answers, draws, share).items()
    }


def tidy(methods: Methods, draws: pd.DataFrame, share: float) -> pd.DataFrame:
    """One row per method and set. In a mixed row ``mean`` and ``sd`` are of all draws, the rest is the first draw's."""
    rows = []
    for (method, name), score in scores(methods, draws, share).items():
        mean, sd = spread(methods[method], draws, share) if name == MIXED else (score.accuracy, 0.0)
        numbers = {key: value for key, value in score._asdict().items() if key not in ("metrics", "recall")}
        cell = poster.TABLE.get((method, name))
        printed = {"poster_accuracy": cell and cell.percent / 100, "poster_correct": cell and cell.correct}
        rows.append({"method": method, "set": name, **numbers, **score.metrics, "mean": mean, "sd": sd, **printed})
    return pd.DataFrame(rows).astype({"poster_accuracy": "Float64", "poster_correct": "Int64"})


def comparisons(methods: Methods, draws: pd.DataFrame, share: float) -> list[dict[str, str | int | float]]:
    """McNemar's exact test of every method against DTAGN, and of those in PAIRS against each other, a set each."""
    pairs = [(method, DTAGN) for method in methods if method != DTAGN]
    pairs += [pair for pair in PAIRS if set(pair) <= methods.keys()]
    rows: list[dict[str, str | int | float]] = []
    for first, second in pairs:
        both = methods[first].index.intersection(methods[second].index)
        emotion = methods[first].loc[both, "emotion"].to_numpy()
        sides = [by_set(methods[method].loc[both], draws, share) for method in (first, second)]
        for name in sides[0]:
            result = statistics.compare(*(side[name] == emotion for side in sides))
            rows.append({"first": first, "second": second, "set": name, "total": len(both), **result._asdict()})
    return rows


def filmed(methods: Methods, datasets: pd.Series) -> list[dict[str, str | int | float]]:
    """Every method's score on micro-expressions as filmed, over all and by data set, all folds pooled.

    ``datasets`` is the data set of each sequence (index ``sequence``). The grand challenge scores so: UF1 and UAR of
    all predictions pooled, not means over subjects (See et al., "MEGC 2019", FG 2019).
    """
    rows: list[dict[str, str | int | float]] = []
    for method, answers in methods.items():
        own = datasets[answers.index]
        parts = {"all": answers} | {name: answers[own == name] for name in sorted(own.unique())}
        for name, part in (parts if own.nunique() > 1 else {own.iloc[0]: answers}).items():
            score = statistics.score(part["emotion"].to_numpy(), part[GENERAL].to_numpy())
            reported = poster.LATER.get(name, 0) if method == LMF_FER else 0
            rows.append({"method": method, "dataset": name, "total": score.total, "accuracy": score.accuracy,
                         "uf1": score.metrics["uf1"], "uar": score.metrics["uar"], "reported": reported})  # fmt: skip
    return rows


def ceilings(methods: Methods) -> Methods:
    """Two gates that know too much, to show what the real one could gain at most.

    The first knows which recording it is given (general to DTAGN, micro to LMF-FER); the second knows the answer, so
    that it errs only where both methods do.
    """
    large, small = methods[DTAGN], methods[LMF_FER]
    best = {name: large[name].where(large[name] == large["emotion"], small[name]) for name in pool.RECORDINGS}
    return {
        "gate that knows the recording": large.assign(micro=small[MICRO]),
        "gate that knows the answer": large.assign(**best),
    }
