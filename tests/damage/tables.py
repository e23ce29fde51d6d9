"""Parquet files as they lie on a disk that fails, or as another program writes them."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stages.tables import parquet, schema
from tests.damage.case import REFUSED, SAME, Case, flip, replaced, rewritten, verdict


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
    Case("table cut short", rewritten(lambda rng, data: data[: rng.randrange(len(data))]), (REFUSED,), 20),
    Case("table with flipped bits", lambda rng, file: flip(rng, file), (REFUSED, SAME), 40),
    Case("table with a damaged footer", lambda rng, file: flip(
        rng, file, file.stat().st_size - 1500, file.stat().st_size), (REFUSED, SAME), 40),
    Case("table of random bytes", rewritten(
        lambda rng, data: b"PAR1" + rng.randbytes(500) + b"PAR1"), (REFUSED,), 8),
    Case("table of no bytes", rewritten(lambda rng, data: b""), (REFUSED,)),
    Case("table that is CSV", rewritten(lambda rng, data: b"sequence,set\nS001/001,general\n"), (REFUSED,)),
    Case("table that is a folder", replaced(Path.mkdir, lambda path: path), (REFUSED,)),
    Case("table that is a pipe", replaced(os.mkfifo, lambda path: path), (REFUSED,)),
    Case("table that links to itself", replaced(
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
    Case("table without statistics", _table(lambda table: table, write_statistics=False), (SAME,)),
    Case("table in row groups that cut sequences", _table(lambda table: table, row_group_size=5), (REFUSED,)),
    Case("table with the rows of sequences mixed", _table(lambda table: table.sort_by("frame")), (REFUSED,)),
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
        keys = parquet.keys(self.file, schema.LANDMARKS)
        parts = [parquet.read_sequence(self.file, schema.LANDMARKS, number) for number in range(len(keys))]
        return [*(_plain(part) for part in (keys, parquet.read(self.file, schema.LANDMARKS), *parts))]

    def __call__(self, case: Case, rng: random.Random) -> str | None:
        shutil.rmtree(self.scratch)
        self.scratch.mkdir()
        self.file.write_bytes(self.content)
        case.spoil(rng, self.file)
        return verdict(case, self._read, self.truth)


def _plain(frame: pd.DataFrame) -> list[Any]:
    return [[list(value) if isinstance(value, np.ndarray) else value for value in frame[name]] for name in frame]
