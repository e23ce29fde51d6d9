"""The data sets that the pipeline reads: what their emotion codes mean, and how many of what is published.

Adding one is an entry here and the file of the same name in stages/ingest that reads it (see sequence.py there). An
entry's codes are the first ones of seven, which is what tables and networks have room for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stages.tables.schema import EMOTIONS

MEGC = {1: "negative", 2: "positive", 3: "surprise"}
"""The three classes of the micro-expression grand challenge (See et al., "MEGC 2019", FG 2019)."""


@dataclass(frozen=True)
class DataSet:
    """Emotions by code; published numbers of recorded sequences, of their subjects, and of sequences by emotion.

    ``micro`` says that what was filmed are micro-expressions. Nothing is published of what is simulated.
    """

    emotions: dict[int, str]
    sequences: int = 0
    subjects: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    micro: bool = False


DATASETS = {
    "simulated": DataSet(EMOTIONS),
    # Lucey et al., CVPR workshops 2010.
    "ckplus": DataSet(EMOTIONS, 593, 123, dict(zip(EMOTIONS.values(), (45, 18, 59, 25, 69, 28, 83), strict=True))),
    # Yan et al., PLOS ONE 2014; of its list of 2014-05-08 with 255 lines, the paper uses 247.
    "casme2": DataSet(MEGC, 247, 26, {"negative": 88, "positive": 32, "surprise": 25}, micro=True),
    # Davison et al., IEEE Trans. Affective Computing 2018: 32 people were filmed, 29 of whom showed a micro-expression.
    "samm": DataSet(MEGC, 159, 29, {"negative": 92, "positive": 26, "surprise": 15}, micro=True),
    # Li et al., FG 2013: the high-speed camera's part (HS).
    "smic": DataSet(MEGC, 164, 16, {"negative": 70, "positive": 51, "surprise": 43}, micro=True),
}
