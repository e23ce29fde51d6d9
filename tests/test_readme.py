"""Every command that the README shows exists and runs: a fresh reader's first hour."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import Checkout
from tests.conftest import ROOT

SEQUENCE = "data/raw/simulated/cohn-kanade-images/S001/001"
AS_SHOWN = [
    "dvc repro",
    "dvc repro landmark",
    "dvc status",
    "git add results/table.* dvc.lock data/dvc.lock params.yaml",
    "dvc metrics show --md",
    "dvc metrics diff --md",
    "dvc exp show --md --only-changed --drop 'Created|stages|data|results|.*(sd|correct|general)'",
    "python -m flows.compare HEAD",
    "dvc plots show",
    f"python -m stages.predict {SEQUENCE} --video --strip",
    "python -m flows.supply licences",
    "make",
]
INSTEAD = {
    "make reproduce": ("make -n -o .venv/.ready reproduce", "test_flows runs the flow; an environment takes minutes"),
    "make test-all": ("make -n -o .venv/.ready test-all", "this is it"),
    "make test": ("make -n -o .venv/.ready test", "this is it"),
    "make doctor": ("python -m flows.doctor", "make would make an environment first"),
    "make verify": ("make -n -o .venv/.ready verify", "reads gigabytes; test_supply does it on one package"),
    "make predict CLIPS='my-clips holiday.mp4'": (
        "make -n -o .venv/.ready predict CLIPS='my-clips holiday.mp4'", "nobody has these clips"),
    "git commit -m 'The default run'": ("git commit --allow-empty -m 'The default run'", "it is committed already"),
    "dvc exp run -S train.profile=paper": (
        "dvc repro --dry", "hours on a CPU; test_train has an epoch of each, among the slow tests"),
    "python -m stages.transfer /path/to/CK+": ("python -m stages.transfer --help", "test_transfer runs it"),
    "python -m benchmarks.training": ("python -m benchmarks.training --help", "minutes"),
    "python -m benchmarks.methods ckplus aam aam-flow": ("python -m benchmarks.methods --help", "minutes"),
    "python -m benchmarks.seeds 2017 2018 2019": ("python -m benchmarks.seeds --help", "minutes"),
    "dvc exp run -n whole -S train.dtagn.part=1.0": (
        "dvc exp run -n whole -S evaluate.micro_share=0.25 evaluate", "trains; test_pipeline changes such parameters"),
    "python -m flows.reproduce --workers 2": ("python -m flows.reproduce --help", "test_flows runs it"),
    "python -m benchmarks.bad_input": ("python -m benchmarks.bad_input --help", "test_bad_input has a sample"),
    "python -m benchmarks.kill": ("python -m benchmarks.kill --help", "minutes; test_kill has two moments"),
    "python -m benchmarks.variant": ("python -c 'import benchmarks.variant'", "minutes"),
    "python -m benchmarks.interpolation": ("python -c 'import benchmarks.interpolation'", "minutes"),
    "python -m flows.supply lock": ("python -m flows.supply --help", "asks the package index"),
    "git clone <this repository>": ("git --version", "a clone is what the reader has"),
    "cd lmf-fer": ("true", "a clone is what the reader has"),
    "python -m flows.reproduce": ("python -m flows.reproduce --help", "test_flows runs it"),
    "python -m flows.reproduce -S train.seed=2018": ("python -m flows.reproduce --help", "test_flows runs it"),
    "make ui": ("make -n -o .venv/.ready ui", "stays; test_flows opens the page"),
    "make ui PORT=4300": ("make -n -o .venv/.ready ui PORT=4300", "stays"),
    "source .venv/bin/activate": ("true", "make makes it"),
    "pip install --require-hashes -r hashes.txt": ("pip install --help", "installs"),
}  # fmt: skip
"""What is run instead of a command that takes long or needs what a test does not have, and why."""

COMMAND = re.compile(r"^(?:make|dvc|git|cd|python|prefect|source|pip)(?=\s|$)(?! and)")


def shown() -> list[str]:
    """The commands of the README's code blocks and between backticks, each once, without comments."""
    text = (ROOT / "README.md").read_text()
    block = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
    outside = block.sub("", text)
    lines = [line for language, code in block.findall(text) if not language for line in code.splitlines()]
    lines += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", outside) if " " in code or code == "make"]
    parts = [part.split("  #")[0].strip().replace('"', "'") for line in lines for part in line.split(" && ")]
    return list(dict.fromkeys(part for part in parts if COMMAND.match(part)))


@pytest.fixture(scope="module")
def checkout(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    copy = Checkout.copy(finished, tmp_path_factory.mktemp("readme") / "checkout")
    copy.commit()
    return copy


def test_every_command_is_known_here() -> None:
    found = set(shown())
    assert len(found) > 15
    assert found == set(AS_SHOWN) | set(INSTEAD), "the README and this list show the same commands"


@pytest.mark.parametrize("command", [*AS_SHOWN, *INSTEAD])
def test_the_command_runs(checkout: Checkout, command: str) -> None:
    line = INSTEAD[command][0] if command in INSTEAD else command
    environment = checkout.environment
    if "benchmarks" in line:
        environment |= {"PYTHONPATH": str(ROOT)}  # a checkout for tests has no tests
    done = subprocess.run(
        line, shell=True, cwd=checkout.folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr


def test_the_readme_s_python_runs(checkout: Checkout) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    before = f"""
import cv2, numpy as np, pathlib
frames = np.stack([cv2.imread(str(file)) for file in sorted(pathlib.Path("{SEQUENCE}").glob("*.png"))])
"""
    done = subprocess.run([sys.executable, "-c", before + code], cwd=checkout.folder, env=checkout.environment,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
