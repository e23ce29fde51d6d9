"""The house rules that code can check: what rooms import, and that dvc.yaml tells the cache the truth about it."""

import ast
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.stage import PipelineStage

ROOT = Path(__file__).parents[1]
VISITOR = "predict"
"""Uses what every room can do, for clips that are in no table; so it is no stage, and no room may use it."""


def module_file(module: str) -> Path | None:
    """The file of a module of this repository, or None for a library's."""
    path = ROOT.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def imported(file: Path) -> set[str]:
    """The modules that a file imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def reached(start: set[Path]) -> set[Path]:
    """All files of this repository that running ``start`` imports, directly or not, packages included."""
    todo, done = set(start), set()
    while todo:
        file = todo.pop()
        done.add(file)
        files = {module_file(module) for module in imported(file)} | {file.parent / "__init__.py"}
        todo |= {found for found in files if found is not None and found.is_file()} - done
    return done - {ROOT / "stages/__init__.py"}


def declared() -> list[PipelineStage]:
    with Repo(str(ROOT)) as repo:
        return [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]


def test_the_stages_package_itself_is_only_a_docstring() -> None:
    assert len(ast.parse((ROOT / "stages/__init__.py").read_text()).body) == 1


@pytest.mark.parametrize("stage", declared(), ids=lambda stage: stage.name)
def test_a_stage_depends_on_exactly_the_code_it_runs(stage: PipelineStage) -> None:
    words = stage.cmd.split()
    assert words[:2] == ["python", "-m"]
    start = {module_file(f"{words[2]}.__main__") or module_file(words[2]) or ROOT / words[2]}
    if words[2] == "stages.train":  # the model's file is imported by name
        start.add(ROOT / f"stages/train/{words[3]}.py")
    code = [Path(dep.fs_path) for dep in stage.deps if (ROOT / "stages") in Path(dep.fs_path).parents]
    covered = {file for path in code for file in ([path] if path.is_file() else path.rglob("*.py"))}
    needed = reached(start)
    assert needed <= covered, f"runs {sorted(map(str, needed - covered))} without depending on them"
    idle = [path for path in code if not any(path == file or path in file.parents for file in needed)]
    assert not idle, f"depends on {sorted(map(str, idle))} without running them"


@pytest.mark.parametrize("room", sorted(p.name for p in (ROOT / "stages").iterdir() if (p / "__init__.py").is_file()))
def test_a_room_imports_only_itself_and_the_tables(room: str) -> None:
    for file in (ROOT / "stages" / room).rglob("*.py"):
        for module in imported(file):
            if module.split(".")[0] in ("flows", "prefect", "dvc"):
                allowed = room == "report" and module.split(".")[0] == "dvc"  # it draws DVC's graph
                assert allowed, f"{file} imports {module}"
            if module.startswith("stages."):
                allowed = room == VISITOR or module.split(".")[1] in (room, "tables")
                assert allowed, f"{file} imports {module}"


def test_the_visitor_is_no_stage() -> None:
    for stage in declared():
        assert not any(f"stages/{VISITOR}" in Path(dep.fs_path).as_posix() for dep in stage.deps)
        assert f"stages.{VISITOR}" not in stage.cmd
