"""The numbers the poster prints, to be set beside ours.

Source: Choi, Kim, Song, "Recognizing Fine Facial Micro-Expressions using Two-Dimensional Landmark Feature" (poster,
Inha University), results table: accuracy in percent on the 327 labelled sequences of CK+. The poster prints no counts;
those below are the whole numbers of 327 that its percentages stand for. One has none: 43.34 for DTAGN on the micro
set is probably 43.43 (142 of 327) with two digits swapped, and is kept as printed.
"""

from __future__ import annotations

from typing import NamedTuple

DTAGN, LMF_FER, JOINT = "DTAGN", "LMF-FER", "Joint framework"
METHODS = (DTAGN, LMF_FER, JOINT)
MIXED = "mixed"
SETS = ("general", "micro", MIXED)
TOTAL = 327
"""Labelled sequences of CK+, all of which the poster tests on."""


class Cell(NamedTuple):
    """One cell of the poster's table: accuracy in percent, as printed, and the count of 327 that it stands for."""

    percent: float
    correct: int


TABLE: dict[tuple[str, str], Cell] = {
    (DTAGN, "general"): Cell(93.88, 307),
    (DTAGN, "micro"): Cell(43.34, 142),
    (DTAGN, "mixed"): Cell(70.94, 232),
    (LMF_FER, "general"): Cell(92.66, 303),
    (LMF_FER, "micro"): Cell(77.98, 255),
    (LMF_FER, "mixed"): Cell(87.46, 286),
    (JOINT, "mixed"): Cell(88.69, 290),
}
"""The joint framework's general and micro cells are 'N/A' on the poster."""

FOLDS = (33, 39, 40, 35, 30, 37, 29, 29, 33, 22)
"""Sequences in each of the ten subject-independent folds of CK+ under DTAGN's rule: rank of the subject's ID mod 10."""
