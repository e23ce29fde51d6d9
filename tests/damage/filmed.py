"""Copies of the filmed data sets as they may lie on a disk: layouts, spreadsheets and lists that people and tools made.

The trees are of empty files: what is read of them is which clips there are, their classes, and their frames' names. One
clip of each data set is the victim, which may be set aside; every other must come out as always.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook

from stages.ingest import casme3, fourdme, megc, megc2019, mmew
from stages.tables.errors import Unusable, UserError
from tests.damage.case import ASIDE, REFUSED, SAME, Case, flip, replaced, sentence

READERS = {"composite": megc2019, "mmew": mmew, "casme3": casme3, "4dme": fourdme}
FRAMES = {
    "casme2": "composite/casme2/CASME2_RAW_selected/sub01/EP02_01f",
    "samm": "composite/samm/SAMM/006/006_1_2",
    "smic": "composite/smic/SMIC_all_raw/HS/s1/micro/negative/s1_ne_01",
    "mmew": "mmew/Micro_Expression/anger/S01-02-001",
    "casme3": "casme3/Part_A_ME_clip/frame/spNO.1_a_116",
    "4dme": "4dme/gray_micro/1/clip_1",
}
"""The victims' folders, of eleven frames; the first five are used."""
VICTIMS = (
    "casme2/sub01/EP02_01f",
    "samm/006/006_1_2",
    "smic/s1/s1_ne_01",
    "S01/S01-02-001",
    "spNO.1/a_116",
    "1/clip_1",
)
SHEETS = {
    "casme2": "composite/casme2/CASME2-coding-20140508.xlsx",
    "samm": "composite/samm/SAMM_Micro_FACS_Codes_v2.xlsx",
    "mmew": "mmew/MMEW_Micro_Exp.xlsx",
    "casme3": "casme3/cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx",
    "4dme": "4dme/4DME_Labelling_Micro_release v1.xlsx",
}
LIST = f"composite/{megc.LIST}"
PARTS = ("composite/casme2", "composite/samm", "composite/smic", LIST, "mmew", "casme3", "4dme")
"""What is restored after a case, each alone."""
FRAME = "Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Estimated Emotion"
HEADS = {
    "samm": ("Subject", "Filename", "Onset Frame", "Apex Frame", "Offset Frame", "Estimated Emotion"),
    "casme3": ("Subject", "Filename", "Onset", "Apex", "Offset", "emotion"),
    "4dme": ("sub_ID", "fold_name", "Onset", "Apex", "Offset", "Emotion"),
}
LINES: dict[str, list[list[Any]]] = {
    "casme2": [[1, "EP02_01f"], [1, "EP03_02"], [2, "EP02_01f"]],
    "samm": [["006", "006_1_2"], ["006", "006_1_3"], ["007", "007_3_1"]],
    "mmew": [["S01", "S01-02-001"], ["S01", "S01-02-002"], ["S02", "S02-02-001"]],
    "casme3": [["spNO.1", "a"], ["spNO.1", "b"], ["spNO.2", "a"]],
    "4dme": [[1, "clip_1"], [1, "clip_2"], [2, "clip_1"]],
}
FOLDERS = {
    "casme2": "composite/casme2/CASME2_RAW_selected/sub{0:02}/{1}",
    "samm": "composite/samm/SAMM/{0}/{1}",
    "mmew": "mmew/Micro_Expression/anger/{1}",
    "casme3": "casme3/Part_A_ME_clip/frame/{0}_{1}_116",
    "4dme": "4dme/gray_micro/{0}/{1}",
}
SUBJECT, CLIP, ONSET, APEX, OFFSET, EMOTION = range(6)


