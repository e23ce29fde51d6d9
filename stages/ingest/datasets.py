"""The data sets that the pipeline reads: who reads them, what their emotion codes mean, and what is published of them.

Adding one is an entry here and the file that reads it, with three functions (see ckplus.py, the plainest):

    sequences(root) -> [Sequence, ...]   every recorded sequence; UserError when the folder is not that data set's
    emotion(sequence) -> int             its code in the entry; Unusable when it has none
    frames(sequence) -> [Path, ...]      its frames in order, neutral first, apex last; Unusable when one is missing

A data set of landmarks without pictures has ``measured`` instead of ``frames``; see tracks.py.
An entry's codes are the first ones of seven, since tables and networks hold seven.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from stages.ingest import casme2, casme3, ckplus, fourdme, megc2019, mmew, samm, smic, tracks
from stages.ingest.megc import CLASSES
from stages.tables.schema import EMOTIONS


@dataclass(frozen=True)
class DataSet:
    """Reader; emotions by code; published numbers of recorded sequences, of their subjects, of sequences by emotion.

    ``micro`` says that what was filmed are micro-expressions, ``tracks`` that there are landmarks and no pictures.
    ``others`` are the numbers of sequences and subjects of further copies that are whole. Nothing is published of what
    is simulated.
    """

    reader: ModuleType
    emotions: dict[int, str]
    sequences: int = 0
    subjects: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    micro: bool = False
    tracks: bool = False
    others: tuple[tuple[int, int], ...] = ()

    def whole(self, sequences: int, subjects: int) -> bool:
        """Whether these are the published numbers of one of its copies."""
        return (sequences, subjects) in ((self.sequences, self.subjects), *self.others)


DATASETS = {
    # stages/simulate writes CK+'s layout.
    "simulated": DataSet(ckplus, EMOTIONS),
    # Lucey et al., CVPR workshops 2010.
    "ckplus": DataSet(
        ckplus, EMOTIONS, 593, 123, dict(zip(EMOTIONS.values(), (45, 18, 59, 25, 69, 28, 83), strict=True))
    ),
    # Yan et al., PLOS ONE 2014; of its list of 2014-05-08 with 255 lines, the paper uses 247.
    "casme2": DataSet(
        casme2, CLASSES, 247, 26, {"negative": 88, "positive": 32, "surprise": 25}, micro=True, others=((255, 26),)
    ),
    # Davison et al., IEEE Trans. Affective Computing 2018: 32 people were filmed, 29 of whom showed a micro-expression.
    "samm": DataSet(samm, CLASSES, 159, 29, {"negative": 92, "positive": 26, "surprise": 15}, micro=True),
    # Li et al., FG 2013: the high-speed camera's part (HS); VIS and NIR have 71 of 8 each.
    "smic": DataSet(
        smic, CLASSES, 164, 16, {"negative": 70, "positive": 51, "surprise": 43}, micro=True, others=((71, 8),)
    ),
    # Ben et al., IEEE Trans. Pattern Analysis and Machine Intelligence 2022.
    "mmew": DataSet(mmew, CLASSES, 300, 36, {"negative": 109, "positive": 36, "surprise": 89}, micro=True),
    # Li et al., IEEE Trans. Pattern Analysis and Machine Intelligence 2023: part A.
    "casme3": DataSet(casme3, CLASSES, 943, 100, {"negative": 508, "positive": 64, "surprise": 201}, micro=True),
    # Li et al., IEEE Trans. Affective Computing 2023; many of its clips have two emotions, so no class is counted.
    "4dme": DataSet(fourdme, CLASSES, 267, 41, micro=True),
    # See et al., FG 2019: of the three data sets' clips, 442 of 68 people are on its list.
    "megc2019": DataSet(
        megc2019, CLASSES, 570, 71, {"negative": 250, "positive": 109, "surprise": 83}, micro=True, others=((578, 71),)
    ),
    # Landmarks that another program measured.
    "tracks": DataSet(tracks, EMOTIONS, tracks=True),
}


def classes(name: str) -> list[dict[str, Any]]:
    """The rows of the classes table of a data set."""
    known = DATASETS[name]
    return [
        {"dataset": name, "emotion": code, "label": label, "published": known.classes.get(label, 0),
         "micro": known.micro}
        for code, label in known.emotions.items()
    ]  # fmt: skip
