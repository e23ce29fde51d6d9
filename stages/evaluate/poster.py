"""The numbers the poster prints, to be set beside ours.

Source: Choi, Kim, Song, "Recognizing Fine Facial Micro-Expressions using Two-Dimensional Landmark Feature" (poster,
Inha University), results table: accuracy in percent on the 327 labelled sequences of CK+. The poster prints no counts;
those below are the whole numbers of 327 that its percentages stand for. One has none: 43.34 for DTAGN on the micro
set is probably 43.43 (142 of 327) with two digits swapped, and is kept as printed.
"""

from __future__ import annotations

from typing import NamedTuple

from stages.tables.methods import DTAGN, JOINT, LMF_FER
from stages.tables.schema import GENERAL, MICRO

MIXED = "mixed"
SETS = (GENERAL, MICRO, MIXED)
TOTAL = 327
"""Labelled sequences of CK+, all of which the poster tests on."""


class Cell(NamedTuple):
    """One cell of the poster's table: accuracy in percent, as printed, and the count of 327 that it stands for."""

    percent: float
    correct: int


TABLE: dict[tuple[str, str], Cell] = {
    (DTAGN, GENERAL): Cell(93.88, 307),
    (DTAGN, MICRO): Cell(43.34, 142),
    (DTAGN, MIXED): Cell(70.94, 232),
    (LMF_FER, GENERAL): Cell(92.66, 303),
    (LMF_FER, MICRO): Cell(77.98, 255),
    (LMF_FER, MIXED): Cell(87.46, 286),
    (JOINT, MIXED): Cell(88.69, 290),
}
"""The joint framework's general and micro cells are 'N/A' on the poster."""

LATER = {"smic": 71, "casme2": 74}
"""By data set: about what their later paper reports of LMF-FER on micro-expressions as filmed, accuracy in percent.

Choi, Song, "Facial Micro-Expression Recognition Using Two-Dimensional Landmark Feature Maps", IEEE Access 8 (2020)
121549, abstract. It names neither its classes nor its protocol there.
"""

FOLDS = {"ckplus": (33, 39, 40, 35, 30, 37, 29, 29, 33, 22)}
"""By data set: sequences in each of the ten folds of DTAGN's rule, the rank of the subject's ID modulo 10."""