def build(root: Path) -> None:
    """Six trees of three clips each, and the challenge's list of nine."""
    for name, clips in LINES.items():
        first = 116 if name == "casme3" else 10
        rows = []
        for (subject, clip), emotion in zip(clips, ("anger", "happiness", "surprise"), strict=True):
            folder = root / FOLDERS[name].format(subject, clip)
            folder.mkdir(parents=True)
            for number in range(first, first + 11):
                (folder / f"img{number}.jpg").touch()
            rows.append([subject, clip, first, first + 4, first + 10, emotion])
        write(root / SHEETS[name], [list(HEADS.get(name, FRAME)), *rows])
    for subject, emotion, short in ((1, "negative", "ne"), (1, "positive", "po"), (2, "surprise", "sur")):
        folder = root / f"composite/smic/SMIC_all_raw/HS/s{subject}/micro/{emotion}/s{subject}_{short}_01"
        folder.mkdir(parents=True)
        for number in range(10, 19):
            (folder / f"image{number:03}.bmp").touch()
    (root / LIST).write_text("".join(
        f"{line}\n" for line in ("casme2,sub01,EP02_01f,0", "casme2,sub01,EP03_02,1", "casme2,sub02,EP02_01f,2",
                                 "samm,006,006_1_2,0", "samm,006,006_1_3,1", "samm,007,007_3_1,2",
                                 "smic,s01,s1_ne_01,0", "smic,s01,s1_po_01,1", "smic,s02,s2_sur_01,2")))  # fmt: skip


def write(file: Path, lines: list[list[Any]]) -> None:
    book = Workbook()
    for line in lines:
        book.active.append(line)
    book.save(file)


def lines_of(file: Path) -> list[list[Any]]:
    return [list(line) for line in load_workbook(file).active.iter_rows(values_only=True)]


Spoil = Callable[[random.Random, Path], Any]


def frame(change: Callable[[random.Random, Path, list[Path]], Any]) -> Spoil:
    """``change`` gets a victim's folder and its files in order."""

    def spoil(rng: random.Random, root: Path) -> None:
        folder = root / FRAMES[rng.choice(sorted(FRAMES))]
        change(rng, folder, sorted(folder.iterdir()))

    return spoil


def victim(change: Callable[[Path], Any]) -> Spoil:
    return frame(lambda rng, folder, files: change(folder))


def tree(change: Callable[[random.Random, Path], Any], below: int = 0) -> Spoil:
    """``change`` gets the folder of a data set, or ``below`` it the one that holds its frames."""

    def spoil(rng: random.Random, root: Path) -> None:
        parts = Path(FRAMES[rng.choice(sorted(FRAMES))]).parts
        change(rng, root / Path(*parts[: (2 if parts[0] == "composite" else 1) + below]))

    return spoil


def book(change: Callable[[random.Random, Path], Any], names: tuple[str, ...] = tuple(SHEETS)) -> Spoil:
    return lambda rng, root: change(rng, root / SHEETS[rng.choice(names)])


def table(change: Callable[[random.Random, list[list[Any]]], Any], names: tuple[str, ...] = tuple(SHEETS)) -> Spoil:
    """``change`` gets the lines of a spreadsheet, heads first and the victim's second, and may change them."""

    def rewrite(rng: random.Random, file: Path) -> None:
        lines = lines_of(file)
        change(rng, lines)
        write(file, lines)

    return book(rewrite, names)


def cell(column: int, *values: Any, names: tuple[str, ...] = tuple(SHEETS)) -> Spoil:
    return table(lambda rng, lines: lines[1].__setitem__(column, rng.choice(values)), names)


def heads(change: Callable[[str], str]) -> Spoil:
    return table(lambda rng, lines: lines.__setitem__(0, [change(head) for head in lines[0]]))


def listing(change: Callable[[random.Random, bytes], bytes]) -> Spoil:
    return lambda rng, root: (root / LIST).write_bytes(change(rng, (root / LIST).read_bytes()))


def substituted(old: bytes, new: bytes) -> Spoil:
    return listing(lambda rng, data: data.replace(old, new))


def misspelt(rng: random.Random, lines: list[list[Any]]) -> None:
    column = rng.choice((SUBJECT, CLIP, ONSET, APEX, EMOTION))
    lines[0][column] = rng.choice(("", "x", f"{lines[0][column]}s", f"my {lines[0][column]}"))


