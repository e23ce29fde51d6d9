"""What a benchmark wrote, for the page: the sentences and the tables of its Markdown file."""

from __future__ import annotations

from typing import NamedTuple


class Grid(NamedTuple):
    """A table: its title (empty where the file gives none), the names of its columns, and its rows."""

    title: str
    head: list[str]
    rows: list[list[str]]


class Benchmark(NamedTuple):
    """``notes`` are the file's sentences in their order, ``tables`` its tables."""

    notes: list[str]
    tables: list[Grid]


def parse(text: str) -> Benchmark:
    """Reads what benchmarks/*.py write: paragraphs, tables, and titles of tables in bold. Headings are left out."""
    notes, tables, title = [], [], ""
    for block in filter(None, map(str.strip, text.split("\n\n"))):
        if block.startswith("|"):
            lines = [line.strip().removeprefix("|").removesuffix("|").split("|") for line in block.splitlines()]
            head, _, *rows = [[cell.strip() for cell in line] for line in lines]
            tables.append(Grid(title, head, rows))
            title = ""
        elif block.startswith("**"):
            title = block.strip("*")
        elif not block.startswith("#"):
            notes.append(" ".join(block.split()))
    return Benchmark(notes, tables)
