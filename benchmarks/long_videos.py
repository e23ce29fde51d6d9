"""Data sets of long videos, as their authors ship them: the folders of frames, and who shows an expression when.

    CAS(ME)^2   rawpic/s15/15_0101disgustingteeth/img001.jpg, 30 frames/s; CAS(ME)^2code_final.xlsx without a line of
                names: subject, clip, onset, apex, offset, action units, type, emotion. Where its second and third sheet
                are there, they say which folder's number a subject has, and which code a clip.
    SAMM        SAMM_longvideos/006_1/006_1_0001.jpg, 200 frames/s; SAMM_LongVideos_V3_Release.xlsx with some lines
                about it, then the columns Filename, Onset, Apex, Offset and Type. It has no emotions.

Qu et al., "CAS(ME)^2", IEEE Trans. Affective Computing 9 (2018) 424; Yap et al., "SAMM Long Videos", FG 2020.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.films import Truth
from stages.ingest.megc import CODES, WORDS
from stages.tables.errors import UserError


@dataclass
class Video:
    """A folder of frames, its frames a second, and its expressions. Frames count from 1, as the files' numbers do.

    Emotions are the challenge's classes: 1 negative, 2 positive, 3 surprise, and 0 of others.
    """

    folder: Path
    rate: float
    events: list[Truth] = field(default_factory=list)


def read(root: Path) -> list[Video]:
    """The videos of either data set in ``root``. Raises UserError when it is none of the two, or strange."""
    if (root / "rawpic").is_dir():
        return _casme(root)
    if (root / "SAMM_longvideos").is_dir():
        return _samm(root)
    raise UserError(f"{root}: holds neither rawpic/ (CAS(ME)^2) nor SAMM_longvideos/ (SAMM Long Videos)")


def _casme(root: Path) -> list[Video]:
    videos = {folder: Video(folder, 30.0) for folder in sorted(root.glob("rawpic/*/*")) if folder.is_dir()}
    file, (codes, *rules) = _sheets(root, "CAS(ME)^2code_final")
    number = {str(row[2]): str(row[1]) for row in (rules[0] if rules else []) if len(row) > 2}
    code = {str(row[1]): str(row[0]) for row in (rules[1] if len(rules) > 1 else []) if len(row) > 1}
    for line, row in enumerate(codes, 1):
        if len(row) < 8 or row[0] is None:
            continue
        subject = re.sub("^s?0*", "", number.get(str(row[0]), str(row[0])))
        clip = re.sub("_[0-9]+$", "", str(row[1]))
        wanted = code.get(clip, clip)
        mine = [v for f, v in videos.items() if re.sub("^s0*", "", f.parent.name) == subject and wanted in f.name]
        if len(mine) != 1:
            raise UserError(f"{file}, line {line}: {len(mine)} folders of subject {subject} hold {wanted!r} in their"
                            " names; unpack the whole of rawpic, and take the data set's own spreadsheet")  # fmt: skip
        emotion = CODES.get(WORDS.get(str(row[7]).strip().lower(), ""), 0)
        mine[0].events += _event(file, line, (row[2], row[3], row[4]), str(row[6]), emotion)
    return list(videos.values())


def _samm(root: Path) -> list[Video]:
    videos = {f.name: Video(f, 200.0) for f in sorted(root.glob("SAMM_longvideos/*")) if f.is_dir()}
    file, (codes, *_) = _sheets(root, "SAMM_LongVideos")
    heads: list[str] = []
    for line, row in enumerate(codes, 1):
        words = [str(cell or "").strip().lower() for cell in row]
        if not heads:
            heads = [word.removesuffix(" frame") for word in words] if "filename" in words else []
            continue
        cells = dict(zip(heads, row, strict=False))
        if not cells.get("filename"):
            continue
        name = "_".join(str(cells["filename"]).split("_")[:2])
        if name not in videos:
            raise UserError(f"{file}, line {line}: there is no folder SAMM_longvideos/{name}; unpack all videos")
        places = cells.get("onset"), cells.get("apex"), cells.get("offset")
        videos[name].events += _event(file, line, places, str(cells.get("type")), 0)
    if not heads:
        raise UserError(f"{file}: no line names the column Filename; take the data set's own spreadsheet")
    return list(videos.values())


def _event(file: Path, line: int, places: tuple[Any, ...], kind: str, emotion: int) -> Iterator[Truth]:
    """The expression of a line; an apex or an offset that is not coded (0 or less) is its neighbour's."""
    try:
        onset, apex, offset = (int(place or 0) for place in places)
    except (TypeError, ValueError):
        raise UserError(f"{file}, line {line}: onset, apex and offset are {places}, not numbers of frames") from None
    apex = apex if apex > 0 else onset
    offset = offset if offset > 0 else apex
    if not 0 < onset <= offset or not kind.lower().startswith(("macro", "micro")):
        raise UserError(f"{file}, line {line}: onset {onset}, offset {offset} and type {kind!r} are no expression")
    yield Truth(onset, apex, offset, kind.lower()[:5], emotion)


def _sheets(root: Path, start: str) -> tuple[Path, list[list[tuple[Any, ...]]]]:
    """The spreadsheet in ``root`` whose name starts so, and the lines of each of its sheets."""
    from openpyxl import load_workbook  # takes a third of a second

    file = max((f for f in root.glob("*.xlsx") if f.name.startswith(start)), default=None)
    if file is None:
        raise UserError(f"{root}: holds no {start}*.xlsx; put the data set's spreadsheet of codes there")
    try:
        book = load_workbook(file, read_only=True, data_only=True)
        return file, [list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets]
    except Exception as error:  # whatever the parts of a damaged file make openpyxl raise
        raise UserError(
            f"{file}: not a readable .xlsx file ({type(error).__name__}); take the data set's own"
        ) from None
