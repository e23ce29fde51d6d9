"""What bad input does: damaged CK+ trees, tables, weights and parameters, each through the code that reads it.

    python -m benchmarks.bad_input            # 522 cases, a minute or two on one core; one table
    python -m benchmarks.bad_input --cases 40 # of every kind fewer

A case is right when the program either goes on with exactly what undamaged input gives, or sets the damaged sequence
aside and goes on with the others, or ends with one sentence: whichever of these its kind allows. It is wrong when there
is a traceback, when it takes more than ten seconds, when a row differs that should not, or when a file of the input or
of an earlier run is changed, or one is left half-written. Every case is made from a seed of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import pickle
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image

from stages.tables import panel, parquet, room, schema

ROOT = Path(__file__).parents[1]
SLOW = 10
"""Seconds after which a case counts as one that hangs."""
SAME, ASIDE, REFUSED = "same", "set aside", "refused"
"""As if nothing were damaged; the damaged sequence is set aside; one sentence and nothing written."""
VICTIM = "S002/001"
"""The sequence that is damaged; two others beside it must come out as always."""
KINDS = ("trees", "tables", "weights", "parameters")


class Hang(BaseException):
    """A case that takes too long; no ``except Exception`` may catch it."""


@dataclass(frozen=True)
class Case:
    """One kind of damage: ``spoil`` does it to a file or folder, ``allowed`` says what may come of it."""

    name: str
    spoil: Callable[[random.Random, Path], Any]
    allowed: tuple[str, ...]
    times: int = 1
    mount: str = ""  # the shell's words that mount the output elsewhere, for this case alone


@dataclass
class Count:
    """What came of the cases of one row of the table."""

    cases: int = 0
    tracebacks: int = 0
    hangs: int = 0
    wrong: int = 0
    lost: int = 0
    notes: list[str] = field(default_factory=list)


# Trees: a copy of CK+ with three subjects, of whom the second is damaged.


def _frames(tree: Path) -> list[Path]:
    return sorted((tree / "cohn-kanade-images" / VICTIM).glob("*.png"))


def _label(tree: Path) -> Path:
    return next((tree / "Emotion" / VICTIM).glob("*.txt"))


def _truncate(rng: random.Random, tree: Path) -> None:
    file = rng.choice(_frames(tree))
    file.write_bytes(file.read_bytes()[: rng.randrange(file.stat().st_size - 12)])


def _flip(rng: random.Random, file: Path, start: int = 0, stop: int | None = None) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(rng.choice((1, 1, 1, 2, 5, 50))):
        content[rng.randrange(start, stop or len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)


def _flip_frame(rng: random.Random, tree: Path) -> None:
    _flip(rng, rng.choice(_frames(tree)))


def _flip_header(rng: random.Random, tree: Path) -> None:
    _flip(rng, rng.choice(_frames(tree)), 0, 41)


def _written(content: bytes) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        rng.choice(_frames(tree)).write_bytes(content)

    return spoil


def _resaved(
    mode: str, kind: str = "PNG", every: bool = False, **options: Any
) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        files = _frames(tree)
        for file in files if every else [rng.choice(files)]:
            image = Image.open(file).convert("L")
            if mode == "I;16":
                image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
            image.convert(mode) if mode != "I;16" else image
            (image if mode == "I;16" else image.convert(mode)).save(file, kind, **options)

    return spoil


def _animated(rng: random.Random, tree: Path) -> None:
    file = rng.choice(_frames(tree))
    image = Image.open(file).convert("L")
    image.save(file, "PNG", save_all=True, append_images=[image.point(lambda value: 255 - value)])


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int, depth: int = 8, colour: int = 0, rows: int = 2, before: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(bytes(min((1 + width) * rows, 10_000_000)))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + before + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _sized(width: int, height: int) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        for file in _frames(tree):
            Image.new("L", (width, height), 90).save(file)

    return spoil


def _deep_colour(rng: random.Random, tree: Path) -> None:
    file = rng.choice(_frames(tree))
    grey = np.asarray(Image.open(file).convert("L")).astype(">u2") * 257
    rows = b"".join(b"\0" + np.repeat(row[:, None], 3, 1).tobytes() for row in grey)
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 16, 2, 0, 0, 0)
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 1))
                     + _chunk(b"IEND", b""))  # fmt: skip


def _numbers(change: Callable[[list[Path]], None]) -> Callable[[random.Random, Path], None]:
    return lambda rng, tree: change(_frames(tree))


def _rename_last(number: str) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        file = _frames(tree)[-1]
        file.rename(file.with_name(f"{file.name[:9]}{number}.png"))

    return spoil


def _copy_frame(name: str) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        shutil.copy(_frames(tree)[0], _frames(tree)[0].with_name(name))

    return spoil


def _replaced(by: Callable[[Path], Any], of: Callable[[Path], Path]) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        path = of(tree)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        by(path)

    return spoil


def _linked(rng: random.Random, tree: Path) -> None:
    for file in _frames(tree):
        moved = tree.parent / "elsewhere" / file.name
        moved.parent.mkdir(exist_ok=True)
        file.rename(moved)
        file.symlink_to(moved)


def _renamed_subject(name: str | bytes) -> Callable[[random.Random, Path], None]:
    """The subject's folders, files and all, under another name: the sequence is still there, and usable."""

    def spoil(rng: random.Random, tree: Path) -> None:
        new = os.fsdecode(name)
        for top in ("cohn-kanade-images", "Emotion"):
            folder = tree / top / "S002"
            for file in list(folder.rglob("S002_*")):
                file.rename(file.with_name(new + file.name[4:]))
            folder.rename(folder.with_name(new))

    return spoil