def permuted(rng: random.Random, lines: list[list[Any]]) -> None:
    order = rng.sample(range(6), 6)
    lines[:] = [[line[place] for place in order] for line in lines]


def clutter(rng: random.Random, folder: Path, files: list[Path]) -> None:
    for name in (
        ".DS_Store",
        "._img46.jpg",
        "Thumbs.db",
        "desktop.ini",
        "img.jpg",
        "read me 3.txt",
        "a\nb 7",
        "ü 9.tif",
    ):
        (folder / name).write_bytes(rng.randbytes(9))


def macosx(rng: random.Random, folder: Path) -> None:
    shutil.copytree(folder, folder.parent / "temporary")
    shutil.move(folder.parent / "temporary", folder / "__MACOSX")


def renamed(change: Callable[[str], str]) -> Spoil:
    def spoil(rng: random.Random, folder: Path, files: list[Path]) -> None:
        for file in files:
            file.rename(folder / change(file.name))

    return frame(spoil)


def moved_down(rng: random.Random, folder: Path) -> None:
    (folder / "unpacked").mkdir()
    for entry in list(folder.iterdir()):
        if entry.is_dir() and entry.name != "unpacked":
            entry.rename(folder / "unpacked" / entry.name)


def linked(folder: Path) -> None:
    away = folder.parents[len(folder.parts) - folder.parts.index("copy") - 1].parent / "away"
    shutil.rmtree(away, ignore_errors=True)
    shutil.move(folder, away)
    folder.symlink_to(away, target_is_directory=True)


def other_copy(rng: random.Random, file: Path) -> None:
    lines = lines_of(file)
    lines[2][APEX] += 1
    write(file.with_name("another.xlsx"), lines)


NO_FRAME = (None, "", "/", "n/a", "nan", "inf", "?", True, datetime(2014, 5, 8), 12.5, -3, "1e400", "=1+1", "\u00bd")
CODED = ("casme2", "samm", "mmew", "4dme")  # casme3's clips are named after their onsets

