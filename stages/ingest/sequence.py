"""What every data set gives: its sequences, and a reason for each that cannot be used. And how its folders are read.

A data set is an entry in tables/datasets.py and the file of the same name here, with three functions (see ckplus.py,
the plainest):

    sequences(root) -> [Sequence, ...]   every recorded sequence; RoomError when the tree is not that data set's
    emotion(sequence) -> int             its code in that entry; Unusable when it has none
    frames(sequence) -> [Path, ...]      its frames in order, neutral first, apex last; Unusable when they are not whole
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from stages.tables.room import RoomError


class Unusable(Exception):
    """Why one sequence cannot be used: ``code`` to count by, and a sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)  # both, so that it can travel between processes
        self.code = code

    def __str__(self) -> str:
        return str(self.args[1])


@dataclass(frozen=True)
class Sequence:
    """One recorded sequence, labelled or not."""

    subject: str
    session: str
    folder: Path

    @property
    def name(self) -> str:
        return printable(f"{self.subject}/{self.session}")


def reader(dataset: str) -> Any:
    """The module that reads a data set: the one of its name, which must be in tables/datasets.py."""
    return import_module(f"stages.ingest.{dataset}")


def whole(numbered: dict[int, Path], where: Path) -> list[Path]:
    """The frame files in the order of their numbers.

    Raises Unusable when there are fewer than three, or when the numbering has a gap.
    """
    if len(numbered) < 3:
        raise Unusable("frames", f"{where}: {len(numbered)} frames; the method needs at least three")
    missing = max(numbered) + 1 - min(numbered) - len(numbered)
    if missing:  # counted, not listed: a wrong name can leave a gap of millions
        gap = (number for number in range(min(numbered), max(numbered)) if number not in numbered)
        listed = ", ".join(map(str, islice(gap, 5))) + (" and more" if missing > 5 else "")
        raise Unusable("frames", f"{where}: frames {listed} are missing; restore them from the data set's archive")
    return [numbered[number] for number in sorted(numbered)]


def folders(parent: Path) -> list[Path]:
    """The folders in a folder, by name."""
    return sorted(entry for entry in visible(parent) if entry.is_dir())


def visible(folder: Path) -> Iterator[Path]:
    """The folder's entries without the hidden files that file managers leave (.DS_Store, ._*)."""
    try:
        return (entry for entry in list(folder.iterdir()) if not entry.name.startswith("."))
    except OSError as error:
        raise RoomError(f"{folder}: cannot be read ({error.strerror}); give yourself the right to") from None


def printable(name: str) -> str:
    """A file name as text that any table and terminal takes; names on a disk may hold bytes that are no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
