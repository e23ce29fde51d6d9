"""The statistics against independent implementations, the gate, the mixed draw, and the stage on made-up runs."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.evaluate import facts, gate, mixed, pool, poster, statistics, table
from stages.tables import parquet
from stages.tables.methods import LMF_FER, METHODS
from stages.tables.schema import EMOTIONS, LMF, PREDICTIONS, REJECTED, SEQUENCES
from tests import finished_run
from tests.conftest import run_stage

codes = st.integers(1, 7)
sizes = st.lists(st.floats(1e-4, 10), min_size=1, max_size=30)


def failure(root: Path) -> str:
    """The sentence with which the stage stops."""
    with pytest.raises(SystemExit) as stopped:
        finished_run.run(root, "evaluate")
    assert len(str(stopped.value).splitlines()) == 1
    return str(stopped.value)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evaluate")
    finished_run.write(root, subjects=12)
    result = run_stage(root, "evaluate")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith((root / "results/table.md").read_text())
    return root


# Statistics


@given(st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_is_the_solution_of_its_equation(counts: tuple[int, int]) -> None:
    correct, total = counts
    share, z = correct / total, 1.959963984540054
    for bound in statistics.wilson(correct, total):
        # Wilson (1927): the bounds are the p at which |share - p| is z standard errors of p itself.
        assert (share - bound) ** 2 == pytest.approx(z**2 * bound * (1 - bound) / total, abs=1e-9)


@given(st.lists(st.tuples(codes, codes), min_size=1, max_size=60))
def test_score_against_the_definitions(pairs: list[tuple[int, int]]) -> None:
    actual, predicted = zip(*pairs, strict=True)
    score = statistics.score(np.array(actual), np.array(predicted))
    recalls, f1 = {}, []
    for code in set(actual):
        hits = sum(a == p == code for a, p in pairs)
        wrong = sum((a == code) != (p == code) for a, p in pairs)
        recalls[code] = hits / actual.count(code)
        f1.append(2 * hits / (2 * hits + wrong))
    assert score.recall == pytest.approx(recalls)
    assert score.metrics["uar"] == pytest.approx(sum(recalls.values()) / len(recalls))
    assert score.metrics["uf1"] == pytest.approx(sum(f1) / len(f1))
    assert (score.correct, score.total) == (sum(a == p for a, p in pairs), len(pairs))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
def test_mcnemar_is_a_fair_coin_on_the_disagreements(pairs: list[tuple[bool, bool]]) -> None:
    first, second = map(np.array, zip(*pairs, strict=True))
    result = statistics.compare(first, second)
    ours, theirs = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    flips = ours + theirs
    tail = sum(math.comb(flips, k) for k in range(min(ours, theirs) + 1)) / 2**flips
    assert (result.only_first, result.only_second) == (ours, theirs)
    assert result.p == pytest.approx(min(1.0, 2 * tail))


# The gate


@given(sizes, sizes, st.floats(0.01, 100))
def test_threshold_lies_between_and_scales_with_the_image(general: list[float], micro: list[float], k: float) -> None:
    limit = gate.threshold(np.array(general), np.array(micro))
    middles = [math.prod(v ** (1 / len(values)) for v in values) for values in (general, micro)]
    assert limit == pytest.approx(math.sqrt(middles[0] * middles[1]))
    assert min(general + micro) * 0.999 <= limit <= max(general + micro) * 1.001
    assert gate.threshold(k * np.array(general), k * np.array(micro)) == pytest.approx(k * limit)


def test_threshold_survives_sequences_without_motion() -> None:
    assert gate.threshold(np.array([1.0, 1.0]), np.array([0.0, 0.01])) == pytest.approx(0.1)
    assert gate.threshold(np.zeros(3), np.zeros(2)) == 0
    assert gate.choose(np.array([0.0, 2.0, 0.1]), 0.1, np.full(3, 1), np.full(3, 2)).tolist() == [2, 1, 2]


def test_a_fold_has_no_say_in_its_own_threshold(finished: Path) -> None:
    sfem = pool.sizes(parquet.read(finished / "data/features/lmf.parquet", LMF))
    before = pool.thresholds(sfem)
    for fold in before:
        changed = sfem.copy()
        changed.loc[changed["fold"] == fold, ["general", "micro"]] *= 7
        after = pool.thresholds(changed)
        assert after[fold] == before[fold]
        assert all(after[other] != before[other] for other in before if other != fold)


# The mixed set


@given(st.sets(st.text("S0123456789/", min_size=1, max_size=8), min_size=2, max_size=8), st.integers(0, 9))
def test_a_draw_belongs_to_its_sequence(names: set[str], seed: int) -> None:
    together = sorted(names)
    draws = mixed.draws(together, 6, seed)
    for name in together:
        assert np.array_equal(mixed.draws([name], 6, seed).loc[name], draws.loc[name])
        assert np.array_equal(mixed.draws([name], 2, seed).loc[name], draws.loc[name, :1])
        assert not np.array_equal(mixed.draws([name], 6, seed + 1).loc[name], draws.loc[name])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_spread_against_the_binomial_formulas(share: float) -> None:
    random, count = np.random.default_rng(1), 200
    index = pd.Index([f"S{i:03}/001" for i in range(count)])
    emotion = random.integers(1, 8, count)
    answers = pd.DataFrame({"emotion": emotion}, index=index)
    for name, chance in (("general", 0.9), ("micro", 0.5)):
        answers[name] = np.where(random.random(count) < chance, emotion, emotion % 7 + 1)
    mean, sd = table.spread(answers, mixed.draws(index, 2000, 5), share)
    general, micro = (answers[name] == emotion for name in ("general", "micro"))
    expected = (1 - share) * general.mean() + share * micro.mean()
    deviation = math.sqrt(share * (1 - share) * (general != micro).sum()) / count
    assert mean == pytest.approx(expected, abs=5 * deviation / math.sqrt(2000) + 1e-12)
    assert sd == pytest.approx(deviation, rel=0.1)


# The stage


@pytest.fixture(scope="module")
def predicted(finished: Path) -> pd.DataFrame:
    """All predictions of complete sequences: index (method, set, sequence), with ``right``."""
    rows = pd.concat([parquet.read(file, PREDICTIONS) for file in (finished / "results/predictions").glob("*.parquet")])
    rows = rows[rows["sequence"] != "S012/001"]  # it has no micro recording
    return rows.assign(right=rows["emotion"] == rows["predicted"]).set_index(["method", "set", "sequence"]).sort_index()


def test_counts_are_those_of_the_prediction_files(finished: Path, predicted: pd.DataFrame) -> None:
    written = pd.read_csv(finished / "results/table.csv").set_index(["method", "set"])
    metric = json.loads((finished / "results/table.json").read_text())
    for (method, name), right in predicted.groupby(["method", "set"])["right"]:
        assert tuple(written.loc[(method, name), ["correct", "total"]]) == (right.sum(), len(right))
        if method in METHODS:
            cell = {"percent": round(100 * right.mean(), 2), "correct": right.sum()}
            assert metric[method][name] == cell


def test_mixed_counts_are_those_of_the_first_draw(finished: Path, predicted: pd.DataFrame) -> None:
    written = pd.read_csv(finished / "results/table.csv").set_index(["method", "set"])
    for method, rows in predicted.groupby("method"):
        drawn = [right for (_, name, sequence), right in rows["right"].items()
                 if (name == "micro") == (mixed.draws([sequence], 1, 2017).loc[sequence, 0] < 0.5)]  # fmt: skip
        assert tuple(written.loc[(method, "mixed"), ["correct", "total"]]) == (sum(drawn), len(rows) // 2)


def test_the_joint_framework_answers_from_the_side_of_its_gate(finished: Path, predicted: pd.DataFrame) -> None:
    lmf = parquet.read(finished / "data/features/lmf.parquet", LMF)
    lmf = lmf[lmf["sequence"] != "S012/001"]
    right = {"general": 0, "micro": 0}
    for row in lmf.itertuples():
        rest = lmf[lmf["fold"] != row.fold]
        middle = np.mean([np.log(rest.loc[rest["set"] == name, "sfem"]).mean() for name in right])
        method = "DTAGN" if np.log(row.sfem) > middle else "LMF-FER"
        right[row.set] += predicted.loc[(method, row.set, row.sequence), "right"]
    metric = json.loads((finished / "results/table.json").read_text())["Joint framework"]
    assert {name: metric[name]["correct"] for name in right} == right


def test_other_gates(finished: Path, predicted: pd.DataFrame) -> None:
    """Ceilings, and both ends of the curve: every recording to one method, on the other folds' subjects."""
    right = predicted["right"].unstack("method")
    gates = json.loads((finished / "results/statistics.json").read_text())["gate"]["ceilings"]
    knows = {name: gate["general"] + gate["micro"] for name, gate in gates.items()}
    assert knows == {
        "gate that knows the recording": right.loc["general", "DTAGN"].sum() + right.loc["micro", "LMF-FER"].sum(),
        "gate that knows the answer": (right["DTAGN"] | right["LMF-FER"]).sum(),
    }
    curve = pd.read_csv(finished / "results/plots/threshold.csv")
    fold = predicted.xs("LMF-FER").loc["general", "fold"]
    means = {
        method: [right[method].unstack("set")[fold != f].mean(axis=None) for f in fold.unique()] for method in right
    }
    last = curve.iloc[-1]
    assert tuple(last[["mean", "low", "high"]]) == pytest.approx(
        (np.mean(means["LMF-FER"]), min(means["LMF-FER"]), max(means["LMF-FER"])), abs=1e-5
    )
    # At the lowest threshold only the smallest recording itself is not above it.
    assert curve.iloc[0]["mean"] == pytest.approx(np.mean(means["DTAGN"]), abs=1 / len(fold))


