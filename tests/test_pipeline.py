"""The whole pipeline, small but real, through the commands that its users type."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.checkout import FOLDS, Checkout
from tests.conftest import run_stage


@pytest.fixture(scope="module")
def reproduced(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout.copy(finished, tmp_path_factory.mktemp("repro") / "checkout")


def test_the_first_run_ran_every_stage(finished: Path) -> None:
    train = {f"train-{model}@{fold}" for model in ("lmf", "lmf_actors", "dtagn") for fold in FOLDS} | {"train-svm"}
    data = {f"data/dvc.yaml:{name}" for name in ("simulate", "portraits", "interpolator")}
    data |= {"networks/dvc.yaml:pretrain"}
    rest = data | {"ingest", "synthesize", "landmark", "featurize", "evaluate", "report"}
    assert set((finished / ".ran").read_text().split()) == train | rest
    times = {file.stem: json.loads(file.read_text()) for file in (finished / "results/times").glob("*.json")}
    assert set(times) == {name.rpartition(":")[2] for name in train | rest}
    assert all(0 < time["seconds"] < 500 and 5e7 < time["memory"] < 3e9 for time in times.values())


def test_the_table_counts_every_sequence(reproduced: Checkout) -> None:
    table = pd.read_csv(reproduced.folder / "results/table.csv")
    cells = table.set_index(["method", "set"])
    for method in ("DTAGN", "LMF-FER", "Joint framework"):
        for kind in ("general", "micro"):
            assert cells.loc[(method, kind), "total"] == 8
    text = (reproduced.folder / "results/table.md").read_text()
    assert all(value in text for value in ("93.88", "77.98", "88.69")), "the poster's values stand beside ours"


def test_an_unchanged_pipeline_does_nothing(reproduced: Checkout) -> None:
    assert reproduced.repro() == set()
    assert "up to date" in reproduced.run("dvc", "status")


def test_one_parameter_trains_sepconv_and_another_brings_weights_from_elsewhere(reproduced: Checkout) -> None:
    learned = {"data/dvc.yaml:portraits", "data/dvc.yaml:interpolator"}
    reproduced.params(synthesize={"interpolator": "sepconv"})
    assert reproduced.repro("synthesize") == learned | {"synthesize"}
    assert "interpolator" in reproduced.run("dvc", "dag", "--md", "synthesize")
    reproduced.params(synthesize={"interpolator": "sepconv", "weights": "/elsewhere/network-l1.pytorch"})
    assert "interpolator" not in reproduced.run("dvc", "dag", "--md", "synthesize"), "nothing is trained"
    reproduced.params()
    assert reproduced.repro() == set(), "the micro sequences of the default come from the cache"


@pytest.mark.long
def test_the_flow_gives_the_same_bytes_as_dvc_from_scratch(
    reproduced: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> None:
    checkout = Checkout(tmp_path_factory.mktemp("flow"))
    checkout.params(machine={"workers": 2})  # which no byte depends on either
    printed = checkout.run("lmf_fer", "reproduce", "--workers", "2")
    assert "Joint framework" in printed
    ours, theirs = checkout.results(), reproduced.results()
    assert ours.keys() == theirs.keys()
    different = [name for name in ours if ours[name] != theirs[name]]
    assert not different
    assert checkout.repro() == set()


def test_real_data_never_runs_the_simulation(finished: Path, simulated: Path, tmp_path: Path) -> None:
    """Three of four subjects, two of them with the same emotion: fewer subjects than folds, most classes missing."""
    tree = Path(shutil.copytree(simulated, tmp_path / "elsewhere"))
    shutil.rmtree(tree / "cohn-kanade-images/S002")
    for label in (tree / "Emotion").rglob("*_emotion.txt"):
        label.write_text("   5.0000000e+00\n" if label.name.startswith("S001") else "   7.0000000e+00\n")
    checkout = Checkout.copy(finished, tmp_path / "checkout")
    checkout.params(dataset={"name": "ckplus", "root": str(tree)})
    shutil.rmtree(checkout.folder / "data/raw")
    planned = checkout.run("dvc", "repro", "--dry", "--force")
    assert "Running stage 'ingest'" in planned
    assert "simulate'" not in planned
    for made in ("data/interim", "data/features", "results"):
        shutil.rmtree(checkout.folder / made)
    for command in re.findall(r"> python -m stages\.(.+)", planned):
        done = run_stage(checkout.folder, *command.split())
        assert done.returncode == 0, done.stderr
    assert not (checkout.folder / "data/raw/simulated").exists()
    cells = pd.read_csv(checkout.folder / "results/table.csv").set_index(["method", "set"])
    assert cells.loc[("LMF-FER", "general"), "total"] == 6
