"""A recorded sequence, and how the folders and files of any data set are read. See datasets.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from stages.tables.errors import Unusable, UserError


@dataclass(frozen=True)
class Sequence:
    """One recorded sequence, labelled or not."""

    subject: str
    session: str
    folder: Path

    @property
    def name(self) -> str:
        return printable(f"{self.subject}/{self.session}")

    @property
    def dataset(self) -> str:
        """The data set that it is of, where a run reads several; else nothing."""
        return ""

    @property
    def ends(self) -> str:
        """What its last frame is: the 'last' one recorded, the 'coded' apex, or the 'middle', which stands for it."""
        return "last"

    def with_middle(self) -> Sequence:
        """The same, with its middle frame for an apex that is not coded."""
        return self


def archive(root: Path, names: tuple[str, ...], advice: str) -> Path:
    """The folder of a data set's archive in ``root``: the first of ``names`` that is there.

    Raises UserError when ``root`` is missing, and, with ``advice``, when it holds none of them.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; set dataset.root in params.yaml to the folder of your copy")
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise UserError(f"{root}: holds no folder {names[0]}/; {advice}")


def whole(numbered: dict[int, Path], where: Path, least: int = 3) -> list[Path]:
    """The frame files in the order of their numbers.

    Raises Unusable when there are fewer than ``least``, or when the numbering has a gap.
    """
    if len(numbered) < least:
        raise Unusable(
            "frames", f"{where}: {len(numbered)} frames; the method needs at least {'two' if least == 2 else 'three'}"
        )
    missing = max(numbered) + 1 - min(numbered) - len(numbered)
    if missing:  # counted, not listed: a wrong name can leave a gap of millions
        gap = (number for number in range(min(numbered), max(numbered)) if number not in numbered)
        listed = ", ".join(map(str, islice(gap, 5))) + (" and more" if missing > 5 else "")
        raise Unusable("frames", f"{where}: frames {listed} are missing; restore them from the data set's archive")
    return [numbered[number] for number in sorted(numbered)]


def folders(parent: Path) -> list[Path]:
    """The folders in a folder, by name."""
    return sorted(entry for entry in visible(parent) if entry.is_dir())


def hidden(name: str) -> bool:
    """Whether file managers leave a file or folder of this name: .DS_Store, ._img46.jpg, __MACOSX."""
    return name.startswith(".") or name == "__MACOSX"


def visible(folder: Path) -> Iterator[Path]:
    """The folder's entries without those that file managers leave."""
    try:
        return (entry for entry in list(folder.iterdir()) if not hidden(entry.name))
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}); give yourself the right to") from None


def printable(name: str) -> str:
    """A file name as text that any table and terminal takes; names on a disk may hold bytes that are no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