def test_tests_between_methods_are_paired_by_sequence(finished: Path, predicted: pd.DataFrame) -> None:
    written = json.loads((finished / "results/statistics.json").read_text())["comparisons"]
    for test in written:
        if "Joint framework" not in test["first"] and test["set"] != "mixed":
            first, second = (predicted.loc[(test[side], test["set"]), "right"] for side in ("first", "second"))
            assert (test["only_first"], test["only_second"]) == ((first & ~second).sum(), (second & ~first).sum())
    assert {(test["first"], test["second"]) for test in written} >= {
        ("LMF-FER", "DTAGN"), ("Joint framework", "DTAGN"), ("Joint framework", "LMF-FER"),
    }  # fmt: skip


def test_rows_with_actors_stand_beside_the_published_ones(finished: Path, tmp_path: Path) -> None:
    """Predictions of LMF-FER with actors, here those of LMF-FER with some put right, change no published number."""
    finished_run.write(tmp_path, subjects=12)
    for file in sorted((tmp_path / "results/predictions").glob("lmf-*.parquet")):
        rows = parquet.read(file, PREDICTIONS)
        rows = rows.assign(method="LMF-FER with actors")
        right = rows["sequence"].str.endswith("1")
        rows.loc[right, "predicted"] = rows.loc[right, "emotion"]
        parquet.write(file.with_name(file.name.replace("lmf-", "lmf_actors-")), PREDICTIONS, rows)
    finished_run.run(tmp_path, "evaluate")
    results, before = tmp_path / "results", finished / "results"
    assert (results / "table.json").read_bytes() == (before / "table.json").read_bytes()
    text, published = (folder / "table.md" for folder in (results, before))
    assert text.read_text().startswith(published.read_text().partition("# Further methods")[0])
    assert "# What actors change" in text.read_text()
    assert "actors" not in published.read_text()
    tables = [pd.read_csv(folder / "table.csv") for folder in (results, before)]
    both = tables[0][~tables[0]["method"].str.contains("actors")].reset_index(drop=True)
    pd.testing.assert_frame_equal(both, tables[1])
    assert list(tables[0]["method"].unique())[:3] == ["DTAGN", "LMF-FER", "Joint framework"]
    cells = tables[0].set_index(["method", "set"])["correct"]
    for method in ("LMF-FER", "Joint framework"):
        assert cells[f"{method} with actors", "micro"] > cells[method, "micro"]
    tests = json.loads((results / "statistics.json").read_text())["comparisons"]
    gains = {(test["first"], test["second"]): test for test in tests if test["set"] == "micro"}
    for method in ("LMF-FER", "Joint framework"):
        test = gains[f"{method} with actors", method]
        assert test["only_second"] == 0
        assert test["only_first"] == cells[f"{method} with actors", "micro"] - cells[method, "micro"]
    assert ("Joint framework with actors", "LMF-FER with actors") in gains


