"""CAS(ME)^3, part A, as the Chinese Academy of Sciences ships it: 943 micro-expressions of 100 people at 30 frames/s.

    cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx       a line a clip: person, film, onset, apex and offset frame, emotion
    Part_A_ME_clip/frame/spNO.10_a_116/116.jpg      person, film and onset; or the films, part_A/spNO.10/a/color/116.jpg

A film holds several clips, so a clip is named after its film and onset. Written from what is published of it. Li et
al., "CAS(ME)^3", IEEE Trans. Pattern Analysis and Machine Intelligence 45 (2023) 2782.
"""

from __future__ import annotations

from pathlib import Path

from stages.ingest import megc
from stages.ingest.layout import Layout
from stages.ingest.workbook import Line

LAYOUT = Layout(
    ("Part_A_ME_clip/frame", "Part_A_ME_clip", "part_A", "ME_A"),
    (r"spno\.?(?P<subject>[0-9]{1,3})_(?P<clip>[a-z]+[0-9]*_[0-9]+)",
     r"spno\.?(?P<subject>[0-9]{1,3})/(?P<clip>[a-z]+[0-9]*)(?:/color)?"),
    "spNO.{}",
    r"[a-z]+[0-9]*_[0-9]+",
    "spNO.10_a_116",
)  # fmt: skip
emotion, frames = megc.emotion, megc.frames


def sequences(root: Path) -> list[megc.Clip]:
    """Every clip that is coded or has a folder. Raises UserError when ``root`` lacks the spreadsheet or the frames."""
    return megc.coded(root, "casme3", LAYOUT, session)


def session(line: Line) -> str:
    """A clip's name: its film and its onset."""
    onset = megc.whole_number(line.onset)
    return f"{str(line.clip or '').strip()}_{line.onset if onset is None else onset}"
