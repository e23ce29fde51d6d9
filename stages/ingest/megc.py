"""What the filmed data sets share, by the grand challenge's protocol (See et al., "MEGC 2019", FG 2019).

Their clips are micro-expressions as filmed. What the pipeline calls a sequence runs from the onset to the apex of one,
as CK+'s run from neutral to apex: it is the 'general' recording, and its first three frames make the 'micro' one.

The labels are the challenge's three classes. If its list, ``combined_3class_gt.csv``, lies in the data set's folder,
it says which clips count and as what; otherwise each clip's own emotion does, and "others" has none.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from stages.ingest import layout as places
from stages.ingest import sequence as base
from stages.ingest import workbook
from stages.ingest.layout import Key, Layout, key
from stages.ingest.sequence import visible, whole
from stages.ingest.workbook import Line
from stages.tables.errors import Unusable, UserError

CLASSES = {1: "negative", 2: "positive", 3: "surprise"}
"""The challenge's three classes, and their codes here."""

LIST = "combined_3class_gt.csv"
NEGATIVE = ("negative", "anger", "contempt", "disgust", "fear", "repression", "sadness", "sad")
POSITIVE = ("positive", "happiness", "happy")
WORDS = dict.fromkeys(NEGATIVE, "negative") | dict.fromkeys(POSITIVE, "positive") | {"surprise": "surprise"}
CODES = {name: code for code, name in CLASSES.items()}
LARGEST = 1_000_000
"""A longer file is no list of clips, bytes."""
LEAST = 2
"""Frames of the shortest clip: they make one map, which is a reading."""


@dataclass(frozen=True)
class Clip(base.Sequence):
    """A clip, the word for its emotion, and its onset, apex and offset frames as the data set codes them.

    ``middle`` says that the frame in the middle stands for an apex that is not coded, or cannot be; ``entire`` that
    nothing is coded, since its folder holds the frames from onset to offset. ``together`` says that its folder holds
    other clips too, and ``fault`` why it cannot be used.
    """

    label: str
    onset: object = None
    apex: object = None
    offset: object = None
    middle: bool = False
    entire: bool = False
    together: bool = False
    fault: str = ""
    dataset: str = ""

    @property
    def ends(self) -> str:
        if self.entire:
            return "middle"
        return "middle" if self.middle and _apex(self)[0] is None else "coded"

    def with_middle(self) -> Clip:
        return replace(self, middle=True)


def emotion(clip: Clip) -> int:
    """1 negative, 2 positive, 3 surprise. Raises Unusable, code 'unlabelled', for what is none of the three."""
    if clip.label.lower() not in WORDS:
        reason = f"its emotion is {clip.label[:40]!r}" if clip.label else "no list names it"
        raise Unusable("unlabelled", f"{clip.folder}: {reason}; only {', '.join(CODES)} enter the protocol")
    return CODES[WORDS[clip.label.lower()]]


