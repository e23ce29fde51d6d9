"""SMIC, the high-speed camera's part (HS), as the University of Oulu ships it: 164 clips of 16 people at 100 frames/s.

    SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image001.bmp      640 x 480 px; or SMIC_all_cropped/.../reg_image001.bmp

The folders' names are the labels. A clip runs from onset to offset and no apex is coded: its middle frame stands for
the apex (ours; what others do without one). The parts of the ordinary and the infrared camera, VIS and NIR, are read
where ``root`` is their own folder. Li et al., "A Spontaneous Micro-expression Database", FG 2013.
"""

from __future__ import annotations

from pathlib import Path

from stages.ingest import megc
from stages.ingest.layout import Layout, clips
from stages.tables.errors import UserError

LAYOUT = Layout(
    ("SMIC_all_raw/HS", "SMIC_all_cropped/HS", "HS"),
    (r"s(?P<subject>[0-9]{1,3})/(?:micro/)?(?P<label>negative|positive|surprise)/(?P<clip>[^/]+)",
     r"(?P<label>negative|positive|surprise)/(?P<clip>s(?P<subject>[0-9]{1,3})_[^/]+)",
     r"(?P<clip>s(?P<subject>[0-9]{1,3})_(?P<label>ne|po|sur)_[0-9]+)"),
    "s{}",
    r"s[0-9].*",
    "s1/micro/negative/s1_ne_01",
)  # fmt: skip
LABELS = {"ne": "negative", "po": "positive", "sur": "surprise"}
emotion, frames = megc.emotion, megc.frames


def sequences(root: Path) -> list[megc.Clip]:
    """Every clip of every subject. Raises UserError when ``root`` is missing, or holds none or only another part."""
    tree, found = clips(root, LAYOUT, set())
    if tree != root and tree.name.upper() in ("VIS", "NIR"):
        raise UserError(f"{root}: holds SMIC's part {tree.name}, but not HS; to read that, set dataset.root to {tree}")
    read = [
        megc.Clip(f"s{number}", place.folder.name.lower(), place.folder, label, entire=True, dataset="smic")
        for (number, _), place in found.items()
        if (label := LABELS.get(place.label.lower(), place.label.lower()))
    ]
    return megc.listed(root, "smic", read, LAYOUT, tree)
