"""Streamed, checked, atomic Parquet: the only way rooms read and write tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import DTypeLike

from stages.tables.room import RoomError, renamed
from stages.tables.schema import Table


class Writer:
    """Writes a table a row group at a time, under a temporary name that is renamed when all went well.

    Used as a context manager. ``write`` takes a data frame or a list of rows (dicts), checks them against the
    table's columns and ranges, and stores them as one row group. Leaving the block by an exception removes the
    temporary file, so that a reader never sees half a table.
    """

    def __init__(self, path: Path | str, table: Table) -> None:
        self.path, self.table, self.rows = Path(path), table, 0
        self._file = self._opened()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with (
            renamed(self.path) as temporary,
            # The checksums of pages find what a failing disk does; zstd alone does not.
            pq.ParquetWriter(
                temporary, self.table.schema, compression="zstd", write_page_checksum=True
            ) as self._writer,
        ):
            yield

    def __enter__(self) -> Writer:
        self._file.__enter__()
        return self

    def write(self, rows: pd.DataFrame | Sequence[dict[str, Any]]) -> None:
        if len(rows) == 0:
            return
        if isinstance(rows, pd.DataFrame):
            batch = pa.Table.from_pandas(rows[self.table.schema.names], self.table.schema, preserve_index=False)
        else:
            batch = pa.Table.from_pylist(list(rows), self.table.schema)
        _check(batch, self.table, self.path)
        self._writer.write_table(batch, row_group_size=len(batch))
        self.rows += len(batch)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._file.__exit__(kind, error, tb)


def write(path: Path | str, table: Table, rows: pd.DataFrame | Sequence[dict[str, Any]]) -> None:
    """Writes a whole (small) table at once; see ``Writer``."""
    with Writer(path, table) as writer:
        writer.write(rows)


def _open(path: Path | str, table: Table) -> pq.ParquetFile:
    path = Path(path)
    if not path.is_file():
        raise RoomError(f"{path}: no such table; run the stage that writes it: dvc repro {path}")
    state = path.stat()
    return _opened(path.absolute(), path, table, state.st_mtime_ns, state.st_size, state.st_ino)


@lru_cache(maxsize=8)  # the footer grows with the number of sequences: read once, not once a sequence
def _opened(where: Path, path: Path, table: Table, *state: int) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise RoomError(f"{path}: not a readable Parquet file ({reason}); delete it and run dvc repro") from None
    found, wanted = file.schema_arrow, table.schema
    if not found.equals(wanted):
        raise RoomError(
            f"{path}: is not a '{table.name}' table as this version writes it"
            f" (columns {', '.join(found.names)}); delete it and run dvc repro"
        )
    return file


def read(path: Path | str, table: Table, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Reads a checked table, or some of its columns, into a data frame.

    Raises RoomError when the file is missing, damaged, of another kind, or holds a value out of its range.
    """
    return _load(path, table, lambda file: file.read(columns=list(columns) if columns else None))


def keys(path: Path | str, table: Table, columns: Sequence[str] = ("sequence",)) -> list[tuple[Any, ...]]:
    """The values of ``columns`` in each row group, in order: an index of sequences, read from the footer alone."""
    metadata = _open(path, table).metadata
    positions = [table.schema.get_field_index(column) for column in columns]
    found = []
    for group in range(metadata.num_row_groups):
        limits = [metadata.row_group(group).column(position).statistics for position in positions]
        if any(limit is None or not limit.has_min_max or limit.min != limit.max for limit in limits):
            raise RoomError(f"{path}: row group {group} is not of one sequence; delete the table and run dvc repro")
        found.append(tuple(limit.min for limit in limits))
    return found


def index(path: Path | str, table: Table) -> dict[str, int]:
    """The row group of each sequence, in the file's order; see ``keys``."""
    return {name: group for group, (name,) in enumerate(keys(path, table))}


def read_group(path: Path | str, table: Table, group: int) -> pd.DataFrame:
    """Row group ``group`` as a data frame: random access to one sequence, memory independent of the table's size."""
    return _load(path, table, lambda file: file.read_row_group(group))


def _load(path: Path | str, table: Table, fetch: Callable[[pq.ParquetFile], pa.Table]) -> pd.DataFrame:
    """What ``fetch`` takes from the file, checked."""
    file = _open(path, table)
    try:
        data = fetch(file)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise RoomError(f"{path}: damaged Parquet file ({reason}); delete it and run dvc repro") from None
    _check(data, table, Path(path))
    return data.to_pandas()


def arrays(column: Iterable[bytes], dtype: DTypeLike, item: tuple[int, ...]) -> np.ndarray:
    """Stacks a column of raw C-order arrays (n, *item), of the same n in all rows, into one of (rows, n, *item)."""
    rows = list(column)
    size = int(np.prod(item)) * np.dtype(dtype).itemsize
    shape = (len(rows[0]) // size, *item)
    if any(len(row) != shape[0] * size for row in rows):
        raise RoomError(
            f"an array column holds items that are not of shape {shape}; delete the table and run dvc repro"
        )
    return np.frombuffer(b"".join(rows), dtype).reshape(len(rows), *shape)


def _check(data: pa.Table, table: Table, path: Path) -> None:
    """Raises RoomError unless every value is present and within its column's range."""
    for column in table.columns:
        if column.name not in data.column_names:
            continue
        values = data[column.name]
        if values.null_count:
            raise RoomError(f"{path}: column '{column.name}' holds {values.null_count} missing values")
        for part in _numbers(values):
            if not pc.all(pc.is_finite(part)).as_py():
                raise RoomError(f"{path}: column '{column.name}' holds a value that is not a finite number")
            limits = pc.min_max(part).as_py()
            low, high = limits["min"], limits["max"]
            if (column.low is not None and low < column.low) or (column.high is not None and high > column.high):
                allowed = f"{_bound(column.low)} to {_bound(column.high)}"
                raise RoomError(f"{path}: column '{column.name}' spans {low} to {high}; allowed is {allowed}")


def _numbers(values: pa.ChunkedArray) -> Iterator[pa.Array]:
    for chunk in values.chunks:
        flat = chunk.flatten() if pa.types.is_fixed_size_list(chunk.type) else chunk
        if len(flat) and (pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type)):
            yield flat


def _bound(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"
