"""Streamed, checked, atomic Parquet: the only way stages read and write tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import DTypeLike

from stages.tables.errors import UserError
from stages.tables.files import atomic
from stages.tables.schema import Table

ROW_GROUP = 8_000_000
"""Bytes of a row group, uncompressed. What a file's footer says of a group stays in memory, so groups are few."""


class Writer:
    """Writes a table a row group at a time, under a temporary name that is renamed when all went well.

    Used as a context manager. ``write`` takes a data frame or a list of rows (dicts), such as those of one sequence,
    and keeps them together in one row group, which is checked against the table's columns and ranges and written when
    it reaches ``row_group`` bytes. Leaving the block by an exception removes the temporary file, so that a reader never
    sees half a table.
    """

    def __init__(self, path: Path | str, table: Table, row_group: int = ROW_GROUP) -> None:
        self.path, self.table, self.row_group, self.rows = Path(path), table, row_group, 0
        self._file = self._opened()
        self._group: list[pa.Table] = []
        self._bytes = 0

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with (
            atomic(self.path) as temporary,
            # The checksums of pages find what a failing disk does; zstd alone does not.
            # A dictionary is for words: to look for a picture among those before takes long and finds nothing.
            pq.ParquetWriter(
                temporary,
                self.table.schema,
                compression="zstd",
                write_page_checksum=True,
                use_dictionary=[c.name for c in self.table.columns if c.type == pa.string()],
            ) as self._writer,
        ):
            yield
            self._flush()

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
        self._group.append(batch)
        self._bytes += batch.nbytes
        self.rows += len(batch)
        if self._bytes >= self.row_group:
            self._flush()

    def _flush(self) -> None:
        if self._group:
            group = pa.concat_tables(self._group)
            _check(group, self.table, self.path)
            self._writer.write_table(group, row_group_size=len(group))
            self._group, self._bytes = [], 0

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._file.__exit__(kind, error, tb)


def write(path: Path | str, table: Table, rows: pd.DataFrame | Sequence[dict[str, Any]]) -> None:
    """Writes a whole (small) table at once; see ``Writer``."""
    with Writer(path, table) as writer:
        writer.write(rows)


def _open(path: Path | str, table: Table) -> pq.ParquetFile:
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such table; run the stages that write it: dvc repro")
    state = path.stat()
    return _opened(path.absolute(), path, table, state.st_mtime_ns, state.st_size, state.st_ino)


@lru_cache(maxsize=8)  # the footer grows with the number of row groups: read once, not once a sequence
def _opened(where: Path, path: Path, table: Table, *state: int) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a readable Parquet file ({reason}); delete it and run dvc repro") from None
    found, wanted = file.schema_arrow, table.schema
    if not found.equals(wanted):
        raise UserError(
            f"{path}: is not a '{table.name}' table as this version writes it"
            f" (columns {', '.join(found.names)}); delete it and run dvc repro"
        )
    return file


