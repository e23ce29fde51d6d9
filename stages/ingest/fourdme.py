"""4DME, its grey films, as the University of Oulu ships them: 267 micro-expressions of 41 people at 60 frames/s.

    4DME_Labelling_Micro_release v1.xlsx            a line a clip: person, folder, onset, apex and offset frame, emotion
    gray_micro/<sub_ID>/<fold_name>/1.jpg           the frames of a clip

Clips of two emotions at once are none of the three classes. Written from what is published of it. Li et al., "4DME: A
Spontaneous 4D Micro-Expression Dataset With Multimodalities", IEEE Trans. Affective Computing 14 (2023) 3031.
"""

from __future__ import annotations

from pathlib import Path

from stages.ingest import megc
from stages.ingest.layout import Layout

LAYOUT = Layout(
    ("gray_micro", "gray_micro_crop"),
    (r"(?<=gray_micro/)(?P<subject>[^/]+)/(?P<clip>[^/]+)", r"(?<=gray_micro_crop/)(?P<subject>[^/]+)/(?P<clip>[^/]+)"),
    "{}",
    r"[^/]+",
    "<sub_ID>/<fold_name>",
)
emotion, frames = megc.emotion, megc.frames


def sequences(root: Path) -> list[megc.Clip]:
    """Every clip that is coded or has a folder. Raises UserError when ``root`` lacks the spreadsheet or the frames."""
    return megc.coded(root, "4dme", LAYOUT)
