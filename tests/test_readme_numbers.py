"""The README's numbers are those that the project's commands wrote."""

import re
import subprocess
import sys

import pytest

from benchmarks import variant
from stages.evaluate import poster
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


@pytest.mark.parametrize("command", [it for it in variant.COMMANDS if it not in variant.SILENT])
def test_what_stands_below_a_command_is_what_it_printed(command: str) -> None:
    readme, kept = ((ROOT / name).read_text() for name in ("README.md", "benchmarks/variant.md"))
    (block,) = re.findall(rf"^```\n{re.escape(command)}\n.*?^```$", readme, re.MULTILINE | re.DOTALL)
    assert block in kept, "python -m benchmarks.variant renews it"


def test_the_metrics_shown_are_those_of_the_last_run() -> None:
    done = subprocess.run([sys.executable, "-m", "dvc", "metrics", "show", "--md"], cwd=ROOT, capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert done.stdout.strip() in (ROOT / "README.md").read_text(), "python -m benchmarks.variant renews it"


def test_numbers_in_sentences() -> None:
    """How many sequences and people there were, how far landmarks are off, and what the poster says."""
    prose = re.sub(r"^```.*?^```|^\|[^\n]*$", "", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    ((sequences, people),) = re.findall(r"\((\d+) sequences of (\d+) people, ten folds\)", prose)
    assert f"{sequences} of {sequences} sequences of {people} subjects" in (ROOT / "results/table.md").read_text()
    written = " ".join((ROOT / f"benchmarks/{name}.md").read_text() for name in ("landmarks", "interpolation"))
    lengths = re.findall(r"\d\.\d+(?= px)", prose)
    assert lengths
    assert [length for length in lengths if length not in written] == []
    printed = {f"{cell.percent:.0f}" for cell in poster.TABLE.values()} | {str(poster.TOTAL)}
    assert set(re.findall(r"poster's (\d+)", prose)) <= printed