def _labelled(content: bytes) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        _label(tree).write_bytes(content)

    return spoil


def _random_label(rng: random.Random, tree: Path) -> None:
    _label(tree).write_bytes(
        bytes(rng.choice(b"0123456789.eE+- \t\r\n\0nafi_,;\xff") for _ in range(rng.randrange(12)))
    )


def _second_label(number: str, content: str | None) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        text = _label(tree).read_text() if content is None else content
        _label(tree).with_name(f"S002_001_{number}_emotion.txt").write_text(text)

    return spoil


def _clock(when: float) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        for file in tree.rglob("*"):
            os.utime(file, (when, when))

    return spoil


def _clutter(rng: random.Random, tree: Path) -> None:
    for folder in (tree, tree / "Emotion", tree / "cohn-kanade-images", _frames(tree)[0].parent, _label(tree).parent):
        for name in rng.sample((".DS_Store", "._S002_001_00000001.png", "Thumbs.db", "desktop.ini", "read me.txt",
                                "S002_001_0001.png.part", "ü ñ.txt", "a\nb"), 3):  # fmt: skip
            (folder / name).write_bytes(rng.randbytes(20))


def _loop(rng: random.Random, tree: Path) -> None:
    (tree / "cohn-kanade-images/S002/002").symlink_to("..", target_is_directory=True)
    (tree / "cohn-kanade-images/S009").symlink_to("S009", target_is_directory=True)


def _frame_folder(tree: Path) -> Path:
    return _frames(tree)[0].parent


def _first(tree: Path) -> Path:
    return _frames(tree)[0]


def _second(tree: Path) -> Path:
    return _frames(tree)[1]


