"""MMEW, as Shandong University ships it: 300 micro-expressions of 36 people at 90 frames/s, 1920 x 1080 px.

    MMEW_Micro_Exp.xlsx                             a line a clip: subject, onset, apex and offset frame, emotion
    Micro_Expression/anger/S01-02-001/1.jpg         or Micro_Expression/S01/anger/S01-02-001/1.jpg

Written from what is published of it. Ben et al., "Video-based facial micro-expression analysis: A survey of datasets,
features and algorithms", IEEE Trans. Pattern Analysis and Machine Intelligence 44 (2022) 5826.
"""

from __future__ import annotations

from pathlib import Path

from stages.ingest import megc
from stages.ingest.layout import Layout

LAYOUT = Layout(
    ("Micro_Expression",),
    (r"(?:s[0-9]{1,3}/)?(?:(?:anger|disgust|fear|happiness|sadness|surprise|repression|others?)/)?"
     r"(?P<clip>s(?P<subject>[0-9]{1,3})-[0-9]+-[0-9]+)",),
    "S{:02}",
    r"s[0-9]{1,3}-[0-9]+-[0-9]+",
    "anger/S01-02-001",
)  # fmt: skip
emotion, frames = megc.emotion, megc.frames


def sequences(root: Path) -> list[megc.Clip]:
    """Every clip that is coded or has a folder. Raises UserError when ``root`` lacks the spreadsheet or the frames."""
    return megc.coded(root, "mmew", LAYOUT)
