"""What the emotions of two data sets have in common: all of them, or the three classes that both can be merged into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.ingest.megc import CLASSES, CODES, WORDS
from stages.tables.errors import UserError


@dataclass(frozen=True)
class Common:
    """The classes to compare by: ``labels`` by code, and each data set's own codes to these."""

    labels: dict[int, str]
    learnt: dict[int, int]
    tested: dict[int, int]

    @property
    def merged(self) -> bool:
        """Whether emotions of one of the two were merged."""
        return max(len(self.learnt), len(self.tested)) > len(self.labels)

    def probability(self, learnt: np.ndarray) -> np.ndarray:
        """Probabilities of the learnt emotions (rows, 7) as those of the classes (rows, classes)."""
        result = np.zeros((len(learnt), len(self.labels)), np.float32)
        for own, code in self.learnt.items():
            result[:, code - 1] += learnt[:, own - 1]
        return result


def common(learnt: dict[int, str], tested: dict[int, str]) -> Common:
    """The classes of two data sets, whose emotions are given by code. Raises UserError when they share none."""
    if learnt == tested:
        same = {code: code for code in tested}
        return Common(tested, same, same)
    try:
        sides = [{code: merged(label) for code, label in labels.items()} for labels in (learnt, tested)]
    except KeyError as unknown:
        raise UserError(f"the emotion {unknown} is none of {', '.join(CODES)}, so the data sets have no classes in"
                        " common; test on one with CK+'s emotions or these three") from None  # fmt: skip
    return Common(dict(CLASSES), *sides)


def merged(label: str) -> int:
    """The code of the class that an emotion belongs to. Raises KeyError for an unknown one."""
    return CODES[(WORDS | {"happy": "positive"})[label]]


def sentence(common: Common, learnt: dict[int, str], tested: dict[int, str]) -> str:
    """How the classes of the two go together, in words."""
    if not common.merged:
        return f"Both know the same emotions: {', '.join(tested.values())}."
    parts = []
    for code, label in common.labels.items():
        names = {name for labels, side in ((learnt, common.learnt), (tested, common.tested))
                 for own, name in labels.items() if side[own] == code and name != label}  # fmt: skip
        parts.append(f"{label} ({', '.join(sorted(names))})" if names else label)
    known = f"Learnt were {', '.join(learnt.values())}; the data set knows {', '.join(tested.values())}."
    return f"{known} Both are merged into {len(parts)} classes: {'; '.join(parts)}."