TREES = (
    Case("undamaged", lambda rng, tree: None, (SAME,)),
    Case("frame cut short", _truncate, (ASIDE,), 15),
    Case("frame with flipped bits", _flip_frame, (ASIDE, SAME), 20),
    Case("frame with a damaged header", _flip_header, (ASIDE, SAME), 15),
    Case("frame of no bytes", _written(b""), (ASIDE,), 3),
    Case("frame that is text", _written(b"not an image\n"), (ASIDE,), 2),
    Case("frame that is an HTML page", _written(b"<html><body>404</body></html>"), (ASIDE,)),
    Case("frame of 16 bits", _resaved("I;16"), (ASIDE,), 2),
    Case("frame of 16 bits in colour", _deep_colour, (ASIDE,), 2),
    Case("frame of 1 bit", _resaved("1"), (ASIDE,), 2),
    Case("frames in colour", _resaved("RGB", every=True), (SAME,), 2),
    Case("frames with alpha", _resaved("RGBA", every=True), (SAME,), 2),
    Case("frames with a palette", _resaved("P", every=True), (SAME,)),
    Case("frames with grey and alpha", _resaved("LA", every=True), (SAME,)),
    Case("JPEG under the name of a PNG", _resaved("L", "JPEG"), (ASIDE,), 2),
    Case("CMYK JPEG under the name of a PNG", _resaved("CMYK", "JPEG"), (ASIDE,)),
    Case("TIFF under the name of a PNG", _resaved("F", "TIFF"), (ASIDE,)),
    Case("GIF under the name of a PNG", _resaved("P", "GIF"), (ASIDE,)),
    Case("BMP under the name of a PNG", _resaved("L", "BMP"), (ASIDE,)),
    Case("animated frame", _animated, (ASIDE,), 3),
    Case("header of 2 000 000 000 px", _written(_png(2_000_000_000, 2_000_000_000)), (ASIDE,)),
    Case("header of 100 000 px", _written(_png(100_000, 100_000)), (ASIDE,)),
    Case("header of 0 px", _written(_png(0, 0)), (ASIDE,)),
    Case("header of 640 x 490, data of two lines", _written(_png(640, 490)), (ASIDE,)),
    Case("header with an impossible depth", _written(_png(640, 490, 7, 9)), (ASIDE,)),
    Case("compressed text of 100 MB", _written(_png(
        640, 490, before=_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000), 9)))), (ASIDE,)),
    Case("frames of 12 000 x 12 000 px", _sized(12_000, 12_000), (ASIDE,)),
    Case("frames of 30 000 x 200 px", _sized(30_000, 200), (ASIDE,)),
    Case("frames of 1 x 1 px", _sized(1, 1), (ASIDE,)),
    Case("frames without a face", _sized(640, 490), (ASIDE,)),
    Case("frame missing in the middle", _numbers(lambda files: files[1].unlink()), (ASIDE,)),
    Case("two frames", _numbers(lambda files: [file.unlink() for file in files[2:]] and None), (ASIDE,)),
    Case("no frame", _numbers(lambda files: [file.unlink() for file in files] and None), (ASIDE,)),
    Case("frame number 99 999 999", _rename_last("99999999"), (ASIDE,)),
    Case("frame number of other digits", _rename_last("٠٠٠٠٠٠٠٤"), (ASIDE,)),
    Case("frame twice, .png and .PNG", _copy_frame("S002_001_00000001.PNG"), (ASIDE,)),
    Case("frame of another subject", _copy_frame("S007_001_00000005.png"), (ASIDE,)),
    Case("frame of another session", _copy_frame("S002_009_00000005.png"), (ASIDE,)),
    Case("frame that is a folder", _replaced(Path.mkdir, _second), (ASIDE,)),
    Case("frame that is a pipe", _replaced(os.mkfifo, _first), (ASIDE,)),
    Case("frame that is /dev/zero", _replaced(lambda path: path.symlink_to("/dev/zero"), _first), (ASIDE,)),
    Case("frame that links to nothing", _replaced(lambda path: path.symlink_to("nothing"), _second), (ASIDE,)),
    Case("frame that links to itself", _replaced(lambda path: path.symlink_to(path.name), _second), (ASIDE,)),
    Case("frames that are links", _linked, (SAME,)),
    Case("folders that link to themselves", _loop, (SAME,)),
    Case("folder of frames that is a file", _replaced(lambda path: path.write_text("x"), _frame_folder), (ASIDE,)),
    Case("subject with spaces", _renamed_subject("S 002 b"), (SAME,)),
    Case("subject in other letters", _renamed_subject("S002é漢字"), (SAME,)),
    Case("subject with a line break", _renamed_subject("S002\nb"), (SAME,)),
    Case("subject that is no UTF-8", _renamed_subject(b"S002\xff\xfe"), (SAME,)),
    Case("subject like an option", _renamed_subject("--help"), (SAME,)),
    Case("label of random characters", _random_label, (ASIDE, SAME), 20),
    *(Case(f"label {text!r}", _labelled(text), (ASIDE,)) for text in (
        b"", b" ", b"0", b"   0.0000000e+00\r\n", b"8", b"-1", b"1.5", b"nan", b"inf", b"1e400", b"sad", b"5 5", b"5,0",
        b"\xff\xfe5\0", b"\0", b"5" * 10_000_000)),
    Case("label with CRLF", lambda rng, tree: _label(tree).write_bytes(
        _label(tree).read_bytes().strip() + b"\r\n") and None, (SAME,)),
    Case("label twice, alike", _second_label("00000001", None), (SAME,)),
    Case("label twice, contradictory", _second_label("00000001", "1\n"), (ASIDE, SAME)),
    Case("label of another subject", lambda rng, tree: _label(tree).rename(
        _label(tree).with_name("S001_001_00000004_emotion.txt")) and None, (ASIDE,)),
    Case("label that is a folder", _replaced(Path.mkdir, _label), (ASIDE,)),
    Case("label that is a pipe", _replaced(os.mkfifo, _label), (ASIDE,)),
    Case("label that is missing", lambda rng, tree: _label(tree).unlink(), (ASIDE,)),
    Case("clutter of file managers", _clutter, (SAME,), 8),
    Case("clock in 1970", _clock(0), (SAME,)),
    Case("clock in 2106", _clock(2**32), (SAME,)),
    Case("no labels", lambda rng, tree: shutil.rmtree(tree / "Emotion"), (REFUSED,)),
    Case("no frames", lambda rng, tree: shutil.rmtree(tree / "cohn-kanade-images"), (REFUSED,)),
    Case("no tree", lambda rng, tree: shutil.rmtree(tree), (REFUSED,)),
    Case("tree that is a file", _replaced(lambda path: path.write_text("x"), lambda tree: tree), (REFUSED,)),
    Case("disk full at the first byte", lambda rng, tree: 0, (REFUSED,)),
    Case("disk full at 100 kB", lambda rng, tree: 100_000, (REFUSED,)),
    Case("disk full at 300 kB", lambda rng, tree: 300_000, (REFUSED,)),
    Case("disk of 100 kB", lambda rng, tree: None, (REFUSED,), mount="mount -t tmpfs -o size=100k none data/interim"),
    Case("disk without a byte", lambda rng, tree: None, (REFUSED,), mount=(
        "mount -t tmpfs -o size=4k none data/interim && head -c 4k /dev/zero > data/interim/full")),
    Case("output on a read-only disk", lambda rng, tree: None, (REFUSED,), mount=(
        "mount --bind data data && mount -o remount,bind,ro data")),
    Case("everything on a read-only disk", lambda rng, tree: None, (REFUSED,), mount=(
        "mount --bind . . && mount -o remount,bind,ro . && cd .")),
    Case("output folder that is a file", lambda rng, tree: "file", (REFUSED,)),
    Case("output that is a folder", lambda rng, tree: "folder", (REFUSED,)),
)  # fmt: skip

