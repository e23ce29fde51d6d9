"""Landmark tracks made elsewhere: what another program measured, without any pictures.

The data set's root is one Parquet file (trackers/columns.py), or a folder that holds one as ``tracks.parquet``, or

    labels.csv                   the columns subject, sequence, emotion: a code of CK+ or its name
    S005/001.csv                 the sequence S005/001 by OpenFace, py-feat or MediaPipe, whichever its columns tell,
    S005/002/00000001.txt ...    or as a folder of text files

Points are in px of the pictures that they were measured in, x to the right and y down. A sequence goes from neutral to
the apex.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.ingest import sequence as base
from stages.ingest.sequence import printable
from stages.ingest.trackers import columns, mediapipe, openface, pyfeat, table, text
from stages.tables.errors import Unusable, UserError
from stages.tables.points import JAW_WIDTH, NOSE_LENGTH
from stages.tables.schema import EMOTIONS, GENERAL

FORMS = (openface, pyfeat, mediapipe)
"""The CSV files: the first one whose COLUMNS are all there reads them. A new form is its file and its entry here."""
PARQUET, LABELS = "tracks.parquet", "labels.csv"
CODES = {name: code for code, name in EMOTIONS.items()} | {"happiness": 5, "sad": 6}
FARTHEST = 100_000
"""No point of a picture lies farther out, px."""


@dataclass(frozen=True)
class Track(base.Sequence):
    """One sequence: its labels (more than one is an error), and its rows where they come from one large file."""

    labels: tuple[Any, ...]
    rows: pd.DataFrame | None = None

    @property
    def name(self) -> str:
        return printable(self.session)


def sequences(root: Path) -> list[Track]:
    """Every sequence at ``root``, by name. Raises UserError when there is none, or no list of labels."""
    file = root if root.is_file() else root / PARQUET
    if file.is_file():
        recorded = [Track(one.subject, one.sequence, file, tuple(one.emotions), one.rows)
                    for one in columns.sequences(file)]  # fmt: skip
    elif not root.is_dir():
        raise UserError(f"{root}: no such folder or Parquet file; set dataset.root in params.yaml to your tracks")
    else:
        recorded = _labelled(root)
    if not recorded:
        raise UserError(f"{root}: holds no sequences; see stages/ingest/tracks.py for what it may hold")
    return recorded


def emotion(track: Track) -> int:
    """CK+'s code, 1 to 7. Raises Unusable, code 'unlabelled', where there is none, and 'label' where there are two."""
    if len(track.labels) > 1:
        raise Unusable("label", f"{track.folder}: {track.name} has the emotions {track.labels[:5]}; a sequence has one")
    word = str(track.labels[0]).strip().lower()
    try:
        code = CODES[word] if word in CODES else int(float(word))
    except (ValueError, OverflowError):
        code = 0
    if code not in EMOTIONS:
        raise Unusable("unlabelled", f"{track.folder}: the emotion of {track.name} is {word[:40]!r}; only CK+'s seven"
                       f" enter the protocol: {', '.join(f'{k} {v}' for k, v in EMOTIONS.items())}")  # fmt: skip
    return code


def points(track: Track) -> dict[str, np.ndarray]:
    """By set, float32 (frames, 68, 2), px: general, and micro where it was given too. Raises Unusable."""
    where = f"{track.folder}: {track.name}"
    if track.rows is not None:
        found = columns.points(track.rows, where)
    elif track.folder.is_dir():
        found = {GENERAL: text.points(track.folder)}
    else:
        rows = table.read(track.folder)
        form = next((form for form in FORMS if set(form.COLUMNS) <= set(rows.columns)), None)
        if form is None:
            raise Unusable("unknown form", f"{track.folder}: its columns are those of no tracker that is known; see"
                           " docs/real_data.md")  # fmt: skip
        values = form.points(rows, track.folder)
        table.in_order(track.folder, table.number(rows, "frame"))
        found = {GENERAL: values}
    if GENERAL not in found:
        raise Unusable("frames", f"{where}: has no general recording, from neutral to the apex")
    return {name: _checked(values, where) for name, values in found.items()}


def measured(track: Track) -> tuple[dict[str, Any], dict[str, np.ndarray]] | Unusable:
    """The points of a track, with its geometry as in the columns image_*, box_* and crop_* of SEQUENCES, or the reason.

    The picture reaches as far as the points do, since nobody knows how far it did.
    """
    try:
        found = points(track)
    except Unusable as why:
        return why
    corners = found[GENERAL].reshape(-1, 2)
    left, top = (math.floor(value) for value in corners.min(axis=0))
    right, bottom = (math.ceil(value) for value in corners.max(axis=0))
    geometry = {"image_width": max(right + 1, 1), "image_height": max(bottom + 1, 1)}
    for name in ("box", "crop"):
        geometry |= {f"{name}_x": left, f"{name}_y": top, f"{name}_width": right - left,
                     f"{name}_height": bottom - top}  # fmt: skip
    return geometry, found


def _checked(values: np.ndarray, where: str) -> np.ndarray:
    if len(values) < 3:
        raise Unusable("frames", f"{where}: {len(values)} frames; the method needs at least three")
    bad = ~np.isfinite(values).all(axis=(1, 2)) | (np.abs(np.nan_to_num(values)) > FARTHEST).any(axis=(1, 2))
    if bad.any():
        reason = f"{where}: a point of line {int(np.argmax(bad)) + 1} is missing or no coordinate in px; track it again"
        raise Unusable("missing points", reason)
    lengths = [np.linalg.norm(values[:, a] - values[:, b], axis=1).min() for a, b in (JAW_WIDTH, NOSE_LENGTH)]
    if min(lengths) < 1:
        raise Unusable("no face", f"{where}: the jaw or the nose is shorter than a pixel; points must be in px")
    return values.astype(np.float32)


def _labelled(root: Path) -> list[Track]:
    """The sequences that labels.csv names."""
    file = root / LABELS
    try:
        labels = pd.read_csv(file, dtype=str, keep_default_na=False)
        labels = labels.rename(columns=lambda name: str(name).strip().lower())[["subject", "sequence", "emotion"]]
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise UserError(f"{file}: is no list with the columns subject, sequence and emotion ({reason}); a folder of"
                        f" tracks needs one, or {PARQUET}") from None  # fmt: skip
    recorded: dict[str, Track] = {}
    for line in labels.apply(lambda column: column.str.strip()).drop_duplicates().itertuples(index=False):
        if not line.subject or not line.sequence or ".." in Path(line.sequence).parts or line.sequence.startswith("/"):
            raise UserError(f"{file}: a line names no subject, or no sequence in this folder; mend or remove it")
        place = root / f"{line.sequence}.csv"
        known = recorded.get(line.sequence)
        if known and known.subject != line.subject:
            raise UserError(f"{file}: {line.sequence} is of two subjects; a sequence is of one person")
        emotions = (*known.labels, line.emotion) if known else (line.emotion,)
        recorded[line.sequence] = Track(line.subject, line.sequence, place if place.exists() else root / line.sequence,
                                        emotions)  # fmt: skip
    return [recorded[name] for name in sorted(recorded)]
