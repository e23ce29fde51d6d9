"""Training on one data set and testing on another, through the command."""

import shutil
from pathlib import Path

import pandas as pd
import yaml

from stages.tables import parquet, schema
from tests.checkout import Checkout


def test_one_data_set_trains_and_the_other_is_tested(finished: Path, simulated: Path, tmp_path: Path) -> None:
    checkout = Checkout.copy(finished, tmp_path / "checkout")
    other = Path(shutil.copytree(simulated, tmp_path / "other"))
    shutil.rmtree(other / "cohn-kanade-images/S001")
    before = checkout.results()
    checkout.run("lmf_fer", "transfer", str(other))
    made = checkout.folder / "results/transfer"
    cells = pd.read_csv(made / "results/table.csv").set_index(["method", "set"])
    assert set(cells["total"]) == {6}, "three people of two sequences"
    assert {"DTAGN", "LMF-FER", "Joint framework", "Linear SVM"} <= set(cells.index.get_level_values(0))
    rows = parquet.read(made / "data/features/lmf.parquet", schema.LMF)
    learnt = parquet.read(checkout.folder / "data/features/lmf.parquet", schema.LMF)
    assert (rows["fold"] == 1).sum() == len(learnt), "all of the last run train, namesakes too"
    assert set(rows[rows["fold"] == 0]["subject"]) == {"S002", "S003", "S004"}
    assert checkout.results() == before, "the last run's results stay"


def test_without_a_run_or_a_tree_it_says_so(finished: Path, tmp_path: Path) -> None:
    checkout = Checkout.copy(finished, tmp_path / "checkout")
    assert "no such folder" in checkout.fails("lmf_fer", "transfer", "nowhere")
    shutil.rmtree(checkout.folder / "data/features")
    assert "run make reproduce first" in checkout.fails("lmf_fer", "transfer", "nowhere")
    assert yaml.safe_load((checkout.folder / "params.yaml").read_text())["dataset"]["name"] == "simulated"