OUTPUTS = {
    "sequences": schema.SEQUENCES,
    "frames": schema.FRAMES,
    "rejected_ingest": schema.REJECTED,
}


def _snapshot(folder: Path) -> dict[str, Any]:
    """Everything below a folder: names, and contents of regular files."""
    found: dict[str, Any] = {}
    for above, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(above, name)
            regular = path.is_file() and not path.is_symlink() and path.stat().st_size < 10_000_000
            found[os.fsencode(path).decode(errors="backslashreplace")] = path.read_bytes() if regular else name
    return found


def _outputs(work: Path) -> dict[str, pd.DataFrame]:
    return {name: parquet.read(work / f"data/interim/{name}.parquet", table) for name, table in OUTPUTS.items()}


def _mounted(mount: str, work: Path) -> str | None:
    """Runs ingest in ``work`` with something mounted, which only that process sees; says what is wrong with the end."""
    run = f"{mount} && cd {work} && {{ {sys.executable} -m stages.ingest; echo status $?; find data; }}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", run], cwd=work, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    errors = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("ingest:")]  # progress
    if "Traceback" in done.stderr:
        return f"traceback: {done.stderr[-500:]}"
    if "status 1" not in done.stdout or len(errors) != 1 or not errors[0].startswith("error: "):
        return f"wrong: {done.stdout} {done.stderr}"
    return "lost: something half-written is left" if ".tmp" in done.stdout else None


def mountable() -> bool:
    """Whether this machine lets a process mount something that only itself sees."""
    tool = shutil.which("unshare")
    return tool is not None and not subprocess.run([tool, "-rm", "true"], capture_output=True).returncode


@dataclass
class Trees:
    """Runs ingest on damaged copies of a small tree."""

    base: Path
    scratch: Path

    def __post_init__(self) -> None:
        import stages.ingest.__main__ as ingest

        self.ingest = ingest.main
        values = yaml.safe_load((ROOT / "params.yaml").read_text())
        values["dataset"] = {"name": "ckplus", "root": "ck"}
        values["machine"] |= {"workers": 1, "scheduler": None}
        self.params = yaml.safe_dump(values)
        work = self._work()
        with contextlib.chdir(work), contextlib.redirect_stdout(io.StringIO()):
            self.ingest()
        self.tables = _outputs(work)
        self.before = {file.name: file.read_bytes() for file in (work / "data/interim").iterdir()}
        assert len(self.tables["sequences"]) == 3, "the undamaged tree has three usable sequences"

    def _work(self) -> Path:
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.copytree(self.base, self.scratch / "ck", symlinks=True)
        (self.scratch / "params.yaml").write_text(self.params)
        return self.scratch

    def __call__(self, case: Case, rng: random.Random) -> str | None:
        work = self._work()
        interim = work / "data/interim"
        interim.mkdir(parents=True)
        for name, content in self.before.items():
            (interim / name).write_bytes(content)
        limit = case.spoil(rng, work / "ck")
        if limit == "file":
            shutil.rmtree(work / "data")
            (work / "data").write_text("x")
        elif limit == "folder":
            (interim / "frames.parquet").unlink()
            (interim / "frames.parquet").mkdir()
        everything = _snapshot(work)
        if case.mount:
            said = _mounted(case.mount, work)
            return said if _snapshot(work) == everything else "lost: a refused run changed files"
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            with contextlib.chdir(work):
                if type(limit) is int:
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
                self.ingest()
        except room.RoomError as why:
            _sentence(why)
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
            if _snapshot(work) != everything:
                return "lost: a refused run changed files"
            return None if REFUSED in case.allowed else f"wrong: refused: {why}"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        after = _snapshot(work)
        kept = {name: content for name, content in after.items() if "interim" not in name}
        if kept != {name: content for name, content in everything.items() if "interim" not in name}:
            return "lost: the input changed"
        if {file.name for file in interim.iterdir()} != self.before.keys():
            return "lost: something half-written is left"
        return self._compare(_outputs(work), case)

    def _compare(self, tables: dict[str, pd.DataFrame], case: Case) -> str | None:
        names = set(tables["sequences"]["sequence"])
        subject = VICTIM.split("/")[0]
        others = {name for name in self.tables["sequences"]["sequence"] if not name.startswith(subject)}
        if not others <= names:
            return "wrong: another sequence is gone"
        extra = names - others
        outcome = ASIDE if not extra else SAME
        if len(extra) > 1 or outcome not in case.allowed:
            return f"wrong: {outcome}"
        renamed = dict.fromkeys(extra, VICTIM)
        for name, columns in (("sequences", ["subject", "session", "fold", "sequence"]), ("frames", ["sequence"])):
            key = tables[name]["sequence"].replace(renamed)
            now = tables[name].drop(columns=columns).assign(key=key).sort_values("key", kind="stable")
            base = self.tables[name]
            wanted = base[base["sequence"].isin(set(key))]
            wanted = wanted.drop(columns=columns).assign(key=wanted["sequence"]).sort_values("key", kind="stable")
            if not now.reset_index(drop=True).equals(wanted.reset_index(drop=True)):
                return f"wrong: {name} differs"
        reasons = tables["rejected_ingest"]
        if outcome == ASIDE and case.name != "folder of frames that is a file" and len(reasons) != 1:
            return f"wrong: {len(reasons)} reasons for one damaged sequence"
        return None


