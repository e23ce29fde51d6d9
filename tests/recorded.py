"""Runs stages and writes down which lines of params.yaml, and which tables and weights, each opens.

    python -m tests.recorded LOG.json "train lmf 0" evaluate

They run in one process, whose imports take seconds, as if each had its own (conftest.run_stage). What opens a file in
other languages than Python is caught where this project calls it: Parquet and safetensors.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import safetensors

from stages.tables import params
from tests.conftest import run_stage

LOG = Path(sys.argv[1])
lines: set[str] = set()
opened: dict[str, set[str]] = {"read": set(), "written": set()}


def note(path: Any, mode: str) -> None:
    if isinstance(path, str | bytes | os.PathLike):
        name = os.path.relpath(os.fsdecode(path))
        if name.startswith(("data/", "results/", "benchmarks/", "networks/")) and not name.startswith("results/times"):
            opened["written" if set(mode) & set("wax+") else "read"].add(name)


def heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[1], str):
        note(arguments[0], arguments[1])


def leaves(section: type[params.Section], where: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, params.Section):
            yield from leaves(kind, f"{where}.{name}")
        else:
            yield f"{where}.{name}"


def main() -> None:
    read, values, table, writer = params.read, params.values, pq.ParquetFile, pq.ParquetWriter.__init__
    weights = safetensors.safe_open

    def reading(section: type[Any], path: Any = params.PARAMS) -> Any:
        lines.update(leaves(section, section.section))
        return read(section, path)

    def all_values(path: Any = params.PARAMS) -> Any:
        lines.update(name for name in params.flat(values(path)))
        return values(path)

    def table_opened(path: Any, *rest: Any, **more: Any) -> Any:
        note(path, "r")
        return table(path, *rest, **more)

    def table_written(self: Any, path: Any, *rest: Any, **more: Any) -> None:
        note(path, "w")
        writer(self, path, *rest, **more)

    def weights_opened(path: Any, *rest: Any, **more: Any) -> Any:
        note(path, "r")
        return weights(path, *rest, **more)

    params.read, params.values, safetensors.safe_open = reading, all_values, weights_opened
    pq.ParquetFile, pq.ParquetWriter.__init__ = table_opened, table_written
    sys.addaudithook(heard)
    log = {}
    for command in sys.argv[2:]:
        lines.clear()
        for names in opened.values():
            names.clear()
        done = run_stage(Path(), *command.split())
        if done.returncode:
            sys.exit(done.stderr)
        log[command] = {"lines": sorted(lines), **{kind: sorted(names) for kind, names in opened.items()}}
    LOG.write_text(json.dumps(log))


if __name__ == "__main__":
    main()
