"""Pretraining on actors: the same bytes again, nothing of a data set, and the rows that it leads to."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from stages.pretrain import __main__ as stage
from stages.pretrain.learning import FIRST, Batches, learn
from stages.pretrain.params import Pretrain
from stages.simulate.params import Variety
from stages.simulate.portraits import film
from stages.tables import params, parquet, schema
from stages.tables.methods import LMF_FER_ACTORS
from stages.train import lmf, lmf_actors, weights
from stages.train.checkpoint import Checkpoint
from stages.train.optimise import Trainer
from tests.conftest import ROOT, run_stage, start_stage, write_params
from tests.test_train import rows, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_params(tmp_path)
    return tmp_path


@pytest.fixture
def settings(folder: Path) -> Pretrain:
    return params.read(Pretrain, folder / "params.yaml")


@pytest.fixture
def variety(folder: Path) -> Variety:
    return params.line("simulate.variety", Variety, folder / "params.yaml")


def trained(settings: Pretrain, batches: Batches, **more: Any) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return dict(learn(settings, batches, Trainer(**more)).state_dict())


def test_the_stage_writes_the_same_bytes_again_and_other_seeds_other_ones(folder: Path) -> None:
    contents = []
    for seed, run in ((2017, start_stage), (2017, run_stage), (2018, run_stage)):  # in a process of its own, and here
        write_params(folder, pretrain={"seed": seed})
        done = run(folder, "pretrain")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("pretrain: 12 actors, 1 times, loss ")
        contents.append((folder / stage.NETWORK).read_bytes())
    assert contents[0] == contents[1] != contents[2]
    shipped = weights.load(folder / stage.NETWORK)
    assert isinstance(shipped.network, lmf.LmfFer)
    about = shipped.about["actors"]
    assert (about["people"], about["frames"], about["seed"]) == (12, [9, 23], 2018)
    assert about["variety"] == params.line("simulate.variety", Variety, folder / "params.yaml").model_dump()
    assert not list(folder.glob("networks/*.checkpoint"))


def test_neither_chunks_nor_a_kill_change_a_bit(
    settings: Pretrain, variety: Variety, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings.model_copy(update={"people": 22, "lmf": twice(settings.lmf)})
    whole = trained(settings, Batches(settings, variety))
    for chunk in (1, 8, 12):
        again = trained(settings, Batches(settings, variety, chunk))
        assert all(torch.equal(again[name], value) for name, value in whole.items()), chunk
    write = Checkpoint.write

    def killed(self: Checkpoint, part: str, history: dict[str, list[float]], *state: Any) -> None:
        write(self, part, history, *state)
        if len(history[part]) == 7:
            raise InterruptedError

    kept: dict[str, Any] = {"checkpoint": tmp_path / "c", "key": "one"}
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "write", killed)
        with pytest.raises(InterruptedError):
            trained(settings, Batches(settings, variety), pause=0, **kept)
    again = trained(settings, Batches(settings, variety), **kept)
    assert all(torch.equal(again[name], value) for name, value in whole.items())


def twice(config: lmf.Config) -> lmf.Config:
    return config.model_copy(update={"schedule": config.schedule.model_copy(update={"epochs": 2})})


def test_an_epoch_sees_each_actor_once_and_the_next_one_the_same(settings: Pretrain, variety: Variety) -> None:
    batches = Batches(settings, variety, chunk=8)
    assert (batches.steps, batches.size) == (3, 4)
    first, second = ([batches(step)[0][:, 0].numpy() for step in range(n, n + 3)] for n in (0, 3))
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(np.concatenate(first).reshape(12, -1), axis=0)) == 12
    points, frames, truth = batches(1)
    assert points.dtype == torch.float32
    assert points.shape == (4, points.shape[1], 68, 2)
    assert frames.max() <= points.shape[1]
    assert set(truth.tolist()) <= set(range(7))


def test_actors_have_other_numbers_than_everybody_who_is_rendered() -> None:
    """NumPy fills a short seed up with zeros: [seed, number] and [seed, number, 0] are the same people."""
    alike = [np.random.default_rng(seed).random() for seed in ([2017, 5], [2017, 5, 0])]
    assert alike[0] == alike[1]
    assert FIRST > film.FIRST + 1_000_000
    assert FIRST + 100_000_000 < 2**32, "one word of the seed"


def test_too_few_people_are_refused(folder: Path) -> None:
    write_params(folder, pretrain={"people": 3})
    done = run_stage(folder, "pretrain")
    assert done.returncode == 1
    assert "people must be as many as lmf.schedule.batch at least" in done.stderr


def test_fine_tuning_starts_from_the_shipped_network_and_learns_nothing_of_the_tested(folder: Path) -> None:
    """Labels of the tested subjects change no bit, of neither the shipped network nor of what it becomes."""
    name = "results/models/lmf_actors-1.safetensors"
    write(folder, *rows())
    contents = []
    for label in (None, 7):
        tables = rows()
        for table in tables:
            table.loc[(table["fold"] == 1) & (label is not None), "emotion"] = label
        write(folder, *tables)
        (folder / stage.NETWORK).unlink(missing_ok=True)
        for command in (["pretrain"], ["train", "lmf_actors", "1"]):
            done = run_stage(folder, *command)
            assert done.returncode == 0, done.stderr
        contents.append([(folder / file).read_bytes() for file in (stage.NETWORK, name)])
    assert contents[0] == contents[1]
    answers = parquet.read(folder / "results/predictions/lmf_actors-1.parquet", schema.PREDICTIONS)
    assert set(answers["method"]) == {LMF_FER_ACTORS}
    assert set(answers["subject"]) == {"S001", "S003"}
    tuned, shipped = weights.load(folder / name), weights.load(folder / stage.NETWORK)
    assert isinstance(tuned.network, lmf_actors.FineTuned)
    assert shipped.network is not None
    before, after = shipped.network.state_dict(), tuned.network.state_dict()
    difference = max(float((after[key] - before[key]).abs().max()) for key in before if key.endswith("weight"))
    assert 0 < difference < 0.01, "two steps from the shipped weights"
    (folder / stage.NETWORK).write_bytes(b"x")
    done = run_stage(folder, "train", "lmf_actors", "1")
    assert done.returncode == 1
    assert "not a readable file of weights" in done.stderr


def test_another_shipped_network_is_another_training(folder: Path) -> None:
    """A checkpoint of before is of no use then."""
    keys = []
    write(folder, *rows())
    for seed in (1, 2):
        write_params(folder, pretrain={"seed": seed})
        assert run_stage(folder, "pretrain").returncode == 0
        code = (
            "from pathlib import Path; from stages.tables import params; from stages.train import lmf_actors as model;"
            "import pandas as pd; rows = pd.DataFrame({'subject': []}); table = Path('data/features/lmf.parquet');"
            "print(model.RUN('lmf_actors', 0, params.read(model.Config), rows, table).trainer.key)"
        )
        keys.append(run_code(folder, code))
    assert keys[0] != keys[1]


def run_code(folder: Path, code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}).stdout  # fmt: skip


def test_every_line_of_the_section_is_the_pretraining_s_own(folder: Path) -> None:
    """So that nothing that is changed for a data set trains the shipped network again."""
    entry = yaml.safe_load((ROOT / "networks/dvc.yaml").read_text())["stages"]["pretrain"]
    assert entry["params"] == ["pretrain", "simulate.variety"]
    assert entry["outs"] == [{str(stage.NETWORK): {"cache": False}}]
    assert {"stages/simulate/actors/landmark_errors.npz", "stages/simulate/simulated_landmarks68.json"} <= set(
        entry["deps"]
    )
    assert not any(path.startswith(("data/", "results/")) for path in entry["deps"])