FILMED = (
    Case("filmed, undamaged", lambda rng, root: None, (SAME,)),
    Case("used frame missing", frame(lambda rng, folder, files: files[rng.randrange(5)].unlink()), (ASIDE,), 18),
    Case("unused frame missing", frame(lambda rng, folder, files: files[rng.randrange(6, 9)].unlink()), (SAME,), 18),
    Case("used frame twice", frame(
        lambda rng, folder, files: files[rng.randrange(5)].with_suffix(".png").touch()), (ASIDE,), 10),
    Case("unused frame twice", frame(
        lambda rng, folder, files: files[rng.randrange(6, 9)].with_suffix(".png").touch()), (SAME,), 10),
    Case("clip without a folder", victim(shutil.rmtree), (ASIDE,), 10),
    Case("clip without a frame", frame(
        lambda rng, folder, files: [file.unlink() for file in files]), (ASIDE,), 8),
    Case("clip that is a file", frame(
        lambda rng, folder, files: (shutil.rmtree(folder), folder.touch())), (ASIDE,), 8),
    Case("clip that links to nothing", frame(
        lambda rng, folder, files: (shutil.rmtree(folder), folder.symlink_to("nothing"))), (ASIDE,), 6),
    Case("clip that links to itself", frame(
        lambda rng, folder, files: (shutil.rmtree(folder), folder.symlink_to(folder.name))), (ASIDE,), 6),
    Case("clip that is a link", victim(linked), (SAME,), 8),
    Case("clutter of file managers", frame(clutter), (SAME,), 12),
    Case("frames with capitals", renamed(str.upper), (SAME,), 8),
    Case("frames of other digits", renamed(lambda name: name.replace("1", "\u0661")), (ASIDE,), 6),
    Case("frames zero-padded", renamed(lambda name: "00" + name.removeprefix("img").removeprefix("image")), (SAME,), 8),
    Case("frames without numbers", renamed(lambda name: name.translate(str.maketrans("0123456789", "abcdefghij"))),
         (ASIDE,), 6),
    Case("frames of a film", renamed(lambda name: f"{name}.avi"), (ASIDE,), 4),
    Case("clip's folder with capitals", victim(lambda folder: folder.rename(folder.with_name(folder.name.upper()))),
         (SAME,), 10),
    Case("clip's folder under another name", victim(lambda folder: folder.rename(folder.with_name("new folder (2)"))),
         (ASIDE,), 8),
    Case("clip's folder that is no UTF-8", victim(
        lambda folder: folder.rename(folder.with_name(os.fsdecode(b"\xff\xfe")))), (ASIDE,), 6),
    Case("tree one folder down", tree(moved_down), (SAME,), 8),
    Case("tree with a copy by macOS", tree(macosx), (SAME,), 8),
    Case("tree with a link to itself", tree(
        lambda rng, folder: (folder / "loop").symlink_to(folder, target_is_directory=True)), (SAME,), 8),
    Case("tree twice", tree(lambda rng, folder: shutil.copytree(next(
        entry for entry in folder.iterdir() if entry.is_dir()), folder / "backup" / next(
        entry for entry in folder.iterdir() if entry.is_dir()).name)), (REFUSED,), 8),
    Case("no frames", tree(
        lambda rng, folder: [shutil.rmtree(entry) for entry in folder.iterdir() if entry.is_dir()]), (REFUSED,), 6),
    Case("no tree", tree(lambda rng, folder: shutil.rmtree(folder)), (REFUSED,), 6),
    Case("tree that is a file", tree(lambda rng, folder: (shutil.rmtree(folder), folder.touch())), (REFUSED,), 6),
    Case("onset that is none", cell(ONSET, *NO_FRAME, names=CODED), (ASIDE,), 14),
    Case("apex that is none", cell(APEX, *NO_FRAME), (ASIDE,), 18),
    Case("apex far away", cell(APEX, 10**9, 10**30, "1_0_0", 5, 1), (ASIDE,), 10),
    Case("apex at the onset", table(lambda rng, lines: lines[1].__setitem__(APEX, lines[1][ONSET])), (ASIDE,), 5),
    Case("apex after the offset", table(
        lambda rng, lines: lines[1].__setitem__(OFFSET, lines[1][APEX] - 1)), (ASIDE,), 5),
    Case("offset that is none", cell(OFFSET, *NO_FRAME), (SAME,), 10),
    Case("numbers as text", table(lambda rng, lines: lines.__setitem__(
        1, [f" {value} " if type(value) is int else value for value in lines[1]])), (SAME,), 8),
    Case("numbers as fractions", table(lambda rng, lines: lines.__setitem__(
        1, [*lines[1][:2], *(float(value) for value in lines[1][2:5]), lines[1][5]])), (SAME,), 6),
    Case("emotion that is none", cell(
        EMOTION, None, "", 7, "others", "joy", "x" * 1000, names=("mmew", "casme3", "4dme")),
         (ASIDE,), 8),
    Case("clip without a subject", cell(SUBJECT, None, ""), (REFUSED, ASIDE), 8),
    Case("clip without a name", cell(
        CLIP, None, "", " ", "../x", "a/b", "/etc/passwd", ".", "..", names=CODED), (REFUSED,), 12),
    Case("line missing", table(lambda rng, lines: lines.pop(1)), (ASIDE,), 6),
    Case("line twice", table(lambda rng, lines: lines.append(lines[1])), (SAME,), 6),
    Case("line twice, contradictory", table(
        lambda rng, lines: lines.append([*lines[1][:APEX], lines[1][APEX] + 1, *lines[1][OFFSET:]])), (ASIDE,), 6),
    Case("lines of notes", table(lambda rng, lines: (lines.insert(0, ["about this"]), lines.insert(3, []),
                                                     lines.append([None] * 6 + ["source: us"]))), (SAME,), 6),
    Case("columns in another order", table(permuted), (SAME,), 10),
    Case("column misspelt", table(misspelt), (REFUSED,), 15),
    Case("heads in capitals", heads(str.upper), (SAME,), 5),
    Case("heads with spaces", heads(lambda head: f"  {head.replace('Frame', ' Frame ')}\n"), (SAME,), 5),
    Case("no lines", table(lambda rng, lines: lines.__delitem__(slice(1, None))), (REFUSED,), 5),
    Case("spreadsheet under another name", book(
        lambda rng, file: file.rename(file.with_name("codes (1).XLSX"))), (SAME,), 5),
    Case("spreadsheet under the name of an old one", book(lambda rng, file: file.rename(file.with_suffix(".xls"))),
         (SAME,), 5),
    Case("spreadsheet in a folder", book(lambda rng, file: (
        (file.parent / "annotation").mkdir(), file.rename(file.parent / "annotation" / file.name))), (SAME,), 5),
    Case("spreadsheet twice", book(lambda rng, file: shutil.copy(file, file.with_name("a copy.xlsx"))), (SAME,), 5),
    Case("spreadsheet twice, contradictory", book(other_copy), (REFUSED,), 5),
    Case("damaged spreadsheet beside it", book(
        lambda rng, file: file.with_name("a.xlsx").write_bytes(file.read_bytes()[:99])), (SAME,), 5),
    Case("spreadsheet that is open", book(lambda rng, file: file.with_name(f"~${file.name}").touch()), (SAME,), 5),
    Case("no spreadsheet", book(lambda rng, file: file.unlink()), (REFUSED,), 5),
    Case("spreadsheet in the old format", book(
        lambda rng, file: file.write_bytes(b"\xd0\xcf\x11\xe0" + rng.randbytes(999))), (REFUSED,), 5),
    Case("spreadsheet cut short", book(lambda rng, file: file.write_bytes(
        file.read_bytes()[: rng.randrange(file.stat().st_size)])), (REFUSED,), 12),
    Case("spreadsheet with flipped bits", book(flip), (REFUSED, SAME), 15),
    Case("list with a byte-order mark", listing(lambda rng, data: b"\xef\xbb\xbf" + data), (SAME,)),
    Case("list with CRLF", substituted(b"\n", b"\r\n"), (SAME,)),
    Case("list with blank lines", substituted(b"\n", b"\n\n"), (SAME,)),
    Case("list with spaces", substituted(b",", b" , "), (SAME,)),
    Case("list in quotes", listing(lambda rng, data: b"\n".join(
        b'"' + line.replace(b",", b'","') + b'"' for line in data.splitlines())), (SAME,)),
    Case("list with heads", listing(lambda rng, data: b"dataset,subject,clip,label\n" + data), (SAME,)),
    Case("list in capitals", listing(lambda rng, data: data.upper()), (SAME,)),
    Case("list of CASME II by its name", substituted(b"casme2", b"CASME II"), (SAME,)),
    Case("list with fractions", listing(lambda rng, data: data.replace(b"\n", b".0\n")), (SAME,)),
    Case("list backwards", listing(lambda rng, data: b"\n".join(data.splitlines()[::-1])), (SAME,)),
    Case("list without the victims", substituted(b"casme2,sub01,EP02_01f,0\n", b""), (ASIDE,)),
    Case("list with a line twice", listing(lambda rng, data: data + data), (SAME,)),
    Case("list that contradicts itself", listing(lambda rng, data: data + b"smic,s01,s1_ne_01,1\n"), (REFUSED,)),
    Case("list with a clip that is nowhere", listing(lambda rng, data: data + b"samm,099,099_1_1,1\n"), (ASIDE,)),
    Case("list of other data sets", substituted(b"samm", b"fer2013"), (REFUSED,)),
    *(Case(f"list with class {text!r}", substituted(b"f,0\n", b"f," + text + b"\n"), (REFUSED,)) for text in (
        b"3", b"-1", b"", b"negative", b"nan", b"1e9", b"\xff")),
    Case("list that is no UTF-8", listing(lambda rng, data: b"\xff\xfe" + data), (REFUSED,)),
    Case("list of no bytes", listing(lambda rng, data: b""), (REFUSED,)),
    Case("list that is a web page", listing(lambda rng, data: b"<html><body>404</body></html>\n"), (REFUSED,)),
    Case("list of 10 MB", listing(lambda rng, data: data * 50_000), (REFUSED,)),
    Case("list of random bytes", listing(lambda rng, data: rng.randbytes(300)), (REFUSED,), 5),
    Case("list that is a folder", replaced(Path.mkdir, lambda root: root / LIST), (REFUSED,)),
    Case("list that is a pipe", replaced(os.mkfifo, lambda root: root / LIST), (REFUSED,)),
    Case("list that is /dev/zero", replaced(
        lambda path: path.symlink_to("/dev/zero"), lambda root: root / LIST), (REFUSED,)),
)  # fmt: skip


