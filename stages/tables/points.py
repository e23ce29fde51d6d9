"""The 68 landmarks in iBUG's order, counted from 0 (the poster counts from 1), and the names of their groups."""

from __future__ import annotations

import numpy as np

POINTS = 68

JAW, BROWS, NOSE, EYES, LIPS = slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68)
RIGHT_BROW, LEFT_BROW = slice(17, 22), slice(22, 27)
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
OUTER_LIPS, INNER_LIPS = slice(48, 60), slice(60, 68)
GROUPS = {"jaw": JAW, "brows": BROWS, "nose": NOSE, "eyes": EYES, "lips": LIPS}

CHIN, NOSE_TIP = 8, 30
EYE_CORNERS = 36, 45
"""The outer ones: the distance between them is what landmark errors are measured in."""
JAW_WIDTH, NOSE_LENGTH = (0, 16), (27, 33)
"""End points of SFEM's two lengths: p(1)-p(17) and p(28)-p(34) of the poster."""

_PAIRS = [
    *((i, 16 - i) for i in range(8)),  # jaw
    *((17 + i, 26 - i) for i in range(5)),  # brows
    (31, 35), (32, 34),  # nostrils
    (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),  # eyes
    (48, 54), (49, 53), (50, 52), (55, 59), (56, 58),  # outer lips
    (60, 64), (61, 63), (65, 67),  # inner lips
]  # fmt: skip

MIRROR = np.arange(POINTS)
for _right, _left in _PAIRS:
    MIRROR[[_right, _left]] = _left, _right
"""Landmark i of a mirrored face lies where landmark MIRROR[i] of the original lay: its own inverse."""
