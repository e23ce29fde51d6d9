"""Damage to the pictures and labels of a CK+ tree of three subjects, of whom the second is the victim."""

from __future__ import annotations

import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.damage.case import flip

VICTIM = "S002/001"
"""The sequence that is damaged; two others beside it must come out as always."""


def frame_files(tree: Path) -> list[Path]:
    return sorted((tree / "cohn-kanade-images" / VICTIM).glob("*.png"))


def label_file(tree: Path) -> Path:
    return next((tree / "Emotion" / VICTIM).glob("*.txt"))


def truncate(rng: random.Random, tree: Path) -> None:
    file = rng.choice(frame_files(tree))
    file.write_bytes(file.read_bytes()[: rng.randrange(file.stat().st_size - 12)])


def flip_frame(rng: random.Random, tree: Path) -> None:
    flip(rng, rng.choice(frame_files(tree)))


def flip_header(rng: random.Random, tree: Path) -> None:
    flip(rng, rng.choice(frame_files(tree)), 0, 41)


def written(content: bytes) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        rng.choice(frame_files(tree)).write_bytes(content)

    return spoil


def resaved(mode: str, kind: str = "PNG", every: bool = False, **options: Any) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        files = frame_files(tree)
        for file in files if every else [rng.choice(files)]:
            image = Image.open(file).convert("L")
            if mode == "I;16":
                image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
            image.convert(mode) if mode != "I;16" else image
            (image if mode == "I;16" else image.convert(mode)).save(file, kind, **options)

    return spoil


def animated(rng: random.Random, tree: Path) -> None:
    file = rng.choice(frame_files(tree))
    image = Image.open(file).convert("L")
    image.save(file, "PNG", save_all=True, append_images=[image.point(lambda value: 255 - value)])


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int = 8, colour: int = 0, rows: int = 2, before: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(bytes(min((1 + width) * rows, 10_000_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def sized(width: int, height: int) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        first, *others = frame_files(tree)
        Image.new("L", (width, height), 90).save(first, compress_level=1)  # the time of making it counts too
        for file in others:
            shutil.copy(first, file)

    return spoil


def deep_colour(rng: random.Random, tree: Path) -> None:
    file = rng.choice(frame_files(tree))
    grey = np.asarray(Image.open(file).convert("L")).astype(">u2") * 257
    rows = b"".join(b"\0" + np.repeat(row[:, None], 3, 1).tobytes() for row in grey)
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 16, 2, 0, 0, 0)
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1))
                     + chunk(b"IEND", b""))  # fmt: skip


def numbered(change: Callable[[list[Path]], None]) -> Callable[[random.Random, Path], None]:
    return lambda rng, tree: change(frame_files(tree))


def rename_last(number: str) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        file = frame_files(tree)[-1]
        file.rename(file.with_name(f"{file.name[:9]}{number}.png"))

    return spoil


def copy_frame(name: str) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        shutil.copy(frame_files(tree)[0], frame_files(tree)[0].with_name(name))

    return spoil


def linked(rng: random.Random, tree: Path) -> None:
    for file in frame_files(tree):
        moved = tree.parent / "elsewhere" / file.name
        moved.parent.mkdir(exist_ok=True)
        file.rename(moved)
        file.symlink_to(moved)


def renamed_subject(name: str | bytes) -> Callable[[random.Random, Path], None]:
    """The subject's folders, files and all, under another name: the sequence is still there, and usable."""

    def spoil(rng: random.Random, tree: Path) -> None:
        new = os.fsdecode(name)
        for top in ("cohn-kanade-images", "Emotion"):
            folder = tree / top / "S002"
            for file in list(folder.rglob("S002_*")):
                file.rename(file.with_name(new + file.name[4:]))
            folder.rename(folder.with_name(new))

    return spoil


def labelled(content: bytes) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        label_file(tree).write_bytes(content)

    return spoil


def random_label(rng: random.Random, tree: Path) -> None:
    label_file(tree).write_bytes(
        bytes(rng.choice(b"0123456789.eE+- \t\r\n\0nafi_,;\xff") for _ in range(rng.randrange(12)))
    )


def second_label(number: str, content: str | None) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        text = label_file(tree).read_text() if content is None else content
        label_file(tree).with_name(f"S002_001_{number}_emotion.txt").write_text(text)

    return spoil


def clock(when: float) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        for file in tree.rglob("*"):
            os.utime(file, (when, when))

    return spoil


def clutter(rng: random.Random, tree: Path) -> None:
    folders = (tree, tree / "Emotion", tree / "cohn-kanade-images", frame_folder(tree), label_file(tree).parent)
    for folder in folders:
        for name in rng.sample((".DS_Store", "._S002_001_00000001.png", "Thumbs.db", "desktop.ini", "read me.txt",
                                "S002_001_0001.png.part", "ü ñ.txt", "a\nb"), 3):  # fmt: skip
            (folder / name).write_bytes(rng.randbytes(20))


def looped(rng: random.Random, tree: Path) -> None:
    (tree / "cohn-kanade-images/S002/002").symlink_to("..", target_is_directory=True)
    (tree / "cohn-kanade-images/S009").symlink_to("S009", target_is_directory=True)


def frame_folder(tree: Path) -> Path:
    return frame_files(tree)[0].parent


def first(tree: Path) -> Path:
    return frame_files(tree)[0]


def second(tree: Path) -> Path:
    return frame_files(tree)[1]
