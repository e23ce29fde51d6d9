"""How many files an addition touches: a toy of each kind, added to a copy of the project, and run."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from dvc.repo import Repo

from stages.tables import parquet, schema
from tests.checkout import Checkout
from tests.conftest import ROOT

TRAININGS = tuple(f"train-{model}@{fold}" for model in ("lmf", "lmf_actors", "dtagn") for fold in (0, 1))
PRETRAIN = "networks/dvc.yaml:pretrain"

MODEL = '''"""A toy: every sequence shows what most training sequences show."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd

from stages.tables import params, schema
from stages.train.models import Run

TABLE = schema.DTAGN
METHODS = ("Toy",)
RUN = Run


class Config(params.Section):
    section: ClassVar[str] = "train.toy"

    certainty: params.Share


def fit(rows: pd.DataFrame, config: Config, trainer: Any = None) -> np.ndarray:
    answer = np.full(7, (1 - config.certainty) / 6, np.float32)
    answer[rows["emotion"].mode()[0] - 1] = config.certainty
    return answer


def predict(network: np.ndarray, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    return {"Toy": np.repeat(network[None], len(rows), axis=0)}
'''

STAGE = """
  train-toy:
    cmd: python -m stages.train toy
    deps:
      - stages/train/toy.py
      - data/features/dtagn.parquet
    params:
      - train.toy
      - protocol.folds
    outs:
      - results/predictions/toy.parquet
"""

LANDMARKER = '''"""A toy: the points of the first frame, for ever."""

from __future__ import annotations

import numpy as np

from stages.landmark.detection import Dlib
from stages.landmark.landmarker import DETECTED, Landmarks
from stages.landmark.params import Landmark
from stages.tables.box import Box


class Frozen:
    def __init__(self, settings: Landmark) -> None:
        self.detect = Dlib(settings.upscale)

    def __call__(self, frames: np.ndarray, box: Box) -> Landmarks:
        points = np.repeat(self.detect(frames[0], box)[None], len(frames), axis=0)
        return Landmarks(points, [DETECTED] * len(frames), np.zeros(len(frames), np.float32))
'''


@pytest.fixture(scope="module")
def project(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout.copy(finished, tmp_path_factory.mktemp("additions") / "checkout")
    checkout.commit()
    return checkout


@pytest.fixture
def checkout(project: Checkout) -> Iterator[Checkout]:
    """The project, as it was again after each test."""
    yield project
    for command in ("git reset -q --hard", "git clean -qfd stages"):
        subprocess.run(command.split(), cwd=project.folder, check=True)
    with contextlib.chdir(project.folder), Repo() as repo:
        repo.checkout(force=True)


def touched(checkout: Checkout) -> set[str]:
    """The files of code and of declarations that an addition changed or made."""
    done = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=checkout.folder, capture_output=True, text=True
    )
    files = {line[3:] for line in done.stdout.splitlines()}
    return {file for file in files if not file.startswith(("results/", "data/")) and not file.endswith(".lock")}


def replace(checkout: Checkout, name: str, old: str, new: str) -> None:
    file = checkout.folder / name
    text = file.read_text()
    assert text.count(old) == 1, f"{name}: {old}"
    file.write_text(text.replace(old, new))


def test_a_data_set_is_its_reader_and_its_entry(checkout: Checkout) -> None:
    (checkout.folder / "stages/ingest/toy.py").write_text(
        '"""A toy: CK+\'s layout, of which nobody smiles."""\n\n'
        "from pathlib import Path\n\nfrom stages.ingest import ckplus\nfrom stages.tables.errors import Unusable\n\n"
        "sequences, frames = ckplus.sequences, ckplus.frames\n\n\n"
        "def emotion(sequence: ckplus.Sequence) -> int:\n"
        "    if (code := ckplus.emotion(sequence)) == 5:\n"
        '        raise Unusable("smile", f"{sequence.folder}: smiles; leave it out")\n'
        "    return code\n"
    )
    replace(
        checkout,
        "stages/ingest/datasets.py",
        "mmew, samm, smic, tracks\n",
        "mmew, samm, smic, toy, tracks\n",
    )
    replace(
        checkout,
        "stages/ingest/datasets.py",
        "DATASETS = {\n",
        'DATASETS = {\n    "toy": DataSet(toy, EMOTIONS, 8, 4),\n',
    )
    assert touched(checkout) == {"stages/ingest/toy.py", "stages/ingest/datasets.py"}
    before = parquet.read(checkout.folder / "data/interim/sequences.parquet", schema.SEQUENCES)
    checkout.params(dataset={"name": "toy"})
    checkout.run("stages.ingest")
    after = parquet.read(checkout.folder / "data/interim/sequences.parquet", schema.SEQUENCES)
    assert set(after["sequence"]) == set(before[before["emotion"] != 5]["sequence"])
    assert set(parquet.read(checkout.folder / "data/interim/classes.parquet", schema.CLASSES)["dataset"]) == {"toy"}
    checkout.run("lmf_fer", "check")


def test_a_landmarker_is_its_file_and_its_entry(checkout: Checkout) -> None:
    (checkout.folder / "stages/landmark/frozen.py").write_text(LANDMARKER)
    replace(checkout, "stages/landmark/methods.py", "\n\nMETHODS = {\n", """

def _frozen(settings: Landmark, model: None) -> Landmarker:
    from stages.landmark.frozen import Frozen

    return Frozen(settings)


METHODS = {
    "frozen": Method(_frozen),
""")  # fmt: skip
    assert touched(checkout) == {"stages/landmark/frozen.py", "stages/landmark/methods.py"}
    checkout.params(landmark={"method": "frozen"})
    checkout.run("stages.landmark")
    table = checkout.folder / "data/interim/landmarks.parquet"
    rows = parquet.read_sequence(table, schema.LANDMARKS, 0)
    assert all(np.array_equal(x, rows["x"][0]) for x in rows["x"]), "the points of the first frame"
    checkout.run("lmf_fer", "check")


def test_a_metric_is_its_entry_and_a_model_its_file_its_entry_and_its_section(checkout: Checkout) -> None:
    replace(checkout, "stages/evaluate/metrics.py", "\nMETRICS = (\n", """
METRICS = (
    Metric("agreement", "Plain agreement", lambda actual, predicted: float((actual == predicted).mean()), ".4f",
           tracked=True),
""")  # fmt: skip
    metric = {"stages/evaluate/metrics.py"}
    assert touched(checkout) == metric
    assert changed(checkout) == {"evaluate"}
    (checkout.folder / "stages/train/toy.py").write_text(MODEL)
    replace(checkout, "dvc.yaml", "\n  evaluate:\n", f"{STAGE}\n  evaluate:\n")
    values = yaml.safe_load((checkout.folder / "params.yaml").read_text())
    values["train"]["toy"] = {"certainty": 0.5}
    (checkout.folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert touched(checkout) - metric == {"stages/train/toy.py", "dvc.yaml", "params.yaml"}
    checkout.run("lmf_fer", "check")
    assert checkout.repro() == {"train-toy", "evaluate", "report"}, "nothing that was there is run again"
    results = checkout.folder / "results"
    table = pd.read_csv(results / "table.csv")
    assert set(table[table["method"] == "Toy"]["set"]) == {"general", "micro", "mixed"}
    assert table["agreement"].to_numpy() == pytest.approx(table["accuracy"].to_numpy(), abs=1e-5)
    assert "agreement" in json.loads((results / "table.json").read_text())["LMF-FER"]["general"]
    assert "agreement" in (results / "statistics.json").read_text()
    for name in ("table.md", "report.html"):
        assert "Toy" in (results / name).read_text()
        assert "Plain agreement" in (results / name).read_text()


def test_a_parameter_of_a_network_is_its_line_and_its_field_and_trains_its_folds(checkout: Checkout) -> None:
    replace(checkout, "stages/train/dtagn.py", '    section: ClassVar[str] = "train.dtagn"\n',
            '    section: ClassVar[str] = "train.dtagn"\n\n    patience: Count\n')  # fmt: skip
    values = yaml.safe_load((checkout.folder / "params.yaml").read_text())
    values["train"]["dtagn"]["patience"] = 3
    (checkout.folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert touched(checkout) == {"stages/train/dtagn.py", "params.yaml"}
    checkout.run("lmf_fer", "check")
    assert changed(checkout) == {f"train-dtagn@{fold}" for fold in (0, 1)}


def changed(checkout: Checkout) -> set[str]:
    """The stages whose own code or parameters changed, as ``dvc status`` sees it."""
    with contextlib.chdir(checkout.folder), Repo() as repo:
        return set(repo.status()) - {"report"}  # it shows all parameters


@pytest.mark.parametrize(
    ("file", "again"),
    [
        ("stages/tables/muon.py", {*TRAININGS, "data/dvc.yaml:interpolator", PRETRAIN}),
        ("stages/ingest/datasets.py", {"ingest"}),
        ("stages/landmark/params.py", {"landmark"}),
        ("stages/simulate/plan.py", {"data/dvc.yaml:simulate", "data/dvc.yaml:portraits", PRETRAIN}),
        ("stages/train/lmf_actors.py", {"train-lmf_actors@0", "train-lmf_actors@1"}),
        ("stages/pretrain/learning.py", {PRETRAIN}),
        ("stages/train/svm.py", {"train-svm"}),
        ("stages/synthesize/training/fit.py", {"data/dvc.yaml:interpolator"}),
        ("stages/evaluate/params.py", {"evaluate"}),
        ("lmf_fer/cli.py", set()),
    ],
)  # fmt: skip
def test_a_changed_line_runs_only_what_it_is_part_of(checkout: Checkout, file: str, again: set[str]) -> None:
    with (checkout.folder / file).open("a") as text:
        text.write("\n# a new line\n")
    assert changed(checkout) == again


@pytest.mark.long
def test_every_stage_reads_exactly_the_lines_and_tables_that_it_declares(checkout: Checkout) -> None:
    """Every command as it is, and those that read more under other choices with these too."""
    plan = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for file in ("data/dvc.yaml", "networks/dvc.yaml"):
        plan |= yaml.safe_load((ROOT / file).read_text())["stages"]
    order = ("simulate", "portraits", "interpolator", "pretrain", "ingest", "synthesize", "landmark", "featurize",
             "train-lmf", "train-lmf_actors", "train-dtagn", "train-svm", "evaluate", "report")  # fmt: skip
    assert set(order) == set(plan)
    other = {"synthesize": {"interpolator": "sepconv"}, "landmark": {"method": "ckplus"}}
    concerned = ("portraits", "interpolator", "synthesize", "landmark", "report")
    reads: dict[str, set[str]] = {name: set() for name in order}
    lines: dict[str, set[str]] = {name: set() for name in order}
    few = {"simulate": {"subjects": 4, "sequences": 1, "frames": [4, 4]}}
    for change, names in (({}, order), (other, concerned)):
        checkout.params(**few, **change)
        values = yaml.safe_load((checkout.folder / "params.yaml").read_text())
        entries = {name: plan[name].get("do", plan[name]) for name in names}
        runs = [entry["cmd"].replace("${item}", fold) for entry in entries.values() for fold in "01"]
        log = recorded(checkout, *dict.fromkeys(runs))
        for name, entry in entries.items():
            found = log[entry["cmd"].replace("${item}", "0")]
            lines[name] |= {line for line in found["lines"] if not line.startswith("machine.")}
            reads[name] |= set(found["read"])
            outs = [next(iter(out)) if isinstance(out, dict) else out for out in entry["outs"]]
            outs = [out.replace("${item}", "0") for out in outs]
            strange = [file for file in found["written"] if not under(file, outs) and ".tmp" not in file]
            assert strange == [], f"{name} writes what it does not declare"
    for name in order:
        entry = plan[name].get("do", plan[name])
        wanted = {path for path in map(resolved(values), entry["deps"]) if not path.startswith("stages/")}
        plans = ("dvc.yaml", "dvc.lock")  # which report draws
        opened = {file for file in reads[name] if not file.startswith("results/models/") and not file.endswith(plans)}
        extra = {file for file in opened if not under(file, wanted | own(entry))}
        assert extra == set(), f"dvc.yaml, {name}: reads {sorted(extra)} without depending on them"
        idle = {path for path in wanted if not any(under(file, [path]) for file in reads[name])}
        assert idle == set(), f"dvc.yaml, {name}: depends on {sorted(idle)} without reading them"
        leaves = set(flat(values))
        declared = {leaf for leaf in leaves if any(f"{leaf}.".startswith(f"{line}.") for line in entry["params"])}
        assert declared == lines[name], f"dvc.yaml, {name}: params {sorted(declared ^ lines[name])}"


def recorded(checkout: Checkout, *commands: str) -> dict[str, dict[str, list[str]]]:
    """What each stage's command opens in the checkout (see recorded.py)."""
    log = checkout.folder.parent / "log.json"
    stages = [command.removeprefix("python -m stages.") for command in commands]
    done = subprocess.run([sys.executable, "-m", "tests.recorded", str(log), *stages], text=True,
                          cwd=checkout.folder, env=checkout.environment | {"PYTHONPATH": str(ROOT)},
                          capture_output=True)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(commands, json.loads(log.read_text()).values(), strict=True))


def flat(values: dict, prefix: str = "") -> Iterator[str]:  # type: ignore[type-arg]
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def under(file: str, paths: object) -> bool:
    return any(file == path or file.startswith(f"{path}/") for path in paths)  # type: ignore[attr-defined]


def own(entry: dict) -> set[str]:  # type: ignore[type-arg]
    """What a stage writes, which it may read again."""
    return {str(next(iter(out)) if isinstance(out, dict) else out).replace("${item}", "0") for out in entry["outs"]}


def resolved(values: dict):  # type: ignore[no-untyped-def,type-arg]
    def path(text: str) -> str:
        return text.replace("${dataset.root}", values["dataset"]["root"]).replace(
            "${synthesize.weights}", values["synthesize"]["weights"])  # fmt: skip

    return path
