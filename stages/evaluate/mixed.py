"""The mixed set: each sequence once, as filmed or as micro.

The poster does not say how it mixes; its counts are of 327, so each sequence appears once. Ours: a seeded draw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


def lots(sequences: Sequence[str], draws: int, seed: int) -> np.ndarray:
    """One uniform number in [0, 1) per sequence and draw, shape (sequences, draws).

    In draw d, sequence s is the micro one where ``lots[s, d] < micro_share``. A sequence's numbers come from the seed
    and its own name only, so another sequence more or less changes nothing for it, and more draws keep the first ones.
    """
    rows = [np.random.default_rng(_entropy(seed, sequence)).random(draws) for sequence in sequences]
    return np.array(rows).reshape(len(rows), draws)


def _entropy(seed: int, sequence: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{sequence}".encode()).digest()[:16], "little")
