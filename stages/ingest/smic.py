"""SMIC, the high-speed camera's part (HS), as the University of Oulu ships it: 164 clips of 16 people at 100 frames/s.

    SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image001.bmp      640 x 480 px; or SMIC_all_cropped/.../reg_image001.bmp

The folders' names are the labels. A clip runs from onset to offset and no apex is coded: its middle frame stands for
the apex (ours; what others do without one). Li et al., "A Spontaneous Micro-expression Database", FG 2013.
"""

from __future__ import annotations

from pathlib import Path

from stages.ingest import megc
from stages.ingest.sequence import folders, whole
from stages.tables.datasets import MEGC
from stages.tables.room import RoomError

IMAGES = ("SMIC_all_raw/SMIC_all_raw/HS", "SMIC_all_raw/HS", "SMIC_all_cropped/HS", "HS")
emotion = megc.emotion


def sequences(root: Path) -> list[megc.Clip]:
    """Every clip of every subject. Raises RoomError when ``root`` is missing or holds none."""
    if not root.is_dir():
        raise RoomError(f"{root}: no such folder; set dataset.root in params.yaml to the folder of your copy")
    tree = next((root / name for name in IMAGES if (root / name).is_dir()), None)
    if tree is None:
        raise RoomError(f"{root}: holds no folder {IMAGES[1]}/; unpack SMIC's frames there")
    found = [
        megc.Clip(subject.name, clip.name, clip, label)
        for subject in folders(tree)
        for label in MEGC.values()
        if (subject / "micro" / label).is_dir()
        for clip in folders(subject / "micro" / label)
    ]
    if not found:
        raise RoomError(f"{tree}: holds no clips such as s1/micro/negative/s1_ne_01/; unpack SMIC's frames there")
    return megc.listed(root, found)


def frames(clip: megc.Clip) -> list[Path]:
    """The picture files up to the middle. Raises Unusable when there are fewer than three, or when one is missing."""
    files = whole(megc.pictures(clip.folder), clip.folder)
    return whole(dict(enumerate(files[: len(files) // 2 + 1])), clip.folder)