# Tables: Parquet files as they lie on a disk that fails, or as another program writes them.


def _table_bytes(change: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random, Path], None]:
    return lambda rng, file: file.write_bytes(change(rng, file.read_bytes())) and None


def _table(change: Callable[[pa.Table], pa.Table], **options: Any) -> Callable[[random.Random, Path], None]:
    return lambda rng, file: pq.write_table(change(pq.read_table(file)), file, **options)


def _column(
    name: str, values: Callable[[list[Any]], list[Any]], nullable: bool = False
) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        kind = table.schema.field(name)
        made = pa.array(values(table[name].to_pylist()), kind.type)
        return table.set_column(table.column_names.index(name), kind.with_nullable(nullable or kind.nullable), made)

    return change


TABLE_CASES = (
    Case("table cut short", _table_bytes(lambda rng, data: data[: rng.randrange(len(data))]), (REFUSED,), 20),
    Case("table with flipped bits", lambda rng, file: _flip(rng, file), (REFUSED, SAME), 40),
    Case("table with a damaged footer", lambda rng, file: _flip(
        rng, file, file.stat().st_size - 1500, file.stat().st_size), (REFUSED, SAME), 40),
    Case("table of random bytes", _table_bytes(
        lambda rng, data: b"PAR1" + rng.randbytes(500) + b"PAR1"), (REFUSED,), 8),
    Case("table of no bytes", _table_bytes(lambda rng, data: b""), (REFUSED,)),
    Case("table that is CSV", _table_bytes(lambda rng, data: b"sequence,set\nS001/001,general\n"), (REFUSED,)),
    Case("table that is a folder", _replaced(Path.mkdir, lambda path: path), (REFUSED,)),
    Case("table that is a pipe", _replaced(os.mkfifo, lambda path: path), (REFUSED,)),
    Case("table that links to itself", _replaced(
        lambda path: path.symlink_to(path.name), lambda path: path), (REFUSED,)),
    Case("table with a column fewer", _table(lambda table: table.drop_columns(["status"])), (REFUSED,)),
    Case("table with a column more", _table(lambda table: table.append_column("more", table["x"])), (REFUSED,)),
    Case("table with other types", _table(lambda table: table.set_column(
        2, "frame", table["frame"].cast(pa.int64()))), (REFUSED,)),
    Case("table with a missing value", _table(_column("jitter", lambda old: [None, *old[1:]], True)), (REFUSED,)),
    Case("table with a value that is no number", _table(_column(
        "jitter", lambda old: [float("nan"), *old[1:]])), (REFUSED,)),
    Case("table with an infinite value", _table(_column("jitter", lambda old: [float("inf"), *old[1:]])), (REFUSED,)),
    Case("table with a value out of range", _table(_column("frame", lambda old: [-1, *old[1:]])), (REFUSED,)),
    Case("table without statistics", _table(lambda table: table, write_statistics=False), (REFUSED,)),
    Case("table with all sequences in one row group", _table(lambda table: table), (REFUSED,)),
)  # fmt: skip