def read(path: Path | str, table: Table, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Reads a checked table, or some of its columns, into a data frame.

    Raises UserError when the file is missing, damaged, of another kind, or holds a value out of its range.
    """
    file = _open(path, table)
    return _checked(Path(path), table, lambda: file.read(columns=list(columns) if columns else None)).to_pandas()


def keys(path: Path | str, table: Table) -> pd.DataFrame:
    """The key columns of each sequence, in the file's order: a line a sequence, numbered from 0 as for read_sequence.

    Raises UserError as ``read`` does, and when the rows of a sequence do not lie together.
    """
    return _places(Path(path), table, _open(path, table))[table.key]


def index(path: Path | str, table: Table) -> dict[str, int]:
    """The number of each sequence in the file, for a table that holds a sequence once; see ``keys``."""
    return {name: number for number, name in enumerate(keys(path, table)["sequence"])}


def read_sequence(path: Path | str, table: Table, number: int) -> pd.DataFrame:
    """Sequence ``number`` as a data frame: random access with the memory of a row group, whatever the table's size."""
    file = _open(path, table)
    place = _places(Path(path), table, file).iloc[number]
    return _row_group(Path(path), table, file, place["group"]).slice(place["start"], place["rows"]).to_pandas()


@lru_cache(maxsize=8)
def _places(path: Path, table: Table, file: pq.ParquetFile) -> pd.DataFrame:
    """The key of each sequence, its row group, its first row within that, and its number of rows."""
    keys, places = [table.schema.empty_table().select(table.key)], [np.empty((0, 3), int)]
    for group in range(file.num_row_groups):  # not all at once: memory is for sequences, not for their frames
        rows = _checked(path, table, partial(file.read_row_group, group, table.key)).combine_chunks()
        changes = [pc.not_equal(column[1:], column[:-1]).to_numpy() for column in rows.columns]
        start = np.flatnonzero([True, *np.logical_or.reduce(changes)])
        keys.append(rows.take(start))
        places.append(np.column_stack([np.full_like(start, group), start, np.diff(start, append=len(rows))]))
    found = pa.concat_tables(keys).combine_chunks().to_pandas()
    found[["group", "start", "rows"]] = np.concatenate(places)
    again = found.duplicated(table.key)
    if again.any():
        name = found["sequence"][again].iloc[0]
        raise UserError(f"{path}: the rows of {name} do not lie together; delete the table and run dvc repro")
    return found


@lru_cache(maxsize=2)  # neighbours lie in the same row group, and a stage reads at most two tables side by side
def _row_group(path: Path, table: Table, file: pq.ParquetFile, group: int) -> pa.Table:
    return _checked(path, table, partial(file.read_row_group, group))


def _checked(path: Path, table: Table, fetch: Callable[[], pa.Table]) -> pa.Table:
    """What ``fetch`` takes from the file at ``path``, checked."""
    try:
        data = fetch()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: damaged Parquet file ({reason}); delete it and run dvc repro") from None
    _check(data, table, path)
    return data


def records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of a data frame as dicts, one at a time: all at once they would take many times its memory."""
    return (dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False, name=None))


def arrays(column: Iterable[bytes], dtype: DTypeLike, item: tuple[int, ...]) -> np.ndarray:
    """Stacks a column of raw C-order arrays (n, *item), of the same n in all rows, into one of (rows, n, *item)."""
    rows = list(column)
    size = int(np.prod(item)) * np.dtype(dtype).itemsize
    shape = (len(rows[0]) // size, *item)
    if any(len(row) != shape[0] * size for row in rows):
        raise UserError(
            f"an array column holds items that are not of shape {shape}; delete the table and run dvc repro"
        )
    return np.frombuffer(b"".join(rows), dtype).reshape(len(rows), *shape)


def _check(data: pa.Table, table: Table, path: Path) -> None:
    """Raises UserError unless every value is present and within its column's range."""
    for column in table.columns:
        if column.name not in data.column_names:
            continue
        values = data[column.name]
        if values.null_count:
            raise UserError(f"{path}: column '{column.name}' holds {values.null_count} missing values")
        for part in _numbers(values):
            if not pc.all(pc.is_finite(part)).as_py():
                raise UserError(f"{path}: column '{column.name}' holds a value that is not a finite number")
            limits = pc.min_max(part).as_py()
            low, high = limits["min"], limits["max"]
            if (column.low is not None and low < column.low) or (column.high is not None and high > column.high):
                allowed = f"{_bound(column.low)} to {_bound(column.high)}"
                raise UserError(f"{path}: column '{column.name}' spans {low} to {high}; allowed is {allowed}")


def _numbers(values: pa.ChunkedArray) -> Iterator[pa.Array]:
    for chunk in values.chunks:
        flat = chunk.flatten() if pa.types.is_fixed_size_list(chunk.type) else chunk
        if len(flat) and (pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type)):
            yield flat


def _bound(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"
