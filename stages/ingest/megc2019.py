"""The composite of the grand challenge of 2019: CASME II, SAMM and SMIC in one run, 442 clips of 68 people.

    casme2/, samm/, smic/           each data set as its own file here describes it
    combined_3class_gt.csv          the challenge's list, which says which clips count and as what

Its people are named after their data set: casme2/sub01. See et al., "MEGC 2019", FG 2019.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stages.ingest import casme2, megc, samm, smic
from stages.ingest.sequence import folders
from stages.tables.errors import UserError

PARTS = {"casme2": casme2, "samm": samm, "smic": smic}
emotion, frames = megc.emotion, megc.frames


def sequences(root: Path) -> list[megc.Clip]:
    """Every clip of the three. Raises UserError when ``root`` lacks one of them, or when one is not as it should be."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; set dataset.root in params.yaml to the folder of the three data sets")
    clips = []
    for name, reader in PARTS.items():
        own = [folder for folder in folders(root) if megc.dataset_name(folder.name) == name]
        if len(own) != 1:
            there = f"several folders of it ({', '.join(folder.name for folder in own)})" if own else f"no {name}/"
            raise UserError(f"{root}: holds {there}; the composite needs casme2/, samm/ and smic/, each once")
        read = megc.listed(root, name, reader.sequences(own[0]), reader.LAYOUT, own[0])
        clips += [replace(clip, subject=f"{name}/{clip.subject}") for clip in read]
    return clips
