"""Shared fixtures: a small simulated CK+ tree, made once, and a folder in which a stage can run."""

import stages  # noqa: F401  before any library that it sets up is loaded

# isort: split
import contextlib
import gc
import io
import os
import runpy
import shutil
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

ROOT = Path(__file__).parents[1]
SMALL: dict[str, dict[str, Any]] = {
    "simulate": {"subjects": 4, "sequences": 2, "frames": [5, 7]},
    "portraits": {"people": 2, "pictures": 2},
    "sepconv": {"network": {"width": 2, "widest": 4, "taps": 5}, "schedule": {"steps": 2, "batch": 2}},
    "pretrain": {"people": 12, "lmf": {"width": {"default": 0.0625}, "lstm_layers": 1, "lstm_size": 8,
                                       "schedule": {"batch": 4, "learning_rate": 0.001}}},
    "train": {
        "lmf_actors": {"schedule": {"epochs": 1, "batch": 4, "learning_rate": 0.001}},
        "lmf": {"width": {"default": 0.0625}, "lstm_layers": 1, "lstm_size": 8, "dropout": 0.0,
                "schedule": {"epochs": 1, "batch": 4, "learning_rate": 0.001}},
        "dtagn": {"width": {"default": 0.0625}, "dropout": 0.0, "dtgn_epochs": 1, "joint_epochs": 2,
                  "schedule": {"epochs": 1, "batch": 4, "learning_rate": 0.001}},
    },
    "evaluate": {"draws": 20},
    "machine": {"workers": 1},  # no processes, which would take longer to start than the work
}  # fmt: skip
"""params.yaml of a run that takes seconds: everything real, everything small."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones come first, lest one worker waits for another's; then those that need a finished pipeline.

    Only one worker waits until that is made: the other begins with the second half of the list.
    """
    items.sort(
        key=lambda item: (not item.get_closest_marker("long"), "finished" not in getattr(item, "fixturenames", ()))
    )


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the leaves of ``change``."""
    return base | {
        key: merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in change.items()
    }


def write_params(folder: Path, **change: Any) -> None:
    """The repository's params.yaml, made small, with ``change`` on top, in ``folder``."""
    params = merged(merged(yaml.safe_load((ROOT / "params.yaml").read_text()), SMALL), change)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def run_stage(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What ``python -m stages.<arguments>`` does in ``folder``, within this process: its imports take seconds."""
    modules = [module for name, module in sys.modules.items() if name.startswith("stages.")]
    for value in [value for module in modules for value in vars(module).values()]:
        if hasattr(value, "cache_clear"):  # a new process remembers nothing
            value.cache_clear()
    printed, said = io.StringIO(), io.StringIO()
    status: int | str | None = 0
    with (
        contextlib.chdir(folder), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said),
        pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(),
    ):  # fmt: skip
        patch.setattr(sys, "argv", ["-m", *arguments[1:]])
        warnings.filterwarnings("ignore", message=".* found in sys.modules after import of package")
        try:
            runpy.run_module(f"stages.{arguments[0]}", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            status = end.code
        except Exception:
            status = traceback.format_exc()
        finally:
            gc.unfreeze()  # a stage ends its process, and so leaves all garbage to it
    if isinstance(status, str):
        print(status, file=said)
    code = 1 if isinstance(status, str) else status or 0
    return subprocess.CompletedProcess(arguments, code, printed.getvalue(), said.getvalue())


def start_stage(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``python -m stages.<arguments>`` in ``folder``, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", f"stages.{arguments[0]}", *arguments[1:]],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def shared(factory: pytest.TempPathFactory) -> Path:
    """A folder that all of pytest's worker processes share."""
    return factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CK+ tree of four simulated subjects, two sequences each; read only."""
    folder = shared(tmp_path_factory) / "simulated"
    with FileLock(str(folder) + ".lock"):
        if not folder.is_dir():
            work = tmp_path_factory.mktemp("simulate")
            write_params(work)
            result = run_stage(work, "simulate")
            assert result.returncode == 0, result.stderr
            shutil.move(work / "data/raw/simulated", folder)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout after its first, small ``dvc repro``, made once; read only. The stages that ran are in .ran."""
    from tests.checkout import Checkout

    folder = shared(tmp_path_factory) / "finished"
    with FileLock(str(folder) + ".lock"):
        if not folder.is_dir():
            made = Checkout(tmp_path_factory.mktemp("pipeline"))
            (made.folder / ".ran").write_text("\n".join(made.repro()))
            shutil.move(made.folder, folder)
    return folder


@pytest.fixture
def tree(simulated: Path, tmp_path: Path) -> Path:
    """A copy of the simulated tree that a test may spoil, at ``tmp_path``/ck."""
    return Path(shutil.copytree(simulated, tmp_path / "ck"))


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a stage in ``tmp_path``, on the tree at ``tmp_path``/ck."""
    write_params(tmp_path, dataset={"name": "ckplus", "root": "ck"})

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_stage(tmp_path, *arguments)

    return run
