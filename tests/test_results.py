"""The page of all measured results, and the benchmarks that wrote what stands there."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from benchmarks import interpolation, project, results
from stages.synthesize.weights import UNTRAINED
from stages.tables.errors import UserError
from tests.conftest import ROOT, write_params

BENCHMARKS = [file.stem for file in sorted(ROOT.glob("benchmarks/*.py")) if "\ndef main()" in file.read_text()]
HELP = {f"python -m benchmarks.{name} --help" for name in BENCHMARKS}
"""What other tests need not run again."""


def test_the_page_is_made_of_the_files_as_they_are() -> None:
    assert results.PAGE.read_text() == results.page(), "python -m benchmarks.results renews it"


def test_every_result_is_on_the_page_with_the_command_that_wrote_it() -> None:
    files = [*ROOT.glob("results/*.md"), *ROOT.glob("benchmarks/*.md")]
    assert {str(file.relative_to(ROOT)) for file in files} <= set(results.BLOCKS)
    for name, (command, figure) in results.BLOCKS.items():
        if name.startswith("benchmarks/"):
            python, flag, module = command.split()[:3]
            assert (python, flag) == ("python", "-m")
            assert f'"{Path(name).stem}"' in (ROOT / f"{module.replace('.', '/')}.py").read_text(), "it writes the file"
        assert figure is None or (ROOT / "benchmarks" / figure).is_file()
    figures = {file.name for kind in ("png", "svg") for file in ROOT.glob(f"benchmarks/*.{kind}")}
    assert figures == {figure for _, figure in results.BLOCKS.values() if figure}


def test_no_number_on_the_page_contradicts_another() -> None:
    """What the last run's table says of a method, the tables of several runs on the same people say too."""
    (row,) = re.findall(r"^\| Linear SVM .*%\s*\|$", (ROOT / "results/table.md").read_text(), re.MULTILINE)
    mixed = re.findall(r"(\d+\.\d\d) ±", row)[0]
    for name in ("seeds", "methods"):
        text = (ROOT / f"benchmarks/{name}.md").read_text()
        assert mixed in text or "not measured again since" in " ".join(text.split())


@pytest.mark.parametrize("name", BENCHMARKS)
def test_help_needs_no_run(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["-m", "--help"])
    monkeypatch.delitem(sys.modules, f"benchmarks.{name}", raising=False)  # it runs as __main__, as python -m does it
    with pytest.raises(SystemExit) as end:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
    assert not end.value.code
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: python -m benchmarks.{name} [-h]")
    assert f"    python -m benchmarks.{name}" in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("untrained", [False, True])
def test_interpolation_leaves_out_what_has_no_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], untrained: bool
) -> None:
    """As after a run with the default interpolator."""
    write_params(tmp_path)
    if untrained:
        (tmp_path / "data/interim").mkdir(parents=True)
        (tmp_path / "data/interim/sepconv.safetensors").write_bytes(UNTRAINED)
    monkeypatch.chdir(tmp_path)
    ways = interpolation.chosen()
    assert list(ways) == interpolation.measured(ways) == ["average", "flow", "rife"]
    left_out = capsys.readouterr().err
    assert left_out.startswith("sepconv is left out: data/interim/sepconv.safetensors: ")
    assert "run dvc repro data/dvc.yaml:interpolator" in left_out or not untrained


def test_accuracies_are_not_rounded_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """143432 of 177000 answers are 81.0350282%; the six digits of the table alone would give 81.03."""
    write_params(tmp_path, evaluate={"draws": 1000})
    (tmp_path / "results").mkdir()
    (tmp_path / "results/table.csv").write_text(
        "method,set,total,mean\nSVM,general,177,0.903955\nSVM,micro,177,0.717514\nSVM,mixed,177,0.810350\n"
    )
    monkeypatch.setattr(project, "run", lambda command, folder: "")
    table = project.percent(tmp_path, "train.seed=2017")
    assert table.map("{:.2f}".format).loc["SVM"].to_dict() == {"general": "90.40", "micro": "71.75", "mixed": "81.04"}


def test_a_copy_needs_a_finished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "ROOT", tmp_path)
    with pytest.raises(UserError, match=r"^dvc.lock: not found; run make reproduce first$"), project.copied():
        pass