def test_same_bytes_whatever_the_order_of_files_and_rows(finished: Path, tmp_path: Path) -> None:
    finished_run.write(tmp_path, subjects=12)
    for number, file in enumerate(sorted((tmp_path / "results/predictions").glob("*.parquet"))):
        fold = file.stem.rsplit("-", 1)[1]  # the stage finds a fold's files by the end of their names
        rows = parquet.read(file, PREDICTIONS).iloc[::-1]
        file.unlink()
        parquet.write(file.with_name(f"{99 - number}-{fold}.parquet"), PREDICTIONS, rows)
    finished_run.run(tmp_path, "evaluate")
    for name in ("table.json", "table.md", "table.csv", "statistics.json", *(f"plots/{n}.csv" for n in curves)):
        assert (tmp_path / "results" / name).read_bytes() == (finished / "results" / name).read_bytes(), name


curves = ("confusion", "sfem", "share", "size", "threshold")


def test_curves_agree_with_the_table(finished: Path) -> None:
    written = pd.read_csv(finished / "results/table.csv").set_index(["method", "set"])
    read = {name: pd.read_csv(finished / f"results/plots/{name}.csv") for name in curves}
    bins = read["size"].groupby("method")[["correct", "total"]].sum()
    for method in written.index.unique("method"):
        recordings = written.loc[[(method, "general"), (method, "micro")], ["correct", "total"]]
        for name, correct in recordings["correct"].droplevel(0).items():
            assert (read["confusion"]["actual"] == read["confusion"][f"{method} {name}"]).sum() == correct
        assert bins.loc[method].to_dict() == recordings.sum().to_dict()
        line = read["share"].set_index("micro_share")[method]
        for share, name in ((0.0, "general"), (0.5, "mixed"), (1.0, "micro")):
            assert line[share] == pytest.approx(written.loc[(method, name), "mean"], abs=1e-6)


