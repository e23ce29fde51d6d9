"""Which of the 68 landmarks is which in a mirrored face."""

from __future__ import annotations

import numpy as np

_PAIRS = [
    *((i, 16 - i) for i in range(8)),  # jaw
    *((17 + i, 26 - i) for i in range(5)),  # brows
    (31, 35), (32, 34),  # nostrils
    (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),  # eyes
    (48, 54), (49, 53), (50, 52), (55, 59), (56, 58),  # outer lips
    (60, 64), (61, 63), (65, 67),  # inner lips
]  # fmt: skip

MIRROR = np.arange(68)
for _right, _left in _PAIRS:
    MIRROR[[_right, _left]] = _left, _right
"""Landmark i of a mirrored face lies where landmark MIRROR[i] of the original lay: its own inverse."""