def frames(clip: Clip) -> list[Path]:
    """The picture files from onset to apex; no other has to be there.

    A folder that holds exactly as many frames as lie from onset to offset, under other numbers, is read from its first
    one. Raises Unusable when onset or apex is not coded (see ``Clip.middle``), when fewer than two frames lie between
    them, or when one is missing.
    """
    if clip.fault:
        raise Unusable("frames", clip.fault)
    numbered = pictures(clip.folder, clip.session if clip.together else "")
    if clip.entire:
        first, last = min(numbered, default=0), max(numbered, default=0)
        return _between(numbered, first, first + (last + 1 - first) // 2, clip.folder)
    onset, offset = whole_number(clip.onset), whole_number(clip.offset)
    apex, why = _apex(clip)
    if apex is None and clip.middle and onset is not None and offset is not None and 1 < offset - onset < 100_000:
        apex = onset + (offset + 1 - onset) // 2
    if onset is None or apex is None:
        advice = "" if clip.middle else "; ingest.middle_apex: true takes the middle of onset and offset for it"
        raise Unusable("apex", f"{clip.folder}: {why}{advice}")
    if onset not in numbered and numbered and offset is not None and len(numbered) == offset + 1 - onset:
        shift = min(numbered) - onset
        if max(numbered) == offset + shift:
            onset, apex = onset + shift, apex + shift
    return _between(numbered, onset, apex, clip.folder)


def _apex(clip: Clip) -> tuple[int | None, str]:
    """The coded apex if it can be one, else the reason why not."""
    onset, apex, offset = (whole_number(value) for value in (clip.onset, clip.apex, clip.offset))
    if onset is None or onset < 0:
        return None, f"its onset is coded as {_shown(clip.onset)}, which is no frame"
    if apex is None:
        return None, f"its apex is coded as {_shown(clip.apex)}, which is no frame"
    if not onset < apex < onset + 100_000:
        return None, f"its apex, {apex}, does not lie after its onset, {onset}"
    if offset is not None and onset < offset < apex:  # an offset that is none is not needed
        return None, f"its apex, {apex}, lies after its offset, {offset}"
    return apex, ""


def _between(numbered: dict[int, list[Path]], first: int, last: int, folder: Path) -> list[Path]:
    lacks = [number for number in (first, last) if number not in numbered]
    if lacks:
        raise Unusable("frames", f"{folder}: holds no frame {lacks[0]}; restore it from the data set's archive")
    used = {number: files for number, files in numbered.items() if first <= number <= last}
    for number, files in used.items():
        if len(files) > 1:
            raise Unusable("frames", f"{files[1]}: frame {number} is there twice; keep one")
    return whole({number: files[0] for number, files in used.items()}, folder, LEAST)


def pictures(folder: Path, clip: str = "") -> dict[int, list[Path]]:
    """The pictures of a folder by the last number in their names (img46.jpg, 006_05562.jpg, reg_image001.bmp).

    With ``clip``, those whose names begin with it, if there are any. Raises Unusable when the folder is missing.
    """
    if not folder.is_dir():
        raise Unusable("frames", f"{folder}: no such folder; restore it from the data set's archive")
    files = [file for file in sorted(visible(folder)) if file.suffix.lower() in places.PICTURES]
    own = [file for file in files if clip and re.match(rf"{re.escape(places.plain(clip))}(?![a-z0-9])",
                                                       places.plain(file.stem))]  # fmt: skip
    numbered: dict[int, list[Path]] = {}
    for file in own or files:
        if number := re.search(r"([0-9]{1,9})$", file.stem):
            numbered.setdefault(int(number[1]), []).append(file)
    return numbered


def coded(
    root: Path, name: str, layout: Layout, session: Callable[[Line], str] = lambda line: str(line.clip or "").strip()
) -> list[Clip]:
    """The clips that the data set's spreadsheet codes, and every further folder of clips, which has no label.

    ``session`` names a line's clip. Raises UserError when the spreadsheet or the frames are missing or strange.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; set dataset.root in params.yaml to the folder of your copy")

    def ours(line: Line) -> bool:
        return line.subject is not None and bool(re.fullmatch(layout.clip, session(line), re.IGNORECASE))

    sheet, lines = workbook.find(root, ours, layout.example)
    rows: dict[Key, Line] = {}
    faults: dict[Key, str] = {}
    for line in lines:
        if line.subject is None or Path(session(line)).name != session(line) or session(line) in ("", ".."):
            raise UserError(
                f"{sheet}, line {line.number}: names no subject and clip; take the data set's own spreadsheet"
            )
        own = key(line.subject, session(line))
        if own in rows and rows[own][1:] != line[1:]:
            faults[own] = f"{sheet}, lines {rows[own].number} and {line.number}: code it differently; keep one of them"
        rows[own] = line
    wanted = {own: (own, key(line.subject, line.clip), (own[0], "")) for own, line in rows.items()}
    tree, found = places.clips(root, layout, {one for several in wanted.values() for one in several})
    clips, used = [], set()
    for own, line in rows.items():
        at = next((one for one in wanted[own] if one in found), None)
        subject = _subject(layout, own[0])
        folder = found[at].folder if at else tree / subject / session(line)
        together = at is not None and not at[1]
        used.add(at)
        fault = faults.get(own) or (_overlap(line, rows, own, folder, session(line)) if together else "")
        clips.append(Clip(subject, session(line), folder, str(line.emotion or "").strip(), line.onset, line.apex,
                          line.offset, together=together, fault=fault, dataset=name))  # fmt: skip
    clips += [Clip(_subject(layout, at[0]), place.folder.name, place.folder, "", dataset=name)
              for at, place in found.items() if at[1] and at not in used]  # fmt: skip
    return listed(root, name, clips, layout, tree)


def _subject(layout: Layout, number: str) -> str:
    return layout.subject.format(int(number)) if number.isdecimal() else number


def _overlap(line: Line, rows: dict[Key, Line], own: Key, folder: Path, session: str) -> str:
    """Why the frames of a clip cannot be told from those of the subject's others that lie in the same folder, if so."""
    if pictures(folder, session) != pictures(folder):
        return ""
    first, last = whole_number(line.onset), whole_number(line.offset or line.apex)
    for it in (it for other, it in rows.items() if other[0] == own[0] and other != own):
        start, end = whole_number(it.onset), whole_number(it.offset or it.apex)
        if None in (first, last, start, end) or not (last < start or end < first):  # type: ignore[operator]
            return f"{folder}: holds the frames of several clips under the same numbers; give each its own folder"
    return ""


def listed(root: Path, name: str, clips: list[Clip], layout: Layout, tree: Path) -> list[Clip]:
    """The clips with the labels of the challenge's list, where it lies in ``root``, by subject and clip.

    Its lines are data set, subject, clip, and class: 0 negative, 1 positive, 2 surprise. A clip that is not on it has
    no label; one that is only there has no frames. Raises UserError when it is not such a file, or names no clip.
    """
    file = root / LIST
    if not file.exists():
        return sorted(clips, key=lambda clip: clip.name)
    names = [*map(str, CLASSES.values())]
    labels: dict[Key, tuple[str, str]] = {}
    try:
        if not file.is_file() or file.stat().st_size > LARGEST:
            raise ValueError
        with file.open(encoding="utf-8-sig", newline="") as text:
            for dataset, subject, clip, code, *_ in (line for line in csv.reader(text) if line):
                if dataset_name(dataset) == name:  # else heads, or another's
                    own, label = key(subject, clip), names[range(3).index(float(code))]  # type: ignore[arg-type]
                    if labels.setdefault(own, (clip.strip(), label))[1] != label:
                        raise UserError(f"{file}: names {subject}/{clip} twice, of two classes; take MEGC's own")
    except (OSError, ValueError, csv.Error):
        raise UserError(f"{file}: its lines are not data set, subject, clip, class 0 to 2; take MEGC's own") from None
    if not labels:
        raise UserError(f"{file}: names no clip of {name}; take MEGC's own, or remove it")
    known = {key(clip.subject, clip.session): clip for clip in clips}
    labelled = [replace(clip, label=labels[own][1] if own in labels else "") for own, clip in known.items()]
    for own, (session, label) in labels.items():
        if own not in known:
            subject = _subject(layout, own[0])
            fault = f"{file}: names {subject}/{session}, which is nowhere in {tree}; restore it from the archive"
            labelled.append(Clip(subject, session, tree / subject / session, label, fault=fault, dataset=name))
    return sorted(labelled, key=lambda clip: clip.name)


def _shown(value: object) -> str:
    return "nothing" if value in (None, "") else repr(str(value)[:40])


def dataset_name(name: str) -> str:
    """A data set's name as in datasets.py: "CASME II" is casme2."""
    return re.sub(r"[^a-z0-9]", "", name.lower()).replace("casmeii", "casme2")


def whole_number(value: object) -> int | None:
    """A cell's whole number, None where it holds another or none."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return int(number) if number.is_integer() else None
