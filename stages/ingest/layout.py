"""Where the clips of a filmed data set lie: their folders are known by the ends of their paths, in any layout."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stages.ingest.sequence import hidden, visible
from stages.tables.errors import UserError

PICTURES = (".jpg", ".jpeg", ".bmp", ".png")
DEEPEST, MOST = 7, 50_000
"""Folders farther down, or more of them, are not of one data set."""


class Place(NamedTuple):
    """A folder of frames, and what of the clip its path names: the label, where the layout has one, else nothing."""

    folder: Path
    label: str


Key = tuple[str, str]
"""A subject and a clip, by which lists and folders agree; see ``key``."""


@dataclass(frozen=True)
class Layout:
    """How a data set names its folders.

    ``images`` are the folders that hold all frames, as published, the best first. ``ends`` are patterns of the end of a
    clip's path, with the groups ``subject``, ``clip`` (without it the subject's frames lie together), and maybe
    ``label``. ``subject`` formats a subject's number, ``clip`` is a pattern of the clips' names in the spreadsheet, and
    ``example`` is a path for people.
    """

    images: tuple[str, ...]
    ends: tuple[str, ...]
    subject: str
    clip: str
    example: str

    def match(self, path: str) -> re.Match[str] | None:
        """The first pattern's match with the end of a path that has only '/' as separators."""
        matches = (re.search(f"(?:^|(?<=/)){end}$", path, re.IGNORECASE) for end in self.ends)
        return next((match for match in matches if match), None)


def key(subject: object, clip: object) -> Key:
    """Both without capitals, and their numbers without leading zeros: S01 and s01_ne_01 are 1 and s1_ne_1."""
    number = re.sub(r"[^0-9]", "", str(subject)).lstrip("0")
    return number or plain(subject), plain(clip)


def plain(name: object) -> str:
    """A name without capitals, and its numbers without leading zeros."""
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", str(name).strip().lower())


def clips(root: Path, layout: Layout, listed: set[Key]) -> tuple[Path, dict[Key, Place]]:
    """The folder that holds all frames, and the folder of each clip in it.

    Of several copies it takes the one that comes first in ``layout.images``; those that hold none of the ``listed``
    clips, if there are any, do not count. Raises UserError when there is none, or when two are equally good.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; set dataset.root in params.yaml to the folder of your copy")
    copies: dict[str, dict[Key, Place]] = {}
    long = ""
    for path in _folders(root):
        long = long or (path if "long" in path.rpartition("/")[2].lower() else "")
        if match := layout.match(path):
            groups = match.groupdict()
            clip = groups.get("clip") or ""
            if clip or any(file.suffix.lower() in PICTURES for file in visible(root / path)):
                found = copies.setdefault(path[: match.start()].rstrip("/"), {})
                found[key(groups["subject"], clip)] = Place(root / path, groups.get("label") or "")
    shared = {copy: found for copy, found in copies.items() if listed & found.keys()}
    copies = shared or copies
    if not copies:
        others = f" ({', '.join(layout.images[1:])} would do too)" if layout.images[1:] else ""
        note = f"; {long}/ is its long version, whose films hold several expressions or none" if long else ""
        raise UserError(
            f"{root}: holds no folders of clips such as {layout.images[0]}/{layout.example}{others}{note};"
            " unpack the data set's frames there"
        )
    ranks = {copy: _rank(copy, layout) for copy in copies}
    best = sorted(copy for copy in copies if ranks[copy] == min(ranks.values()))
    if len(best) > 1:
        raise UserError(f"{root}: holds the frames more than once ({', '.join(best)}); keep one of these there")
    return root / best[0], copies[best[0]]


def _rank(copy: str, layout: Layout) -> tuple[int, bool]:
    known = [plain(name) for name in layout.images]
    place = [rank for rank, name in enumerate(known) if f"/{plain(copy)}".endswith(f"/{name}")]
    return min(place, default=len(known)), "crop" in copy.lower()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _folders(root: Path) -> Iterator[str]:
    """The paths of all folders below ``root``, relative to it, those above first. Raises UserError when too many."""
    level, count = [""], 0
    for _ in range(DEEPEST):
        below = []
        for path in level:
            try:
                with os.scandir(root / path) as entries:
                    here = (root / path).resolve()
                    names = sorted(
                        entry.name
                        for entry in entries
                        if not hidden(entry.name)
                        and _is_folder(entry)
                        and not (entry.is_symlink() and here.is_relative_to(Path(entry.path).resolve()))
                    )  # without links to a folder above, which have no end
            except OSError as error:
                raise UserError(
                    f"{root / path}: cannot be read ({error.strerror}); give yourself the right to"
                ) from None
            below += [f"{path}/{name}" if path else name for name in names]
            count += len(names)
            if count > MOST:
                raise UserError(f"{root}: holds more than {MOST} folders; set dataset.root to the data set's own one")
        yield from below
        level = below
