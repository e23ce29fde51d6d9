"""The Extended Cohn-Kanade tree, as the University of Pittsburgh ships it.

    cohn-kanade-images/S005/001/S005_001_00000001.png ...   every frame, neutral first, apex last
    Emotion/S005/001/S005_001_00000011_emotion.txt          one number, 1 to 7; only 327 of 593 sequences have one

Lucey et al., "The Extended Cohn-Kanade Dataset (CK+)", CVPR Workshops 2010.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stages.ingest import sequence as base
from stages.ingest.sequence import archive, folders, visible, whole
from stages.tables.errors import Unusable, UserError
from stages.tables.schema import EMOTIONS

IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
LABELS = ("Emotion", "Emotion_labels/Emotion")
FRAME = re.compile(r"(?P<subject>[^_]+)_(?P<session>[^_]+)_(?P<number>[0-9]{8})\.png", re.IGNORECASE)
LABEL = "_emotion.txt"
LONGEST = 1000
"""A longer file holds more than a label, bytes."""


@dataclass(frozen=True)
class Sequence(base.Sequence):
    """One recorded sequence and the folder of its label."""

    labels: Path

    def owns(self, file: Path) -> bool:
        """Whether a file's name begins with this sequence's: S005_001_00000011.png lies in S005/001/."""
        return file.name.lower().startswith(f"{self.subject}_{self.session}_".lower())


def sequences(root: Path) -> list[Sequence]:
    """Every sequence folder below ``root``, by subject and session.

    Raises UserError when ``root`` is missing, is the 48 x 48 copy, or holds no sequence.
    """
    try:
        images = archive(root, IMAGES, "set dataset.root to the folder that contains it")
    except UserError:
        if not any((root / name).is_dir() for name in EMOTIONS.values()):
            raise
        raise UserError(
            f"{root}: this is the 'CK+48' copy, 48 x 48 pixel peak frames by emotion: it has no onset frames, so"
            " no motion can be measured; ask the University of Pittsburgh for the original CK+"
        ) from None
    labels = archive(root, LABELS, f"unpack CK+'s emotion labels beside {images.name}/")
    recorded = [
        Sequence(subject.name, session.name, session, labels / subject.name / session.name)
        for subject in folders(images)
        for session in folders(subject)
    ]
    if not recorded:
        raise UserError(f"{images}: holds no sequence folders such as S005/001/; unpack CK+'s images there")
    return recorded


def emotion(sequence: Sequence) -> int:
    """The sequence's emotion code, 1 to 7.

    Raises Unusable: 'unlabelled' when there is no label file (266 of CK+'s 593), 'label' when it is not one code.
    """
    files = sorted(visible(sequence.labels)) if sequence.labels.is_dir() else []
    files = [file for file in files if file.name.endswith(LABEL)]
    strange = [file for file in files if not sequence.owns(file)]
    if strange:
        raise Unusable("label", f"{strange[0]}: belongs to another sequence by its name; move it there")
    if not files:
        raise Unusable("unlabelled", f"{sequence.labels}: no emotion file; only labelled sequences enter the protocol")
    codes = {file: _code(file) for file in files}
    if len(set(codes.values())) > 1:
        listed = ", ".join(f"{file.name} says {code}" for file, code in codes.items())
        raise Unusable("label", f"{sequence.labels}: contradictory emotion files ({listed}); keep one")
    return codes[files[0]]


def frames(sequence: Sequence) -> list[Path]:
    """The sequence's frame files in order.

    Raises Unusable when there are fewer than three, or when the numbering has a gap or names a frame twice.
    """
    numbered: dict[int, Path] = {}
    for file in sorted(visible(sequence.folder)):
        if file.suffix.lower() != ".png":
            continue
        match = FRAME.fullmatch(file.name)
        if match is None or not sequence.owns(file):
            wanted = f"{sequence.subject}_{sequence.session}_00000001.png"
            raise Unusable(
                "frames", f"{file}: is not named like {wanted}, so its place is not known; rename or remove it"
            )
        number = int(match["number"])
        if number in numbered:
            raise Unusable("frames", f"{file}: frame {number} is there twice; keep one")
        numbered[number] = file
    return whole(numbered, sequence.folder)


def _code(file: Path) -> int:
    try:
        if not file.is_file() or file.stat().st_size > LONGEST:
            raise Unusable("label", f"{file}: is no ordinary file of one number; mend or remove it")
        text = file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise Unusable("label", f"{file}: cannot be read ({error.strerror}); mend or remove it") from None
    try:
        value = float(text)
    except ValueError:
        raise Unusable("label", f"{file}: holds {text[:40]!r}, not an emotion code 1 to 7; mend or remove it") from None
    if value not in EMOTIONS:
        raise Unusable("label", f"{file}: holds {text[:40]}, which is not an emotion code 1 to 7; mend or remove it")
    return int(value)
