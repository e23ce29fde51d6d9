"""CASME II, as the Chinese Academy of Sciences ships it: 247 clips of 26 people at 200 frames/s.

    CASME2-coding-20140508.xlsx                     a line a clip: subject, onset, apex and offset frame, emotion
    CASME2_RAW_selected/sub01/EP02_01f/img46.jpg    640 x 480 px; or Cropped/sub01/EP02_01f/reg_img46.jpg, 280 x 340

The whole frames (RAW) are the better choice: a face that fills the picture is harder to detect. Some clips have "/" for
an apex. Yan et al., "CASME II", PLOS ONE 9 (2014) e86041.
"""

from __future__ import annotations

from pathlib import Path

from stages.ingest import megc
from stages.ingest.layout import Layout

LAYOUT = Layout(
    ("CASME2_RAW_selected", "CASME2-RAW", "RAW_selected", "Cropped-updated/Cropped", "Cropped", "Cropped_original"),
    (r"sub(?P<subject>[0-9]{1,3})/(?P<clip>[^/]+)", r"(?:sub|s)?(?P<subject>[0-9]{1,3})[/_](?P<clip>ep[0-9][^/]*)",
     r"sub(?P<subject>[0-9]{1,3})"),
    "sub{:02}",
    r"ep[0-9].*",
    "sub01/EP02_01f",
)  # fmt: skip
emotion, frames = megc.emotion, megc.frames


def sequences(root: Path) -> list[megc.Clip]:
    """Every clip that is coded or has a folder. Raises UserError when ``root`` lacks the spreadsheet or the frames."""
    return megc.coded(root, "casme2", LAYOUT)
