"""Who shows what: a fixed list of subjects and their labelled sequences, with CK+'s numbers (Lucey et al., 2010)."""

from __future__ import annotations

import numpy as np

from stages.tables.schema import EMOTIONS

SUBJECTS = 118
"""Subjects of CK+ that have a labelled sequence, and of every block of the plan."""

COUNTS = {1: 45, 2: 18, 3: 59, 4: 25, 5: 69, 6: 28, 7: 83}
"""CK+'s labelled sequences per emotion code: 327."""

MOST = 6
"""Most labelled sequences a subject of CK+ has."""


def plan(subjects: int, seed: int) -> list[list[int]]:
    """The emotions that each of the first ``subjects`` subjects shows, in the order of the sessions.

    Every block of 118 subjects holds COUNTS; nobody shows an emotion twice. The plan of fewer subjects is the
    beginning of the plan of more.
    """
    everybody: list[list[int]] = []
    while len(everybody) < subjects:
        everybody += _block(np.random.default_rng([seed, len(everybody)]))
    return everybody[:subjects]


def _block(generator: np.random.Generator) -> list[list[int]]:
    while True:
        lengths = _lengths(generator)
        block = _deal(lengths, generator)
        if block is not None:
            return block


def _lengths(generator: np.random.Generator) -> np.ndarray:
    """(SUBJECTS,) numbers of sequences, 1 to MOST, that add up to CK+'s total."""
    total = sum(COUNTS.values())
    lengths = 1 + generator.binomial(MOST - 1, (total / SUBJECTS - 1) / (MOST - 1), SUBJECTS)
    while lengths.sum() != total:
        step = 1 if lengths.sum() < total else -1
        able = np.flatnonzero((lengths + step >= 1) & (lengths + step <= MOST))
        lengths[generator.choice(able)] += step
    return lengths


def _deal(lengths: np.ndarray, generator: np.random.Generator) -> list[list[int]] | None:
    """Gives each subject the emotions that lag most behind their share so far; None when the counts do not come out."""
    emotions, counts = np.array(list(COUNTS)), np.array(list(COUNTS.values()))
    given = np.zeros(len(EMOTIONS), int)
    block = []
    for length in lengths:
        due = counts * (given.sum() + length) / counts.sum() - given + generator.uniform(0, 0.6, len(counts))
        due[given == counts] = -np.inf
        chosen = np.argsort(-due)[:length]
        if (given[chosen] == counts[chosen]).any():
            return None
        given[chosen] += 1
        block.append(emotions[generator.permutation(chosen)].tolist())
    return block if (given == counts).all() else None
