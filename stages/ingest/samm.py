"""SAMM, as Manchester Metropolitan University ships it: 159 clips of 32 people at 200 frames/s, 29 of whom have one.

    SAMM_Micro_FACS_Codes_v2.xlsx       some lines about the data set, then a line a clip: onset and apex frame, emotion
    SAMM/006/006_1_2/006_05562.jpg      2040 x 1088 px, grey

Davison et al., "SAMM: A Spontaneous Micro-Facial Movement Dataset", IEEE Trans. Affective Computing 9 (2018) 116.
"""

from __future__ import annotations

from pathlib import Path

from stages.ingest import megc
from stages.ingest.layout import Layout

LAYOUT = Layout(
    ("SAMM", "SAMM_clip", "SAMM_CROP"),
    (r"(?P<subject>[0-9]{1,3})/(?P<clip>[^/]+)", r"(?P<clip>(?P<subject>[0-9]{1,3})_[0-9]+_[0-9]+)",
     r"(?P<subject>[0-9]{1,3})"),
    "{:03}",
    r"[0-9]{1,3}_[0-9]+_[0-9]+",
    "006/006_1_2",
)  # fmt: skip
emotion, frames = megc.emotion, megc.frames


def sequences(root: Path) -> list[megc.Clip]:
    """Every clip that is coded or has a folder. Raises UserError when ``root`` lacks the spreadsheet or the frames."""
    return megc.coded(root, "samm", LAYOUT)
