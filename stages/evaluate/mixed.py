"""The mixed set: each sequence once, as filmed or as micro.

The poster does not say how it mixes; its counts are of 327, so each sequence appears once. Ours: a seeded draw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd


def draws(sequences: Sequence[str] | pd.Index, count: int, seed: int) -> pd.DataFrame:
    """One uniform number in [0, 1) per sequence (index) and draw (columns 0 to ``count`` - 1).

    In draw d, sequence s is the micro one where its number is below ``micro_share``. A sequence's numbers come from the
    seed and its own name only, so another sequence more or less changes nothing for it, and more draws keep the first
    ones.
    """
    rows = [np.random.default_rng(_entropy(seed, name)).random(count) for name in sequences]
    return pd.DataFrame(np.array(rows).reshape(len(rows), count), sequences)


def _entropy(seed: int, sequence: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{sequence}".encode()).digest()[:16], "little")