@dataclass
class Tables:
    """Reads damaged copies of a landmark table, whole and by sequence."""

    scratch: Path

    def __post_init__(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.file = self.scratch / "landmarks.parquet"
        rng = np.random.default_rng(0)
        with parquet.Writer(self.file, schema.LANDMARKS) as writer:
            for name in ("S001/001", "S002/001", "S003/001"):
                writer.write([{"sequence": name, "set": "general", "frame": number, "status": "detected", "jitter": 0.1,
                               "x": rng.normal(300, 50, 68), "y": rng.normal(200, 50, 68)}
                              for number in range(1, 10)])  # fmt: skip
        self.content = self.file.read_bytes()
        self.truth = self._read()

    def _read(self) -> list[Any]:
        keys = parquet.keys(self.file, schema.LANDMARKS, ("sequence", "set"))
        parts = [parquet.read_group(self.file, schema.LANDMARKS, group) for group in range(len(keys))]
        return [keys, *(_plain(part) for part in (parquet.read(self.file, schema.LANDMARKS), *parts))]

    def __call__(self, case: Case, rng: random.Random) -> str | None:
        shutil.rmtree(self.scratch)
        self.scratch.mkdir()
        self.file.write_bytes(self.content)
        case.spoil(rng, self.file)
        try:
            found = self._read()
        except room.RoomError as why:
            _sentence(why)
            return None if REFUSED in case.allowed else f"wrong: refused: {why}"
        if found != self.truth:
            return "wrong: other values were read"
        return None if SAME in case.allowed else "wrong: it was read"


def _plain(frame: pd.DataFrame) -> list[Any]:
    return [[list(value) if isinstance(value, np.ndarray) else value for value in frame[name]] for name in frame]


# Weights: files that a stranger made.


class Code:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def _header(change: Callable[[dict[str, Any]], Any]) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, file: Path) -> None:
        content = file.read_bytes()
        size = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8 : 8 + size])
        changed = json.dumps(change(header) or header).encode()
        file.write_bytes(struct.pack("<Q", len(changed)) + changed + content[8 + size :])

    return spoil


def _tensor(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda header: header[next(name for name in header if name != "__metadata__")].update(values)


def _config(**values: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        config = json.loads(header["__metadata__"]["config"]) | values
        header["__metadata__"]["config"] = json.dumps(config)

    return change


def _not_finite(rng: random.Random, file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-4:] = struct.pack("<f", rng.choice((float("nan"), float("inf"))))
    file.write_bytes(content)


def _pickled(content: Callable[[], Any]) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, file: Path) -> None:
        file.unlink()
        file.with_suffix(".pytorch").write_bytes(pickle.dumps(content()))

    return spoil


def _torch_saved(content: Callable[[], Any]) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, file: Path) -> None:
        import torch

        file.unlink()
        torch.save(content(), file.with_suffix(".pytorch"))

    return spoil


WEIGHTS = (
    Case("weights cut short", _table_bytes(lambda rng, data: data[: rng.randrange(len(data))]), (REFUSED,), 20),
    Case("weights with a damaged header", lambda rng, file: _flip(rng, file, 0, 400), (REFUSED, SAME), 40),
    Case("weights of random bytes", _table_bytes(lambda rng, data: rng.randbytes(300)), (REFUSED,), 5),
    Case("weights of no bytes", _table_bytes(lambda rng, data: b""), (REFUSED,)),
    Case("header of 2**63 bytes", _table_bytes(lambda rng, data: struct.pack("<Q", 2**63) + data[8:]), (REFUSED,)),
    Case("tensor of a negative size", _header(_tensor(shape=[-1])), (REFUSED,)),
    Case("tensor of 2**62 numbers", _header(_tensor(shape=[2**31, 2**31])), (REFUSED,)),
    Case("tensor beyond the end", _header(_tensor(data_offsets=[0, 2**40])), (REFUSED,)),
    Case("tensor of an unknown type", _header(_tensor(dtype="F7")), (REFUSED,)),
    Case("header that is a list", _header(lambda header: [1]), (REFUSED,)),
    Case("header without its configuration", _header(lambda header: header.pop("__metadata__") and None), (REFUSED,)),
    *(Case(f"network with {name} of {value!r}", _header(_config(**{name: value})), (REFUSED,)) for name, value in (
        ("width", -1), ("width", 10**9), ("width", "a"), ("width", None), ("taps", 0), ("taps", 10**12), ("taps", 1.5),
        ("channels", 0), ("contrast", -3), ("widest", [1]), ("depth", 3))),
    Case("weights that are no numbers", _not_finite, (REFUSED,), 2),
    Case("pickle with code", _pickled(Code), (REFUSED,)),
    Case("pickle with code between tensors", _pickled(lambda: {"moduleConv1.0.weight": Code()}), (REFUSED,)),
    Case("torch file with code", _torch_saved(lambda: {"moduleConv1.0.weight": Code()}), (REFUSED,)),
    Case("torch file that is a number", _torch_saved(lambda: 3), (REFUSED,)),
    Case("torch file of nothing", _torch_saved(dict), (REFUSED,)),
    Case("weights that are a folder", _replaced(Path.mkdir, lambda path: path), (REFUSED,)),
    Case("weights that are a pipe", _replaced(os.mkfifo, lambda path: path), (REFUSED,)),
    Case("no weights", lambda rng, file: file.unlink(), (REFUSED,)),
)  # fmt: skip


