"""The house rules that code can check: what stages import, and that dvc.yaml tells the cache the truth about them."""

import re
from pathlib import Path

import networkx as nx
import pytest
from dvc.repo import Repo
from dvc.stage import PipelineStage

from tests.conftest import ROOT
from tests.imports import files_of, imported, is_empty, module_file

PACKAGES = ("stages", "flows", "lmf_fer", "benchmarks")
LENT = {"pretrain": ("simulate.actors", "simulate.assets", "simulate.params", "train")}
"""The one exception: a table of actors would be gigabytes, so pretraining imports who they are and what they teach."""
STAGES = sorted(path.name for path in (ROOT / "stages").iterdir() if (path / "__init__.py").is_file())


def declared() -> list[PipelineStage]:
    with Repo(str(ROOT)) as repo:
        return [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]


def one_of_each() -> list[PipelineStage]:
    """The stages, of those that differ only in their fold the first."""
    return list({stage.name.partition("@")[0]: stage for stage in reversed(declared())}.values())


@pytest.mark.parametrize("stage", one_of_each(), ids=lambda stage: stage.name)
def test_a_stage_depends_on_exactly_the_files_that_it_runs(stage: PipelineStage) -> None:
    paths = [Path(dep.fs_path).relative_to(ROOT) for dep in stage.deps if Path(dep.fs_path).is_relative_to(ROOT)]
    code = {path for path in paths if path.parts[0] == "stages"}
    runs = {file.relative_to(ROOT) for file in files_of(stage.cmd)}
    assert code == runs, f"dvc.yaml, {stage.name}: add {sorted(runs - code)}, remove {sorted(code - runs)}"


def test_all_folds_of_a_model_are_declared_alike() -> None:
    kinds: dict[str, set[tuple[str, ...]]] = {}
    for stage in declared():
        code = tuple(sorted(dep.def_path for dep in stage.deps if dep.def_path.startswith("stages/")))
        kinds.setdefault(stage.name.partition("@")[0], set()).add(code)
    assert all(len(codes) == 1 for codes in kinds.values())


def test_package_files_hold_a_docstring_and_nothing_else() -> None:
    """But for the first of them, which every stage names, since it sets how libraries compute."""
    full = [file for file in (ROOT / "stages").rglob("__init__.py") if not is_empty(file)]
    assert full == [ROOT / "stages/__init__.py"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_itself_and_the_tables(stage: str) -> None:
    for file in (ROOT / "stages" / stage).rglob("*.py"):
        for module in imported(file):
            top, _, rest = module.partition(".")
            assert top not in ("flows", "lmf_fer", "benchmarks", "tests", "prefect"), f"{file} imports {module}"
            assert top != "dvc" or file.name == "pipeline.py", f"{file} imports {module}"
            if top == "stages" and rest:
                allowed = (stage, "tables", *LENT.get(stage, ()))
                assert f"{rest}.".startswith(tuple(f"{name}." for name in allowed)), f"{file} imports {module}"


def test_flows_and_commands_do_not_import_each_other_in_circles() -> None:
    for file in (ROOT / "flows").rglob("*.py"):
        assert not any(module.split(".")[0] == "lmf_fer" for module in imported(file)), file


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = nx.DiGraph()
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            graph.add_edges_from((file, other) for module in imported(file) if (other := module_file(module)))
    graph.remove_edges_from([(file, other) for file, other in graph.edges if other.name == "__init__.py"])
    assert list(nx.simple_cycles(graph)) == []


def test_nothing_names_the_words_of_the_old_house() -> None:
    """A stranger reads the field's words, and no private ones."""
    private = re.compile(r"\b(RoomError|rooms?|visitors?|panel|lots|said|watched)\b", re.IGNORECASE)
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    files += [*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "params.yaml", ROOT / "dvc.yaml"]
    hits = [f"{file.relative_to(ROOT)}: {line.strip()}" for file in files
            for line in file.read_text().splitlines() if private.search(line)]  # fmt: skip
    assert hits == []
