"""SMIC, the high-speed camera's part (HS), as the University of Oulu ships it: 164 clips of 16 people at 100 frames/s.

    SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image001.bmp      640 x 480 px; or SMIC_all_cropped/.../reg_image001.bmp

The folders' names are the labels. A clip runs from onset to offset and no apex is coded: its middle frame stands for
the apex (ours; what others do without one). Li et al., "A Spontaneous Micro-expression Database", FG 2013.
"""

from __future__ import annotations

from pathlib import Path

from stages.ingest import megc
from stages.ingest.sequence import archive, folders, whole
from stages.tables.errors import UserError

IMAGES = ("SMIC_all_raw/HS", "SMIC_all_raw/SMIC_all_raw/HS", "SMIC_all_cropped/HS", "HS")
emotion = megc.emotion


def sequences(root: Path) -> list[megc.Clip]:
    """Every clip of every subject. Raises UserError when ``root`` is missing or holds none."""
    tree = archive(root, IMAGES, "unpack SMIC's frames there")
    clips = [
        megc.Clip(subject.name, clip.name, clip, label)
        for subject in folders(tree)
        for label in megc.CLASSES.values()
        if (subject / "micro" / label).is_dir()
        for clip in folders(subject / "micro" / label)
    ]
    if not clips:
        raise UserError(f"{tree}: holds no clips such as s1/micro/negative/s1_ne_01/; unpack SMIC's frames there")
    return megc.listed(root, clips)


def frames(clip: megc.Clip) -> list[Path]:
    """The picture files up to the middle. Raises Unusable when there are fewer than three, or when one is missing."""
    files = whole(megc.pictures(clip.folder), clip.folder)
    return whole(dict(enumerate(files[: len(files) // 2 + 1])), clip.folder)
