"""Two runs side by side: what is computed from made-up runs, and the command on revisions and folders."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from lmf_fer import compare
from tests.checkout import Checkout

PARAMS = {"evaluate.seed": 2017, "evaluate.micro_share": 0.5}


def made_up(name: str, right: dict[str, np.ndarray], **params: object) -> compare.Run:
    """A run of one method: ``right`` says which of its answers are, by recording."""
    count = len(right["general"])
    answers = pd.DataFrame({"actual": ["happy"] * count}, pd.Index([f"S{i:03}/001" for i in range(count)]))
    rows = []
    for recording, good in right.items():
        answers[f"LMF-FER {recording}"] = np.where(good, "happy", "fear")
        rows.append({"method": "LMF-FER", "set": recording, "correct": int(good.sum()), "total": count,
                     "accuracy": good.mean(), "mean": good.mean(), "sd": 0.0})  # fmt: skip
    return compare.Run(name, pd.DataFrame(rows).set_index(["method", "set"]), PARAMS | params, answers)


@pytest.mark.parametrize("seed", range(5))
def test_the_test_is_the_binomial_one_of_the_discordant_pairs(seed: int) -> None:
    random = np.random.default_rng(seed)
    before, after = ({name: random.random(60) < chance for name in ("general", "micro")} for chance in (0.8, 0.6))
    rows = compare.cells(made_up("a", before), made_up("b", after)).set_index("set")
    for name in ("general", "micro"):
        first, second = int((before[name] & ~after[name]).sum()), int((after[name] & ~before[name]).sum())
        p = binomtest(first, first + second).pvalue
        assert (rows.loc[name, "only before right"], rows.loc[name, "only after right"]) == (first, second)
        assert rows.loc[name, "p"] == ("< 0.001" if p < 0.001 else f"{p:.3f}")
        assert float(rows.loc[name, "points"]) == pytest.approx(
            100 * (after[name].mean() - before[name].mean()), abs=6e-3
        )


def test_only_sequences_of_both_runs_are_tested() -> None:
    before = made_up("a", {"general": np.ones(10, bool), "micro": np.zeros(10, bool)})
    after = made_up("b", {"general": np.zeros(4, bool), "micro": np.ones(4, bool)})
    rows = compare.cells(before, after).set_index("set")
    assert list(rows["only before right"]) == [4, 0]
    assert list(rows["only after right"]) == [0, 4]
    assert list(rows["before"]) == ["10/10 = 100.00%", "0/10 = 0.00%"]


def test_answers_of_another_run_than_the_table_s_are_not_tested() -> None:
    run = made_up("a", {"general": np.ones(10, bool), "micro": np.zeros(10, bool)})
    assert compare.counted(run.table, run.answers)
    assert not compare.counted(run.table, run.answers.replace({"fear": "happy"}))


def test_parameters_that_differ_are_listed() -> None:
    right = {"general": np.ones(3, bool), "micro": np.ones(3, bool)}
    before, after = made_up("a", right, old=1, same=[1]), made_up("b", right, new="x", same=[1], **{"evaluate.seed": 3})
    assert compare.parameters(before, after).to_numpy().tolist() == [
        ["evaluate.seed", 2017, 3], ["old", 1, "not there"], ["new", "not there", "x"]]  # fmt: skip
    assert "No parameter differs." in compare.text(before, before)


@pytest.fixture(scope="module")
def compared(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A committed run, and another one, with another share of micro sequences in the mixed set, in its folder."""
    checkout = Checkout.copy(finished, tmp_path_factory.mktemp("compare") / "checkout")
    checkout.commit()
    checkout.params(evaluate={"micro_share": 0.75})
    checkout.repro("evaluate")
    return checkout


def test_a_revision_beside_this_folder(compared: Checkout, finished: Path) -> None:
    lines = compared.run("lmf_fer", "compare", "HEAD").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert ["evaluate.micro_share", "0.5", "0.75"] in rows
    cells = {(row[0], row[1]): row[2:] for row in rows if len(row) == 8}
    old, new = (pd.read_csv(folder / "results/table.csv").set_index(["method", "set"])
                for folder in (finished, compared.folder))  # fmt: skip
    for key, row in old.iterrows():
        if key[1] == "mixed":
            assert cells[key][:2] == [f"{100 * it['mean']:.2f} ± {100 * it['sd']:.2f}%" for it in (row, new.loc[key])]
            assert int(cells[key][4]) - int(cells[key][3]) == new.loc[key, "correct"] - row["correct"]
        else:
            assert cells[key][0] == f"{row['correct']:.0f}/{row['total']:.0f} = {100 * row['accuracy']:.2f}%"
            assert cells[key][3:] == ["0", "0", "1.000"]


def test_folders_beside_each_other_give_the_same(compared: Checkout, finished: Path, tmp_path: Path) -> None:
    """Outside any repository too; and without the answers, the table alone."""
    for folder, name in ((finished, "a"), (compared.folder, "b")):
        shutil.copytree(folder / "results", tmp_path / name / "results")
        shutil.copy(folder / "params.yaml", tmp_path / name)
    of_folders = compared.run("lmf_fer", "compare", str(tmp_path / "a"), str(tmp_path / "b"))
    assert of_folders.splitlines()[1:] == compared.run("lmf_fer", "compare", "HEAD").splitlines()[1:]
    shutil.rmtree(tmp_path / "a/results/plots")
    bare = compared.run("lmf_fer", "compare", str(tmp_path / "a"), str(tmp_path / "b"))
    assert "No tests: results/plots/confusion.csv" in bare
    assert "only before right" not in bare


@pytest.mark.parametrize(
    ("name", "words"), [("no-such-thing", "neither a folder that holds a run"), ("HEAD~1", "HEAD~1")]
)
def test_what_is_no_run_is_one_sentence(compared: Checkout, name: str, words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "lmf_fer", "compare", name], cwd=compared.folder, capture_output=True,
                          text=True, env=compared.environment)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