def test_few_subjects_and_emotions_give_a_table_that_says_so(tmp_path: Path) -> None:
    finished_run.write(tmp_path, subjects=3, emotions=(1, 5))
    printed = finished_run.run(tmp_path, "evaluate")
    assert "of 3 subjects, 2 of 7 emotions, 3 of 10 folds hold subjects" in printed
    assert "(without a general or a micro recording: 1)" in printed
    scores = pd.read_csv(tmp_path / "results/table.csv")
    assert scores[["accuracy", "uf1", "uar"]].notna().all(axis=None)
    recalls = json.loads((tmp_path / "results/statistics.json").read_text())["recall"]["DTAGN"]["general"]
    assert list(recalls) == ["anger", "happy"]


def test_filmed_clips_are_scored_over_all_and_by_data_set_as_the_challenge_does() -> None:
    random = np.random.default_rng(3)
    names = pd.Index(
        [f"{dataset}/s{n}/c" for dataset in ("casme2", "samm", "smic") for n in range(40)], name="sequence"
    )
    datasets = pd.Series([name.split("/")[0] for name in names], names)
    actual = random.integers(1, 4, len(names))
    right = random.random(len(names)) < datasets.map({"casme2": 0.9, "samm": 0.5, "smic": 0.7})
    guess = np.where(right, actual, random.integers(1, 4, len(names)))
    answers = pd.DataFrame({"emotion": actual, "fold": 0, "general": guess, "micro": 1}, names)
    rows = {row["dataset"]: row for row in table.filmed({LMF_FER: answers}, datasets)}
    assert [(name, row["reported"]) for name, row in rows.items()] == [
        ("all", 0),
        ("casme2", 74),
        ("samm", 0),
        ("smic", 71),
    ]
    for name, row in rows.items():
        part = answers if name == "all" else answers[datasets == name]
        true, guessed = part["emotion"].to_numpy(), part["general"].to_numpy()
        counts = [(((true == c) & (guessed == c)).sum(), ((true != c) & (guessed == c)).sum(),
                   ((true == c) & (guessed != c)).sum()) for c in (1, 2, 3)]  # fmt: skip
        assert row["total"] == len(part)
        assert row["uf1"] == pytest.approx(np.mean([2 * tp / (2 * tp + fp + fn) for tp, fp, fn in counts]))
        assert row["uar"] == pytest.approx(np.mean([tp / (tp + fn) for tp, _, fn in counts]))
        assert row["accuracy"] == pytest.approx(sum(tp for tp, _, _ in counts) / len(part))
    (alone,) = table.filmed({LMF_FER: answers[datasets == "smic"]}, datasets)
    assert alone == rows["smic"]


