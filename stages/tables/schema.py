"""Every table of the pipeline: its columns, their units, and the values they may take.

The tables are the only thing that stages share. A column's unit and meaning are stored in the Parquet file itself
(field metadata ``unit`` and ``doc``), so that a file explains itself wherever it is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from stages.tables.points import POINTS

EMOTIONS = {1: "anger", 2: "contempt", 3: "disgust", 4: "fear", 5: "happy", 6: "sadness", 7: "surprise"}
"""CK+'s emotion codes. 0 (neutral) labels no sequence of the protocol. For other data sets' see CLASSES."""

GENERAL, MICRO = "general", "micro"
"""The two recorded sets: the sequence as filmed, and nine frames synthesised from its first three."""


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, unit, meaning, and the closed range its values must lie in."""

    name: str
    type: pa.DataType
    doc: str
    unit: str = ""
    low: float | None = None
    high: float | None = None

    def field(self) -> pa.Field:
        return pa.field(self.name, self.type, nullable=False, metadata={"unit": self.unit, "doc": self.doc})


@dataclass(frozen=True)
class Table:
    """One kind of table: a name, what a row is, and its columns."""

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> list[str]:
        """The columns that name a sequence, of those that the table has."""
        return [c.name for c in self.columns if c.name in ("sequence", "set")]

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.schema([c.field() for c in self.columns], metadata={"table": self.name, "row": self.row})


_SEQUENCE = Column("sequence", pa.string(), "subject/session, for example S005/001")
_SUBJECT = Column("subject", pa.string(), "subject ID, for example S005")
_EMOTION = Column("emotion", pa.int8(), "the data set's emotion code; CK+'s: " + ", ".join(
    f"{k} {v}" for k, v in EMOTIONS.items()), low=1, high=7)  # fmt: skip
_FOLD = Column("fold", pa.int16(), "the fold in which the subject is tested", low=0)
_SET = Column("set", pa.string(), f"'{GENERAL}': the sequence as filmed; '{MICRO}': synthesised from its first frames")
_FRAME = Column("frame", pa.int32(), "position in the sequence, from 1", low=1)
_POINTS = Column("points", pa.binary(), "float32 landmarks of shape (frames, 68, 2) in the native frame, C order", "px")


def _pixels(prefix: str, what: str) -> tuple[Column, ...]:
    return (
        Column(f"{prefix}_x", pa.int32(), f"{what}: left edge in the native frame", "px"),
        Column(f"{prefix}_y", pa.int32(), f"{what}: top edge in the native frame", "px"),
        Column(f"{prefix}_width", pa.int32(), f"{what}: width", "px", low=1),
        Column(f"{prefix}_height", pa.int32(), f"{what}: height", "px", low=1),
    )


SEQUENCES = Table(
    "sequences",
    "one usable, labelled sequence",
    (
        _SEQUENCE,
        _SUBJECT,
        Column("session", pa.string(), "session of the subject, for example 001"),
        _EMOTION,
        Column("frames", pa.int32(), "number of frames", low=2),
        Column("dataset", pa.string(), "the data set that it is of, as in params.yaml"),
        Column("apex", pa.string(), "its last frame: the 'last' recorded, the 'coded' apex, or the 'middle' for it"),
        _FOLD,
        Column("image_width", pa.int32(), "width of the native frame", "px", low=1),
        Column("image_height", pa.int32(), "height of the native frame", "px", low=1),
        *_pixels("box", "the detector's square face box, one per sequence"),
        *_pixels("crop", "the stored crop: the box with its margin, inside the frame"),
    ),
)

CLASSES = Table(
    "classes",
    "one emotion of the data set",
    (
        Column("dataset", pa.string(), "the data set's name as in params.yaml"),
        Column("emotion", pa.int8(), "its code in the data set", low=1, high=7),
        Column("label", pa.string(), "its name"),
        Column("published", pa.int32(), "its published number of sequences; 0 where nothing is published", low=0),
        Column("micro", pa.bool_(), "whether what was filmed are micro-expressions"),
    ),
)

FRAMES = Table(
    "frames",
    "one grey face crop; a sequence's lie together, its frames in order",
    (_SEQUENCE, _FRAME, Column("png", pa.binary(), "the crop at native resolution, 8-bit grey PNG")),
)
"""Used twice: frames.parquet holds the general sequences, micro.parquet the synthesised ones."""

LANDMARKS = Table(
    "landmarks",
    "68 landmarks of one frame; a sequence's lie together, its frames in order",
    (
        _SEQUENCE,
        _SET,
        _FRAME,
        Column("x", pa.list_(pa.float32(), POINTS), "horizontal position in the native frame", "px"),
        Column("y", pa.list_(pa.float32(), POINTS), "vertical position in the native frame", "px"),
        Column("status", pa.string(), "how the points were found: 'detected', 'carried', 'given' or 'fallback'"),
        Column("jitter", pa.float32(), "estimated random error of a point in this frame", "px", low=0),
    ),
)

REJECTED = Table(
    "rejected",
    "one sequence that a stage could not use",
    (
        _SEQUENCE,
        Column("stage", pa.string(), "the stage that set it aside"),
        Column("code", pa.string(), "the kind of reason in a word or two, to count by"),
        Column("reason", pa.string(), "what was wrong, in which file, and what to do"),
    ),
)
REJECTING = ("ingest", "synthesize", "landmark")
"""The stages that may set sequences aside."""

LMF = Table(
    "lmf",
    "the LMF maps of one sequence, and the landmarks that training makes others from",
    (
        _SEQUENCE,
        _SUBJECT,
        _EMOTION,
        _FOLD,
        _SET,
        Column(
            "sfem",
            pa.float64(),
            "size of the expression: mean over maps of sum|LMF| / (jaw width * nose length)",
            "1/px",
            low=0,
        ),
        Column("maps", pa.binary(), "uint8 maps of shape (protocol.frames - 1, 68, 68), C order; 127 is no change"),
        _POINTS,
    ),
)

DTAGN = Table(
    "dtagn",
    "DTAGN's two inputs for one sequence, all of its frames",
    (
        _SEQUENCE,
        _SUBJECT,
        _EMOTION,
        _FOLD,
        _SET,
        Column("faces", pa.binary(), "uint8 grey faces of shape (frames, size, size), C order"),
        _POINTS,
    ),
)

PREDICTIONS = Table(
    "predictions",
    "what one method says of one test sequence",
    (
        _SEQUENCE,
        _SUBJECT,
        _EMOTION,
        _FOLD,
        _SET,
        Column("method", pa.string(), "the method's name as in the results table"),
        Column("probability", pa.list_(pa.float32(), len(EMOTIONS)), "probability of emotions 1 to 7", low=0, high=1),
        Column("predicted", pa.int8(), "the emotion of highest probability", low=1, high=7),
    ),
)

TABLES = {t.name: t for t in (SEQUENCES, CLASSES, FRAMES, LANDMARKS, REJECTED, LMF, DTAGN, PREDICTIONS)}
