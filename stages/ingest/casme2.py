"""CASME II, as the Chinese Academy of Sciences ships it: 247 clips of 26 people at 200 frames/s.

    CASME2-coding-20140508.xlsx                     a line a clip: subject, onset, apex and offset frame, emotion
    CASME2_RAW_selected/sub01/EP02_01f/img46.jpg    640 x 480 px; or Cropped/sub01/EP02_01f/reg_img46.jpg, 280 x 340

The whole frames (RAW) are the better choice: a face that fills the picture is harder to detect. One clip has "/" for
an apex and is set aside. Yan et al., "CASME II", PLOS ONE 9 (2014) e86041.
"""

from __future__ import annotations

from pathlib import Path

from stages.ingest import megc

IMAGES = ("CASME2_RAW_selected/CASME2_RAW_selected", "CASME2_RAW_selected", "CASME2-RAW", "Cropped")
emotion, frames = megc.emotion, megc.frames


def sequences(root: Path) -> list[megc.Clip]:
    """Every clip that is coded or has a folder. Raises UserError when ``root`` lacks the spreadsheet or the frames."""
    return megc.coded(root, "CASME2-coding-*.xlsx", IMAGES, "sub{:02}")