def test_ckplus_counts_are_compared_with_the_published_ones(tmp_path: Path) -> None:
    emotion = [code for code, count in zip(EMOTIONS, finished_run.PUBLISHED, strict=True) for _ in range(count)]
    fold = [number for number, count in enumerate(poster.FOLDS["ckplus"]) for _ in range(count)]
    whole = pd.DataFrame({"emotion": emotion, "fold": fold, "subject": "S", "sequence": [str(i) for i in range(327)]})
    whole = whole.assign(dataset="ckplus", apex="last")
    nothing = pd.DataFrame(columns=REJECTED.schema.names)
    classes = pd.DataFrame(finished_run.classes("ckplus"))
    for rows, agrees in ((whole, True), (whole.iloc[1:], False)):
        counted = facts.facts(classes, rows, pd.Index(rows["sequence"]), nothing, list(range(10)))
        assert counted["published"]["agree"] == {"class counts": agrees, "fold sizes": agrees}
        assert f"class counts {'agree' if agrees else 'do NOT agree'}" in facts.sentence(counted)

    finished_run.write(tmp_path, subjects=3, dataset="ckplus")
    assert "fold sizes do NOT agree" in finished_run.run(tmp_path, "evaluate")
    assert json.loads((tmp_path / "results/table.json").read_text())["dataset"]["agrees_with_published_counts"] == 0


def change(root: Path, path: str, schema: object, edit: object) -> None:
    """Rewrites a table of a made-up run with ``edit`` applied to its rows."""
    parquet.write(root / path, schema, edit(parquet.read(root / path, schema)))  # type: ignore[arg-type, operator]


@pytest.mark.parametrize(
    ("path", "schema", "edit", "sentence"),
    [
        ("results/predictions/lmf-0.parquet", PREDICTIONS, lambda r: pd.concat([r, r]), "more than once by LMF-FER"),
        ("results/predictions/lmf-0.parquet", PREDICTIONS, lambda r: r.assign(fold=1), "with another fold"),
        ("results/predictions/lmf-0.parquet", PREDICTIONS, lambda r: r.assign(emotion=1 + r["emotion"] % 7),
         "with another emotion"),
        ("results/predictions/lmf-0.parquet", PREDICTIONS, lambda r: r.assign(sequence="S999/001"), "S999/001"),
        ("data/interim/sequences.parquet", SEQUENCES, lambda r: r.assign(subject="S001"), "in more than one fold"),
        ("data/features/lmf.parquet", LMF, lambda r: r[r["fold"] == 0], "all subjects are in one fold"),
        ("data/features/lmf.parquet", LMF, lambda r: r[r["set"] == "general"], "general and its micro"),
        ("data/features/lmf.parquet", LMF, lambda r: pd.concat([r, r]), "twice in the LMF table"),
    ],
)  # fmt: skip
def test_bad_input_gives_one_sentence(tmp_path: Path, path: str, schema: object, edit: object, sentence: str) -> None:
    finished_run.write(tmp_path, subjects=3)
    change(tmp_path, path, schema, edit)
    assert sentence in failure(tmp_path)


def test_a_missing_method_or_no_predictions_give_one_sentence(tmp_path: Path) -> None:
    finished_run.write(tmp_path, subjects=3)
    for pattern, sentence in (("lmf-*", "no predictions of LMF-FER"), ("*", "holds no predictions")):
        for file in (tmp_path / "results/predictions").glob(pattern):
            file.unlink()
        assert sentence in failure(tmp_path)
