"""Training on one data set and testing on another, through the command."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from lmf_fer.cli import app
from lmf_fer.transfer import classes, command, learning, table
from stages.evaluate.statistics import wilson
from stages.featurize.sequence import motion
from stages.ingest.megc import CLASSES
from stages.report import benchmarks
from stages.tables import parquet, schema
from stages.tables.errors import UserError
from stages.tables.methods import DTAGN, JOINT, LMF_FER
from tests.checkout import Checkout
from tests.conftest import ROOT, run_stage, write_params
from tests.test_tracks import moving
from tests.test_tracks import rows as tracks


def stage(line: str) -> list[str]:
    """A stage and its arguments, of its command."""
    return line.removeprefix("python -m stages.").split()


def test_one_data_set_trains_and_the_other_is_tested(
    finished: Path, simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stages within this process; with processes of their own in the other tests."""
    checkout = Checkout.copy(finished, tmp_path / "checkout")
    monkeypatch.chdir(checkout.folder)
    monkeypatch.setattr(command, "run", lambda line: run_stage(Path(command.WORK), *stage(line)).check_returncode())
    other = Path(shutil.copytree(simulated, tmp_path / "other"))
    shutil.rmtree(other / "cohn-kanade-images/S001")
    before = checkout.results()
    result = CliRunner().invoke(app, ["transfer", str(other)])
    assert result.exit_code == 0, result.output
    made = checkout.folder / "results/transfer"
    cells = pd.read_csv(checkout.folder / "results/beyond/ckplus.csv").set_index(["method", "set"])
    assert set(cells["total"]) == {6}, "three people of two sequences"
    assert {"DTAGN", "LMF-FER", "Joint framework", "Linear SVM"} <= set(cells.index.get_level_values(0))
    rows = parquet.read(made / "data/features/lmf.parquet", schema.LMF)
    learnt = parquet.read(checkout.folder / "data/features/lmf.parquet", schema.LMF)
    assert (rows["fold"] == 1).sum() == len(learnt), "all of the last run train, namesakes too"
    assert set(rows[rows["fold"] == 0]["subject"]) == {"S002", "S003", "S004"}
    assert checkout.results() == before, "the last run's results stay"


def test_without_a_run_or_a_tree_it_says_so(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = Checkout.copy(finished, tmp_path / "checkout")
    assert "no such folder" in checkout.fails("lmf_fer", "transfer", "nowhere")
    shutil.rmtree(checkout.folder / "data/features")
    monkeypatch.chdir(checkout.folder)
    for words, says in ((["--networks", "run"], "run make reproduce first"),
                        (["--dataset", "ck"], "there is no data set 'ck'")):  # fmt: skip
        result = CliRunner().invoke(app, ["transfer", "nowhere", *words])
        assert result.exit_code == 1
        assert says in result.stderr
    assert yaml.safe_load((checkout.folder / "params.yaml").read_text())["dataset"]["name"] == "simulated"


def test_tracks_are_tested_by_the_shipped_network_and_by_what_it_becomes_there(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    tracks([f"P{number}" for number in range(3)]).to_parquet(tmp_path / "t.parquet")
    printed = checkout.run("lmf_fer", "transfer", str(tmp_path / "t.parquet"), "--fine-tune")
    assert "DTAGN and the joint framework need pictures and are left out" in printed
    assert "Not in the data set: fear, happy, sadness, surprise; answered all the same by" in printed
    cells = pd.read_csv(checkout.folder / "results/beyond/tracks.csv").set_index(["method", "set"])
    assert set(cells["total"]) == {3}
    assert {name for name, _ in cells.index} == {
        "LMF-FER, shipped", "LMF-FER, shipped and fine-tuned", "Linear SVM, learnt there"}  # fmt: skip
    notes, (grid,) = benchmarks.parse((checkout.folder / "results/beyond/tracks.md").read_text())
    assert notes[0] == "3 sequences of 3 subjects; set aside: none."
    assert len(grid.rows) == 6


@pytest.mark.parametrize("merged", [False, True])
def test_a_subject_s_own_labels_change_nothing_of_its_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, merged: bool
) -> None:
    write_params(tmp_path)
    shutil.copytree(ROOT / "networks", tmp_path / "networks")
    monkeypatch.chdir(tmp_path)
    groups = {1: [1, 2, 3, 4, 6], 2: [5], 3: [7]} if merged else {code: [code] for code in schema.EMOTIONS}
    rows = pd.DataFrame([
        {"sequence": f"{person}", "subject": f"{person}", "fold": 0, "set": kind, "emotion": person % len(groups) + 1}
        | motion(moving(person), 0.001, 9)
        for person in range(5)
        for kind in ("general", "micro")
    ])  # fmt: skip
    answers = {}
    for label in (1, 2):
        rows.loc[rows["subject"] == "0", "emotion"] = label
        found = pd.concat(learning.fine_tuned(rows, groups))
        assert len(found) == 2 * len(rows), "by the network and the line"
        answers[label] = {person: np.stack(list(group["probability"])) for person, group in found.groupby("subject")}
        np.testing.assert_allclose(np.concatenate(list(answers[label].values())).sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(answers[1]["0"], answers[2]["0"])
    assert (answers[1]["1"] != answers[2]["1"]).any(), "others have learnt from it"


def test_emotions_are_merged_where_one_data_set_has_three_classes() -> None:
    common = classes.common(dict(schema.EMOTIONS), dict(CLASSES))
    assert (common.merged, common.labels) == (True, CLASSES)
    assert common.learnt == {1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 1, 7: 3}
    assert common.tested == {1: 1, 2: 2, 3: 3}
    chances = np.array([[0.1, 0.1, 0.1, 0.1, 0.25, 0.1, 0.25]])
    np.testing.assert_allclose(common.probability(chances), [[0.5, 0.25, 0.25]], rtol=1e-6)
    words = classes.sentence(common, dict(schema.EMOTIONS), dict(CLASSES))
    assert "negative (anger, contempt, disgust, fear, sadness); positive (happy); surprise." in words
    assert not classes.common(dict(schema.EMOTIONS), dict(schema.EMOTIONS)).merged
    assert classes.common(dict(CLASSES), dict(schema.EMOTIONS)).tested[4] == 1
    with pytest.raises(UserError, match="the emotion 'bored' is none of"):
        classes.common({1: "bored"}, dict(CLASSES))


def test_the_table_counts_and_the_gate_joins() -> None:
    same = classes.common(dict(schema.EMOTIONS), dict(schema.EMOTIONS))
    rows = [
        {"sequence": name, "set": kind, "emotion": 1, "method": method, "learnt": "x", "predicted": code}
        for name in ("a", "b")
        for kind in ("general", "micro")
        for method, code in ((DTAGN, 1 if kind == "general" else 2), (LMF_FER, 2 if kind == "general" else 1))
    ]
    sizes = pd.DataFrame({"fold": 0, "general": [1.0, 1.0], "micro": [0.1, 0.1]}, pd.Index(["a", "b"], name="sequence"))
    result = table.tidy(pd.DataFrame(rows), same, sizes, 0.5).set_index(["method", "set"])
    assert result["correct"].to_dict() == {
        (DTAGN, "general"): 2, (DTAGN, "micro"): 0, (LMF_FER, "general"): 0, (LMF_FER, "micro"): 2,
        (JOINT, "general"): 2, (JOINT, "micro"): 2}  # fmt: skip
    assert tuple(result.loc[(JOINT, "micro"), ["wilson_low", "wilson_high"]]) == wilson(2, 2)
