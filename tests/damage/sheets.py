"""The spreadsheet of a micro-expression data set."""

from __future__ import annotations

import os
import random
import shutil
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import xlwt
from openpyxl import Workbook, load_workbook

from tests.damage.case import REFUSED, SAME, Case, flip, replaced, rewritten, verdict


def _inside(rng: random.Random, file: Path) -> None:
    """Flipped bits inside a part, whose checksum is made to fit."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: bytearray(archive.read(name)) for name in archive.namelist()}
    part = parts[rng.choice([name for name in parts if "sheet1" not in name])]  # a changed cell cannot be seen
    for _ in range(rng.choice((1, 3, 10))):
        part[rng.randrange(len(part))] ^= 1 << rng.randrange(8)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, bytes(content))


def _replaced_part(content: bytes) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, file: Path) -> None:
        with zipfile.ZipFile(file) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, old in parts.items():
                archive.writestr(name, content if "sheet1" in name else old)

    return spoil


def _lines(numbers: Iterable[int]) -> bytes:
    cells = "".join(f'<row r="{number}"><c r="A{number}"><v>1</v></c></row>' for number in numbers)
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{space}"><sheetData>{cells}</sheetData></worksheet>'.encode()


def _as_old(change: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random, Path], None]:
    """The same lines in Excel's old format, changed. It has no checksum: a flipped bit may be a new value."""

    def spoil(rng: random.Random, file: Path) -> None:
        book, content = xlwt.Workbook(), BytesIO()
        page = book.add_sheet("Sheet1")
        for row, line in enumerate(load_workbook(file).active.iter_rows(values_only=True)):
            for column, value in enumerate(line):
                page.write(row, column, value)
        book.save(content)
        file.write_bytes(change(rng, content.getvalue()))

    return spoil


LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><worksheet>&j;</worksheet>"
)

SHEETS = (
    Case("spreadsheet, undamaged", lambda rng, file: None, (SAME,)),
    Case("spreadsheet cut short", rewritten(lambda rng, data: data[: rng.randrange(len(data))]), (REFUSED,), 20),
    Case("spreadsheet with flipped bits", lambda rng, file: flip(rng, file), (REFUSED, SAME), 30),
    Case("spreadsheet with damaged parts", _inside, (REFUSED, SAME), 30),
    Case("spreadsheet of no bytes", rewritten(lambda rng, data: b""), (REFUSED,)),
    Case("spreadsheet that is CSV", rewritten(lambda rng, data: b"Subject,Filename\n1,EP02_01f\n"), (REFUSED,)),
    Case("spreadsheet of the old format", rewritten(
        lambda rng, data: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + rng.randbytes(5000)), (REFUSED,)),
    Case("spreadsheet of the old format, whole", _as_old(lambda rng, data: data), (SAME,)),
    Case("spreadsheet of the old format, cut short", _as_old(
        lambda rng, data: data[: rng.randrange(len(data))]), (REFUSED,), 20),
    Case("spreadsheet of 100 MB, packed", _replaced_part(bytes(100_000_000)), (REFUSED,)),
    Case("spreadsheet of 100 000 lines", _replaced_part(_lines(range(1, 100_001))), (REFUSED,)),
    Case("line number 999 999 999", _replaced_part(_lines([999_999_999])), (REFUSED,)),
    Case("entities that blow up", _replaced_part(LAUGHS), (REFUSED,)),
    Case("spreadsheet that is a folder", replaced(Path.mkdir, lambda path: path), (REFUSED,)),
    Case("spreadsheet that is a pipe", replaced(os.mkfifo, lambda path: path), (REFUSED,)),
    Case("spreadsheet that is /dev/zero", replaced(
        lambda path: path.symlink_to("/dev/zero"), lambda path: path), (REFUSED,)),
)  # fmt: skip


@dataclass
class Sheets:
    """Reads damaged copies of a spreadsheet of CASME II's form."""

    scratch: Path

    def __post_init__(self) -> None:
        from stages.ingest import casme2

        shutil.rmtree(self.scratch, ignore_errors=True)
        (self.scratch / "CASME2_RAW_selected/sub01/EP02_01f").mkdir(parents=True)
        self.file, self.read = self.scratch / "CASME2-coding-20140508.xlsx", casme2.sequences
        book = Workbook()
        book.active.append(["Subject", "Filename", "OnsetFrame", "ApexFrame", "Estimated Emotion"])
        for number in range(1, 27):
            book.active.append([number, f"EP02_{number:02}f", 46, 59, "happiness"])
        book.save(self.file)
        self.content, self.truth = self.file.read_bytes(), self.read(self.scratch)

    def __call__(self, case: Case, rng: random.Random) -> str | None:
        if self.file.is_dir():
            self.file.rmdir()
        self.file.unlink(missing_ok=True)
        self.file.write_bytes(self.content)
        case.spoil(rng, self.file)
        return verdict(case, lambda: self.read(self.scratch), self.truth)
