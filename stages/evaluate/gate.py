"""The joint framework's gate: large expressions go to DTAGN, small ones to LMF-FER.

The poster joins the two methods by the size of the expression (SFEM) but prints neither the rule nor the threshold.
Ours: the threshold is fitted on the training subjects of a fold, without their emotions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def threshold(general: np.ndarray, micro: np.ndarray) -> float:
    """The SFEM halfway, on a logarithmic scale, between training subjects' general and micro sequences.

    ``general`` and ``micro`` are SFEM values in 1/px (shape (n,) and (m,), neither empty), one a sequence, of training
    subjects only. SFEM is a ratio scale spanning more than a decade, hence logarithms: the result is the geometric mean
    of the two sets' geometric means. A sequence without any motion (SFEM 0, whose logarithm does not exist) counts as
    the smallest positive value of either set. Without a positive value the threshold is 0. Our choice: the poster
    gives none.
    """
    general, micro = np.asarray(general, float), np.asarray(micro, float)
    both = np.concatenate([general, micro])
    if not general.size or not micro.size:
        raise ValueError("a threshold needs general and micro sequences of training subjects")
    if not (both > 0).any():
        return 0.0
    least = both[both > 0].min()
    means = [np.log(np.maximum(values, least)).mean() for values in (general, micro)]
    return float(np.exp(np.mean(means)))


def choose(sfem: ArrayLike, limit: ArrayLike, large: ArrayLike, small: ArrayLike) -> np.ndarray:
    """Each item's prediction: ``large`` (DTAGN's) where SFEM is above ``limit``, else ``small`` (LMF-FER's)."""
    return np.where(np.asarray(sfem) > np.asarray(limit), large, small)