@dataclass
class Weights:
    """Loads damaged copies of a small SepConv's weights."""

    scratch: Path

    def __post_init__(self) -> None:
        import torch

        from stages.synthesize import sepconv, weights

        torch.manual_seed(0)
        torch.set_num_threads(1)
        self.load = weights.load
        network = sepconv.SepConv(sepconv.Config(channels=1, width=2, widest=4, taps=5, contrast=3))
        self.content = weights.store(network)
        self.truth = {name: value.tolist() for name, value in network.state_dict().items()}

    def __call__(self, case: Case, rng: random.Random) -> str | None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        file = self.scratch / "sepconv.safetensors"
        file.write_bytes(self.content)
        case.spoil(rng, file)
        other = file.with_suffix(".pytorch")
        before = _snapshot(self.scratch)
        try:
            with contextlib.chdir(self.scratch):
                found = self.load(other if other.exists() else file)
        except room.RoomError as why:
            _sentence(why)
            outcome = None if REFUSED in case.allowed else f"wrong: refused: {why}"
        else:
            same = {name: value.tolist() for name, value in found.state_dict().items()} == self.truth
            outcome = None if same and SAME in case.allowed else "wrong: it was loaded"
        return outcome if _snapshot(self.scratch) == before else "lost: a file was made or changed"


# Parameters: what a hand, a script or a stranger may write into params.yaml.

VALUES = (
    "-1", "0", "1e400", ".nan", "-.inf", "null", "''", "[]", "{}", "[[[]]]", "true", "2026-13-45", "2026-11-24",
    "0x10", "1_000", "!!binary aGk=", "!!set {a, b}", "!!python/object/apply:os.system ['touch pwned']",
    "!!python/name:os.system", "!!python/object/new:os.system ['touch pwned']", "!!python/module:os", "!unknown x",
    "&a [*a]", "/etc/passwd", "../../outside", '"a\\0b"', "1" * 5000, "'" + "x" * 5000 + "'", "${dataset.root}",
    "$(touch pwned)", "; touch pwned", "1e-3", "yes", "'ü漢'", "\t", "- 1", "|", "%", "@", "`x`",
)  # fmt: skip


def _value(rng: random.Random, file: Path) -> None:
    lines = file.read_text().splitlines()
    number = rng.choice([n for n, line in enumerate(lines) if ": " in line and not line.startswith("#")])
    lines[number] = f"{lines[number].split(':')[0]}: {rng.choice(VALUES)}"
    file.write_text("\n".join(lines) + "\n")


def _misspelt(rng: random.Random, file: Path) -> None:
    lines = file.read_text().splitlines()
    number = rng.choice([n for n, line in enumerate(lines) if ":" in line and not line.startswith("#")])
    name = lines[number].split(":")[0]
    at = rng.randrange(len(name) - len(name.lstrip()), len(name))
    lines[number] = name[:at] + "q" + name[at + 1 :] + lines[number][len(name) :]
    file.write_text("\n".join(lines) + "\n")


def _shuffled(rng: random.Random, file: Path) -> None:
    lines = file.read_text().splitlines()
    one, two = rng.sample(range(len(lines)), 2)
    lines[one], lines[two] = lines[two], lines[one]
    file.write_text("\n".join(lines) + "\n")


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

PARAMETERS = (
    Case("parameter with another value", _value, (REFUSED, SAME), 40),
    Case("parameter misspelt", _misspelt, (REFUSED,), 25),
    Case("parameters with two lines exchanged", _shuffled, (REFUSED, SAME), 20),
    Case("parameters cut short", _table_bytes(
        lambda rng, data: data[: rng.randrange(len(data) - 100)]), (REFUSED,), 10),
    Case("parameters with flipped bits", lambda rng, file: _flip(rng, file), (REFUSED, SAME), 30),
    Case("aliases that blow up", lambda rng, file: file.write_text(BOMB) and None, (REFUSED,)),
    Case("10 000 nested lists", lambda rng, file: file.write_text("[" * 10_000) and None, (REFUSED,)),
    Case("parameters of 50 MB", lambda rng, file: file.write_text("# x\n" * 12_500_000) and None, (REFUSED,)),
    Case("no parameters", lambda rng, file: file.unlink(), (REFUSED,)),
    Case("parameters that are a folder", _replaced(Path.mkdir, lambda path: path), (REFUSED,)),
    Case("parameters that are a pipe", _replaced(os.mkfifo, lambda path: path), (REFUSED,)),
)  # fmt: skip


