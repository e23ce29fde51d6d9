"""What the micro-expression data sets of the grand challenge share (See et al., "MEGC 2019", FG 2019).

Their clips are micro-expressions as filmed. What the pipeline calls a sequence runs from the onset to the apex of one,
as CK+'s run from neutral to apex: it is the 'general' recording, and its first three frames make the 'micro' one.

The labels are the challenge's three classes. If its list, ``combined_3class_gt.csv``, lies in the data set's folder,
it says which clips count and as what; otherwise each clip's own emotion does, and "others" has none.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from stages.ingest import sequence as base
from stages.ingest.sequence import archive, visible, whole
from stages.tables.errors import Unusable, UserError

CLASSES = {1: "negative", 2: "positive", 3: "surprise"}
"""The challenge's three classes, and their codes here."""

LIST = "combined_3class_gt.csv"
NEGATIVE = ("negative", "anger", "contempt", "disgust", "fear", "repression", "sadness")
WORDS = dict.fromkeys(NEGATIVE, "negative") | {"positive": "positive", "happiness": "positive", "surprise": "surprise"}
CODES = {name: code for code, name in CLASSES.items()}
PICTURES = (".jpg", ".jpeg", ".bmp", ".png")
LARGEST, LONGEST = 20_000_000, 10_000
"""A spreadsheet of more bytes, unpacked, or of more lines is no list of clips."""


@dataclass(frozen=True)
class Clip(base.Sequence):
    """A clip, the word for its emotion, and the numbers of its onset and apex frames as the data set codes them."""

    label: str
    onset: object = None
    apex: object = None


def emotion(clip: Clip) -> int:
    """1 negative, 2 positive, 3 surprise. Raises Unusable, code 'unlabelled', for what is none of the three."""
    if clip.label.lower() not in WORDS:
        reason = f"its emotion is {clip.label[:40]!r}" if clip.label else "no list names it"
        raise Unusable("unlabelled", f"{clip.folder}: {reason}; only {', '.join(CODES)} enter the protocol")
    return CODES[WORDS[clip.label.lower()]]


def frames(clip: Clip) -> list[Path]:
    """The picture files from onset to apex.

    Raises Unusable when one of the two is not coded, when fewer than three frames lie between them, or one is missing.
    """
    numbered = pictures(clip.folder)
    onset, apex = (_whole_number(value) for value in (clip.onset, clip.apex))
    if onset is None or apex is None or not 0 <= apex - onset < 100_000:
        raise Unusable("apex", f"{clip.folder}: is coded with onset {clip.onset} and apex {clip.apex}; both are needed")
    lacks = [number for number in (onset, apex) if number not in numbered]
    if lacks:
        raise Unusable("frames", f"{clip.folder}: holds no frame {lacks[0]}; restore it from the data set's archive")
    return whole({number: file for number, file in numbered.items() if onset <= number <= apex}, clip.folder)


def pictures(folder: Path) -> dict[int, Path]:
    """The pictures of a folder by the last number in their names (img46.jpg, 006_05562.jpg, reg_image001.bmp).

    Raises Unusable when the folder is missing, or when two pictures have the same number.
    """
    if not folder.is_dir():
        raise Unusable("frames", f"{folder}: no such folder; restore it from the data set's archive")
    numbered: dict[int, Path] = {}
    for file in sorted(visible(folder)):
        number = re.search(r"([0-9]{1,9})$", file.stem)
        if file.suffix.lower() not in PICTURES or number is None:
            continue
        if int(number[1]) in numbered:
            raise Unusable("frames", f"{file}: frame {int(number[1])} is there twice; keep one")
        numbered[int(number[1])] = file
    return numbered


def coded(root: Path, pattern: str, images: tuple[str, ...], subject: str) -> list[Clip]:
    """The clips that a spreadsheet codes, and every further folder of clips, which has no label.

    ``pattern`` finds the spreadsheet in ``root``, ``images`` are the names that the folder of frames may have, and
    ``subject`` formats a subject's number as in its folder's name. Raises UserError when either is missing or strange.
    """
    tree = archive(root, images, "unpack the data set's frames there")
    sheet = max(root.glob(pattern), default=None)
    if sheet is None:
        raise UserError(f"{root}: holds no {pattern}; put the data set's spreadsheet of codes there")
    clips = {}
    for line, row in rows(sheet):
        number, session = _whole_number(row["subject"]), str(row["filename"] or "").strip()
        if number is None or not session or Path(session).name != session:
            raise UserError(f"{sheet}, line {line}: names no subject and clip; take the data set's own spreadsheet")
        folder = tree / subject.format(number) / session
        clips[folder] = Clip(subject.format(number), session, folder, str(row["estimatedemotion"] or "").strip(),
                             row["onsetframe"], row["apexframe"])  # fmt: skip
    for folder in (session for one in base.folders(tree) for session in base.folders(one)):
        clips.setdefault(folder, Clip(folder.parent.name, folder.name, folder, ""))
    return listed(root, [clips[folder] for folder in sorted(clips)])


def rows(sheet: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines below the one that names the columns: line number, and cells by column name in small letters.

    Raises UserError when it is no spreadsheet, or lacks a column.
    """
    from openpyxl import load_workbook  # takes a third of a second, and only two data sets need it

    wanted = {"subject", "filename", "onsetframe", "apexframe", "estimatedemotion"}
    try:
        if not sheet.is_file():
            raise ValueError("it is no ordinary file")
        with zipfile.ZipFile(sheet) as archive:
            if sum(part.file_size for part in archive.infolist()) > LARGEST:
                raise ValueError("it is too large")
        table = load_workbook(sheet, read_only=True, data_only=True).worksheets[0]
        lines = list(islice(table.iter_rows(values_only=True), LONGEST + 1))
        if len(lines) > LONGEST:
            raise ValueError(f"it has more than {LONGEST} lines")
    except Exception as error:  # whatever the parts of a damaged file make openpyxl raise
        raise UserError(
            f"{sheet}: not a readable .xlsx file ({_first_line(error)}); take the data set's own one"
        ) from None
    heads: list[str] = []
    for number, line in enumerate(lines, 1):
        if not heads:
            names = ["".join(str(cell or "").lower().split()) for cell in line]
            heads = names if wanted <= set(names) else []
        elif any(cell not in (None, "") for cell in line):
            yield number, dict(zip(heads, line, strict=False))
    if not heads:
        raise UserError(f"{sheet}: no line names the columns {', '.join(sorted(wanted))}; take the data set's own one")


def listed(root: Path, clips: list[Clip]) -> list[Clip]:
    """The clips with the labels of the challenge's list, where it lies in ``root``; without any that is not on it.

    Its lines are data set, subject, clip, and class: 0 negative, 1 positive, 2 surprise.
    Raises UserError when it is not such a file.
    """
    file = root / LIST
    if not file.is_file():
        return clips
    names = dict(enumerate(CLASSES.values()))
    try:
        with file.open(encoding="utf-8", newline="") as text:
            labels = {_key(line[2]): names[int(line[3])] for line in csv.reader(text) if line}
    except (OSError, ValueError, KeyError, IndexError, csv.Error):
        raise UserError(f"{file}: its lines are not data set, subject, clip, class 0 to 2; take MEGC's own") from None
    return [replace(clip, label=labels.get(_key(clip.session), "")) for clip in clips]


def _key(name: str) -> str:
    """A clip's name as the list and the folder both have it: s03_ne_01 is s3_ne_1."""
    return re.sub(r"0+(?=[0-9])", "", name.strip().lower())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _whole_number(value: object) -> int | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return int(number) if number.is_integer() else None
