"""The README's numbers are those that the project's commands wrote."""

import re

import pytest

from tests.conftest import ROOT

PRINTED = [*ROOT.glob("results/*.md"), *ROOT.glob("benchmarks/*.md")]
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def rows(text: str) -> list[str]:
    """The lines of Markdown tables that hold a number, without the spaces that only align them."""
    lines = [re.sub(r"\s+", " ", line.strip()) for line in text.splitlines() if line.lstrip().startswith("|")]
    return [line for line in lines if re.search(r"\d", line)]


@pytest.mark.parametrize("row", rows((ROOT / "README.md").read_text()))
def test_a_number_in_a_table_was_written_by_a_command(row: str) -> None:
    written = {float(number) for file in PRINTED for number in NUMBER.findall(file.read_text())}
    for number in NUMBER.findall(row):
        digits = len(number.partition(".")[2])
        assert any(round(value, digits) == float(number) for value in written), f"{number} in {row}"


def test_the_results_table_is_the_one_of_the_last_run() -> None:
    table = (ROOT / "results/table.md").read_text().split("# Intervals")[0]
    assert set(rows(table)) <= set(rows((ROOT / "README.md").read_text()))