@dataclass
class Parameters:
    """Reads damaged copies of params.yaml. What is read all the same must be what the schema allows."""

    scratch: Path

    def __call__(self, case: Case, rng: random.Random) -> str | None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        file = self.scratch / "params.yaml"
        shutil.copy(ROOT / "params.yaml", file)
        case.spoil(rng, file)
        before = _snapshot(self.scratch)
        try:
            with contextlib.chdir(self.scratch):
                found = panel.read()
        except room.RoomError as why:
            _sentence(why)
            outcome = None if REFUSED in case.allowed else f"wrong: refused: {why}"
        else:
            panel.Panel.model_validate(found)
            outcome = None if SAME in case.allowed else "wrong: it was read"
        return outcome if _snapshot(self.scratch) == before else "lost: a file was made or changed"


def _sentence(error: room.RoomError) -> None:
    """An error message is one line of readable length."""
    message = str(error)
    assert message, "an empty message"
    assert len(message) < 5000, f"a message of {len(message)} characters"


def attempt(run: Callable[[Case, random.Random], str | None], case: Case, seed: str, count: Count) -> None:
    """One case, counted."""

    def expire(*_: object) -> None:
        raise Hang

    count.cases += 1
    start, said = time.monotonic(), io.StringIO()
    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, SLOW)
    note = None
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            note = run(case, random.Random(seed))
    except Hang:
        note = "hang"
    except Exception:
        note = "traceback: " + traceback.format_exc(limit=-2).strip().replace("\n", " | ")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    if note is None and time.monotonic() - start > SLOW:
        note = "hang"
    if note is None:
        return
    count.notes.append(f"{case.name} ({seed}): {note}")
    kind = note.split(":")[0]
    count.tracebacks += kind == "traceback"
    count.hangs += kind == "hang"
    count.wrong += kind == "wrong"
    count.lost += kind == "lost"


def measure(
    kind: str, base: Path, scratch: Path, seed: int, most: int | None = None, every: int = 1
) -> Iterator[tuple[str, Count]]:
    """The cases of one of KINDS, each name with its count. ``base`` is an undamaged tree of three subjects.

    ``most`` limits how many cases one name has, ``every`` takes only each so many-th name.
    """
    cases, run = {
        "trees": (TREES, partial(Trees, base)),
        "tables": (TABLE_CASES, Tables),
        "weights": (WEIGHTS, Weights),
        "parameters": (PARAMETERS, Parameters),
    }[kind]
    made, may_mount = run(scratch / kind), mountable()
    for case in cases[::every]:
        if case.mount and not may_mount:
            continue
        count = Count()
        for number in range(min(case.times, most or case.times)):
            attempt(made, case, f"{seed} {case.name} {number}", count)
        yield case.name, count


def tree(folder: Path) -> Path:
    """A simulated CK+ tree of three subjects with a sequence of four frames each."""
    import stages.simulate.__main__ as simulate

    folder.mkdir(parents=True, exist_ok=True)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["dataset"] = {"name": "simulated", "root": "ck"}
    values["simulate"] |= {"subjects": 3, "sequences": 1, "frames": [4, 4]}
    values["machine"] |= {"workers": 1, "scheduler": None}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    cache = ROOT / ".cache"
    if cache.is_dir() and not (folder / ".cache").exists():
        (folder / ".cache").symlink_to(cache)
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        simulate.main()
    return folder / "ck"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bad_input", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, help="most cases of one name")
    parser.add_argument("--seed", type=int, default=2017)
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this; may be given more than once")
    arguments = parser.parse_args()
    start, total = time.monotonic(), Count()
    columns = "| {:<52} | {:>5} | {:>10} | {:>5} | {:>14} | {:>10} |"
    print(columns.format("bad input", "cases", "tracebacks", "hangs", "silently wrong", "lost files"))
    print(columns.format("-" * 52, *("-" * width for width in (5, 10, 5, 14, 10))))
    with tempfile.TemporaryDirectory() as folder:
        base = tree(Path(folder) / "base")
        for kind in arguments.kind or KINDS:
            for name, count in measure(kind, base, Path(folder), arguments.seed, arguments.cases):
                print(columns.format(name.replace("\\", "")[:52], count.cases, count.tracebacks, count.hangs,
                                     count.wrong, count.lost), flush=True)  # fmt: skip
                total = Count(*(getattr(total, key) + getattr(count, key) for key in vars(total)))
    print(columns.format("all", total.cases, total.tracebacks, total.hangs, total.wrong, total.lost))
    print(f"\n{total.cases} cases in {time.monotonic() - start:.0f} s")
    for note in total.notes:
        print(note)
    sys.exit(bool(total.notes))


if __name__ == "__main__":
    main()
