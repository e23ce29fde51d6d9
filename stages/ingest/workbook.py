"""The spreadsheet in which a data set codes its clips: found by its columns, whatever its name."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO, StringIO
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from stages.ingest.sequence import visible
from stages.tables.errors import UserError

COLUMNS = {
    "subject": ("subject", "subid"),
    "clip": ("filename", "foldname"),
    "onset": ("onsetframe", "onset"),
    "apex": ("apexframe", "apex"),
    "emotion": ("estimatedemotion", "emotion"),
    "offset": ("offsetframe", "offset"),
}
"""What is read, and the heads that data sets give it, without their capitals, spaces and underscores."""
OPTIONAL = "offset"
OLD = b"\xd0\xcf\x11\xe0"
"""The first bytes of Excel's format until 2003, .xls, and of any file that is locked with a password."""
LARGEST, LONGEST = 20_000_000, 10_000
"""A spreadsheet of more bytes, unpacked, or of more lines is no list of clips."""


class Line(NamedTuple):
    """A coded clip: the number of its line, from 1, and its cells as they stand; without a column, no offset."""

    number: int
    subject: object
    clip: object
    onset: object
    apex: object
    emotion: object
    offset: object = None


def find(root: Path, ours: Callable[[Line], bool], example: str) -> tuple[Path, list[Line]]:
    """The spreadsheet in ``root`` or two folders below it whose lines are ``ours``, and these lines.

    Raises UserError when there is none, which says what is wrong with those that are there, and when there are several
    that differ.
    """
    files = [file for file in _below(root, 2) if file.suffix.lower() in (".xlsx", ".xlsm", ".xls")]
    good: dict[Path, list[Line]] = {}
    faults = []
    for file in (file for file in files if not file.name.startswith("~$")):  # which Excel leaves while one is open
        try:
            lines = list(read(file))
            if any(map(ours, lines)):
                good[file] = lines
            else:
                faults.append(f"{file}: its clips are not named like {example}; take the data set's own spreadsheet")
        except UserError as why:
            faults.append(str(why))
    if not good:
        heads = ", ".join(name for name in COLUMNS if name != OPTIONAL)
        raise UserError(
            faults[0] + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else "") if faults else
            f"{root}: holds no spreadsheet (.xlsx, .xls) with a line a clip ({heads}); put the data set's own one there"
        )  # fmt: skip
    first = next(iter(good))
    different = [file for file in good if [line[1:] for line in good[file]] != [line[1:] for line in good[first]]]
    if different:
        listed = ", ".join(str(file.relative_to(root)) for file in good)
        raise UserError(f"{root}: several spreadsheets code its clips, and differ ({listed}); keep one of them there")
    return first, good[first]


def read(file: Path) -> Iterator[Line]:
    """The lines below the one that names the columns. Raises UserError when it is no spreadsheet, or lacks a column."""
    try:
        if not file.is_file():
            raise ValueError("it is no ordinary file")
        if file.stat().st_size > LARGEST:
            raise ValueError("it is too large")
        content = file.read_bytes()
        sheets = [list(islice(rows, LONGEST + 1)) for rows in (_old if content.startswith(OLD) else _new)(content)]
        if any(len(lines) > LONGEST for lines in sheets):
            raise ValueError(f"it has more than {LONGEST} lines")
    except Exception as error:  # whatever the parts of a damaged file make openpyxl and xlrd raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"{file}: not a readable spreadsheet ({reason}); take the data set's own one") from None
    for lines in sheets:
        for number, line in enumerate(lines, 1):
            if places := _places(line):
                return _lines(lines[number:], number + 1, places)
    heads = ", ".join(names[0] for name, names in COLUMNS.items() if name != OPTIONAL)
    raise UserError(f"{file}: no line names the columns {heads}; take the data set's own one")


def _new(content: bytes) -> Iterator[Iterable[tuple[object, ...]]]:
    """The rows of each sheet of an .xlsx file. Raises anything for a damaged one."""
    from openpyxl import load_workbook  # takes a third of a second, and CK+ does not need it

    with zipfile.ZipFile(BytesIO(content)) as archive:
        if sum(part.file_size for part in archive.infolist()) > LARGEST:
            raise ValueError("it is too large")
    for sheet in load_workbook(BytesIO(content), read_only=True, data_only=True).worksheets:
        yield sheet.iter_rows(values_only=True)


def _old(content: bytes) -> Iterator[Iterable[tuple[object, ...]]]:
    """The rows of each sheet of an .xls file, where all numbers are fractions. Raises anything for a damaged one."""
    import xlrd

    def value(cell: Any) -> object:
        if cell.ctype == xlrd.XL_CELL_NUMBER:
            return int(cell.value) if cell.value.is_integer() else cell.value
        if cell.ctype in (xlrd.XL_CELL_TEXT, xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
            return cell.value or None
        return str(cell)  # a date, an error, yes or no: no part of a clip

    for sheet in xlrd.open_workbook(file_contents=content, logfile=StringIO()).sheets():
        yield (tuple(map(value, sheet.row(row))) for row in range(sheet.nrows))


def _places(line: Iterable[object]) -> dict[str, int]:
    """Where each column stands, if the line names all; else nothing."""
    heads = ["".join(str(cell or "").lower().replace("_", " ").split()) for cell in line]
    places = {name: next((heads.index(head) for head in known if head in heads), -1) for name, known in COLUMNS.items()}
    return {} if any(place < 0 for name, place in places.items() if name != OPTIONAL) else places


def _lines(rows: Iterable[tuple[object, ...]], first: int, places: dict[str, int]) -> Iterator[Line]:
    for number, row in enumerate(rows, first):
        cells = {name: row[place] if 0 <= place < len(row) else None for name, place in places.items()}
        if any(cell not in (None, "") for cell in cells.values()):  # else a note
            yield Line(number, **cells)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    entries = sorted(visible(folder))
    yield from entries
    if depth:
        for entry in entries:
            if entry.is_dir():
                yield from _below(entry, depth - 1)
