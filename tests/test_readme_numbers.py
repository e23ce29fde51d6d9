"""The README's numbers are those that the project's commands wrote."""

import json
import re
import subprocess
import sys

import pytest

from benchmarks import training, variant
from stages.evaluate import poster
from stages.predict import predictor
from stages.tables import panel
from stages.tables.datasets import DATASETS
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


def test_every_number_in_a_sentence_is_accounted_for() -> None:
    prose = re.sub(r"^```.*?^```|^\|[^\n]*$", "", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)|http://\S+|\b20\d\d\b", "", prose)  # code, addresses, years
    run, options = json.loads((ROOT / "results/table.json").read_text()), panel.read(ROOT / "params.yaml")
    written = " ".join((ROOT / f"benchmarks/{name}.md").read_text() for name in ("interpolation", "training"))
    table = {line.split("|")[1].strip(): line.split("|")[2:6] for line in rows((ROOT / "README.md").read_text())}
    apart = [abs(float(a) - float(b)) for a, b in zip(table["flow"], table["sepconv"], strict=True)]
    clips = {str(sum(DATASETS[name].classes.values())) for name in ("casme2", "samm", "smic")}
    accounts = {
        r"Python ([\d.]+) or newer": set(re.findall(r'-python = ">=(.*)"', (ROOT / "pyproject.toml").read_text())),
        r"(\d+) people": {str(run["dataset"]["subjects"])},
        r"(\d+) sequences of": {str(run["dataset"]["sequences"])},
        r"on CK\+'s (\d+)\.": {str(poster.TOTAL)},
        r"poster's (\d+)%": {f"{cell.percent:.0f}" for cell in poster.TABLE.values()},
        r"([\d,]+) (?:draws|tosses)": {f"{options['evaluate']['draws']:,}"},
        r"for (\d+) sequences\.": {str(training.SEQUENCES)},
        r"reaches (\d+%) of": set(re.findall(r"\d+%", written)),
        r"its (\d+), (\d+) and (\d+) clips": clips,
        r"of (\d+) to (\d+) frames": {str(predictor.SHORTEST), str(predictor.LONGEST)},
        r"(\d\.\d+) px": set(re.findall(r"\d\.\d+", written)),
        r"differ by (\d\.\d) dB": {f"{max(apart):.1f}"},
        r"average at (\d) px": set(re.findall(r"warp of (\d) px", written)),
    }  # fmt: skip
    prose = " ".join(prose.split())
    for pattern, known in accounts.items():
        found = {number for match in re.finditer(pattern, prose) for number in match.groups()}
        assert found, pattern
        assert found <= known, pattern
        prose = re.sub(pattern, "", prose)
    assert re.findall(r".{20}(?<![\w-])\d[\d.,]*(?![\w-]).{10}", prose) == []
