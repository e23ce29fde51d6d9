"""The numbers of the README and of docs/ are those that commands wrote; sentences have none."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

README = ROOT / "README.md"
MEASURED = {ROOT / "docs/results.md", ROOT / "docs/scale.md"}
"""Pages of measurements: the first is written by a command and held by test_results."""
PAGES = [README, *sorted({*ROOT.glob("docs/*.md")} - MEASURED)]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
ALLOWED = {*re.findall(r'Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text())}
"""Numbers that may stand in a sentence, beside years: Python's versions (test_readme holds them)."""
NUMBER = re.compile(r"(?<![\w-])\d[\d.,]*(?<![.,])(?![\w-])")


def rows(text: str) -> list[str]:
    """The lines of Markdown tables, without the spaces and dashes that only align them."""
    return [re.sub(r"\s+|-{3,}", " ", line).strip() for line in text.splitlines() if line.startswith("|")]


def numbers(text: str) -> list[str]:
    """The numbers in a text that are neither code, nor a part of an address, nor allowed anywhere."""
    plain = re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+|<[^>]*>|\b20[0-2]\d\b|CAS\(ME\)\^\d", "", text)
    return [number for number in NUMBER.findall(plain) if number not in ALLOWED]


def test_the_results_table_is_the_one_of_the_last_run() -> None:
    table = rows((ROOT / "results/table.md").read_text().split("# Intervals")[0])
    shown = rows(README.read_text())
    assert shown[: len(table)] == table, "copy the first table of results/table.md"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_row_with_numbers_was_written_by_a_command(page: Path) -> None:
    files = [*ROOT.glob("results/*.md"), *ROOT.glob("benchmarks/*.md")]
    written = {row for file in files for row in rows(file.read_text())}
    assert [row for row in rows(page.read_text()) if numbers(row) and row not in written] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_number_stands_in_a_sentence(page: Path) -> None:
    sentences = re.sub(r"^```.*?^```$|^\|[^\n]*$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert numbers(sentences) == [], "say it in words, or link to docs/results.md"


def test_a_number_is_seen() -> None:
    text = "in 2013, of 68-point `5` [x](a3.md) 7%, 1,000 and 3.2; at 3.11, ICCV 2015. Then 4."
    assert numbers(text) == ["7", "1,000", "3.2", "4"]
