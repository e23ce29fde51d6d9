"""Which of this repository's files a command runs, by the imports that stand in them."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = (".html", ".json", ".npz")


def module_file(module: str, root: Path = ROOT) -> Path | None:
    """The file of a module of this repository, or None for a library's."""
    path = root.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def imported(file: Path) -> set[str]:
    """The modules that a file imports, wherever in it the import stands."""
    modules = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            modules |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


def is_empty(file: Path) -> bool:
    """Whether a file holds a docstring and nothing else, so that no change of it matters."""
    return len(ast.parse(file.read_text()).body) <= 1


def files_of(command: str, root: Path = ROOT) -> list[Path]:
    """All files of this repository that ``python -m MODULE ...`` runs, directly or not, without empty ones, by name.

    With the data files in the same folder that their code names, such as a page's template. The model that
    ``python -m stages.train MODEL`` names is imported by that name.
    """
    words = command.split()
    assert words[:2] == ["python", "-m"], command
    start = module_file(f"{words[2]}.__main__", root) or module_file(words[2], root)
    assert start is not None, command
    todo, done = {start}, set()
    if words[2] == "stages.train":
        todo.add(root / f"stages/train/{words[3]}.py")
    while todo:
        file = todo.pop()
        done.add(file)
        packages = {folder / "__init__.py" for folder in file.parents if folder.is_relative_to(root / "stages")}
        modules = {found for module in imported(file) if (found := module_file(module, root)) is not None}
        todo |= (packages | modules) - done
    data = {other for file in done for other in file.parent.iterdir()
            if other.suffix in DATA and other.name in file.read_text()}  # fmt: skip
    return sorted({file for file in done if not is_empty(file)} | data)