def contents(root: Path) -> dict[str, tuple[int, int, int]]:
    """Kind, size and time of everything below a folder."""
    paths = [Path(above, name) for above, folders, files in os.walk(root) for name in (*folders, *files)]
    states = {str(path): path.lstat() for path in [root, *paths] if os.path.lexists(path)}
    return {path: (it.st_mode, it.st_size, it.st_mtime_ns) for path, it in states.items()}


@dataclass
class Filmed:
    """Reads damaged copies of the six trees, three of them as the challenge's composite."""

    scratch: Path

    def __post_init__(self) -> None:
        self.base, self.spoilt = self.scratch / "base", list(PARTS)
        (self.scratch / "copy/composite").mkdir(parents=True)
        build(self.base)
        self.truth = {name: self._read(name, self.base) for name in READERS}
        assert all(len(clips) == (9 if name == "composite" else 3) for name, clips in self.truth.items())
        assert not any(isinstance(clip, str) for clips in self.truth.values() for clip in clips.values())

    def _read(self, name: str, root: Path) -> dict[str, Any]:
        """By clip its class and the numbers of its frames, or why it is set aside."""
        clips: dict[str, Any] = {}
        for clip in READERS[name].sequences(root / name):
            assert clip.name not in clips
            try:
                code = megc.emotion(clip)
                clips[clip.name] = code, [int("".join(filter(str.isdecimal, file.stem))) for file in megc.frames(clip)]
            except Unusable as why:
                sentence(UserError(why.reason))
                clips[clip.name] = why.reason
        return clips

    def _restore(self, root: Path) -> None:
        """Only what a case spoilt is copied again: disks may be slow."""
        for part in self.spoilt:
            if (root / part).is_dir() and not (root / part).is_symlink():
                shutil.rmtree(root / part)
            (root / part).unlink(missing_ok=True)
            copy = shutil.copytree if (self.base / part).is_dir() else shutil.copy2
            copy(self.base / part, root / part)

    def __call__(self, case: Case, rng: random.Random) -> str | None:
        root = self.scratch / "copy"
        self._restore(root)
        before = {part: contents(root / part) for part in PARTS}
        case.spoil(rng, root)
        self.spoilt = [part for part in PARTS if contents(root / part) != before[part]]
        outcomes = set()
        for name in sorted({Path(part).parts[0] for part in self.spoilt or [rng.choice(PARTS)]}):
            truth = self.truth[name]
            try:
                read = self._read(name, root)
            except UserError as why:
                sentence(why)
                outcomes.add(REFUSED)
                if REFUSED not in case.allowed:
                    return f"wrong: refused: {why}"
                continue
            usable = {clip: value for clip, value in read.items() if not isinstance(value, str)}
            gone = truth.keys() - usable.keys()
            if usable != {clip: value for clip, value in truth.items() if clip in usable} or not gone <= {*VICTIMS}:
                return f"wrong: other clips or frames: {usable}"
            outcomes.add(ASIDE if read != truth else SAME)
        differs = outcomes - {SAME}
        if len(differs) > 1 or not (differs or {SAME}) <= {*case.allowed}:
            return f"wrong: {', '.join(sorted(outcomes))}"
        return None
