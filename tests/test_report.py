"""The report of a made-up run: what it says, that it stands alone, and how a real browser shows it."""

from __future__ import annotations

import html.parser
import json
import os
import platform
import re
import shutil
from collections import Counter
from pathlib import Path

import networkx as nx
import pandas as pd
import pytest
from dvc.repo import Repo
from matplotlib.patches import FancyBboxPatch

from stages.report import charts, examples, page, pipeline
from stages.report.style import SETS
from stages.tables.methods import METHODS
from stages.tables.schema import EMOTIONS
from tests import browser, finished_run
from tests.conftest import ROOT, run_stage, start_stage

FIGURES = ("table", "confusion", "gate", "share", "size", "learning", "faces", "reading", "emotions", "sequence",
           "pipeline")  # fmt: skip
MEASURED = ("landmarks", "interpolation")
"""Figures of benchmarks, which the page shows beside its own."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    finished_run.write(root, subjects=12)
    Repo.init(str(root), no_scm=True).close()
    for stage in ("evaluate", "report"):
        finished_run.run(root, stage)
    return root / "results"


class Page(html.parser.HTMLParser):
    """The elements of a page, checked to be closed in the order in which they were opened."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(file.read_text())
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def test_page_stands_alone(results: Path) -> None:
    shown = Page(results / "report.html")
    addresses = [str(value) for _, attributes in shown.elements for key, value in attributes.items()
                 if key in ("src", "href")]  # fmt: skip
    assert {address[:5] for address in addresses if not address.startswith("#")} == {"data:"}
    assert not re.search(r"url\(|@import|<script", (results / "report.html").read_text())
    assert (results / "report.html").stat().st_size < 5e6
    assert len(shown.all("img")) == len(FIGURES) + len(MEASURED)


def test_page_can_be_read_aloud_and_used_by_keyboard(results: Path) -> None:
    shown = Page(results / "report.html")
    names = [str(attributes["id"]) for _, attributes in shown.elements if "id" in attributes]
    assert max(Counter(names).values()) == 1
    links = [str(link["href"])[1:] for link in shown.all("a")]
    assert len(links) > 10
    for name in links + [str(a["aria-labelledby"]) for _, a in shown.elements if "aria-labelledby" in a]:
        assert name in names
    assert shown.all("html") == [{"lang": "en"}]
    assert len(shown.all("h1")) == len(shown.all("main")) == 1
    assert len(shown.all("caption")) == len(shown.all("table")) >= 10
    assert all(heading.get("scope") for heading in shown.all("th"))
    assert all(len(str(image["alt"])) > 30 for image in shown.all("img"))
    scrolled = [a for tag, a in shown.elements if tag == "div" and a.get("class") == "scroll"]
    assert len(scrolled) == len(shown.all("table")) + len(FIGURES) + len(MEASURED)
    assert all(a["tabindex"] == "0" and ("aria-label" in a or "aria-labelledby" in a) for a in scrolled)


def test_page_shows_what_evaluate_wrote(results: Path) -> None:
    words, tidy = Page(results / "report.html").words(), pd.read_csv(results / "table.csv")
    for row in tidy.itertuples():
        if row.set == "mixed":
            cell = f"{100 * row.mean:.2f}% ± {100 * row.sd:.2f} first draw {row.correct}/{row.total} ="
        else:
            cell = f"{100 * row.accuracy:.2f}% {row.correct}/{row.total}"
        assert cell in words
        assert f"{100 * row.wilson_low:.1f}% to {100 * row.wilson_high:.1f}% {row.uf1:.3f} {row.uar:.3f}" in words
    for printed in ("93.88% 307/327", "43.34% 142/327", "77.98% 255/327", "88.69% 290/327"):
        assert printed in words
    statistics = json.loads((results / "statistics.json").read_text())
    for fold in statistics["dataset"]["folds"]:
        assert f"{fold['fold']} {fold['subjects']} {fold['sequences']}" in words
    assert "Not counted: S012/001" in words
    assert "ingest unlabelled 1 synthesize face lost 1" in words
    assert "S001/009" not in words
    assert "S012/001 (synthesize): frame 3 shows no face" in words


def test_page_says_what_stages_took(results: Path) -> None:
    words = Page(results / "times/times.html").words()
    assert "ingest 1 1 min 01 s 1 min 01 s 0.25 GB 2017-07-14 02:40" in words
    assert "train-lmf 10 22.5 s of 2 runs 12.5 s 0.25 GB 2017-07-14 02:40" in words
    assert "landmark 1 not recorded featurize 1 not recorded" in words
    assert re.search(r"all \d+ 1 min 24 s", words)
    assert f"Python {platform.python_version()}" in words
    assert f"cores {os.cpu_count()}" in words


def test_page_shows_what_benchmarks_wrote(results: Path) -> None:
    words = Page(results / "report.html").words()
    for name in MEASURED:
        rows = [line for line in (ROOT / f"benchmarks/{name}.md").read_text().splitlines() if line.startswith("| ")]
        assert len(rows) > 10
        for row in rows:
            cells = row.replace("|", " ").split()
            assert "---" in cells or " ".join(cells) in words


def test_page_and_figures_are_the_same_bytes_whatever_the_stages_took(results: Path) -> None:
    files = [
        results / "report.html",
        *(results / f"figures/{name}.{kind}" for name in FIGURES for kind in ("png", "svg")),
    ]
    assert sorted((results / "figures").iterdir()) == sorted(files[1:])
    before = [file.read_bytes() for file in files]
    (results / "times/ingest.json").unlink()
    result = run_stage(results.parent, "report")
    assert result.returncode == 0, result.stderr
    assert [file.name for file, data in zip(files, before, strict=True) if file.read_bytes() != data] == []


def test_charts_show_the_numbers_of_the_table(results: Path) -> None:
    tidy, pairs = pd.read_csv(results / "table.csv"), pd.read_csv(results / "plots/confusion.csv")
    rows = [tidy[(tidy["set"] == name) & (tidy["method"] == method)].iloc[0]
            for name in SETS for method in METHODS]  # fmt: skip
    (axes,) = charts.table(tidy).axes
    assert [bar.lines[0].get_xdata()[0] for bar in axes.containers] == [100 * row["accuracy"] for row in rows]
    assert [text.get_text() for text in axes.texts if "%" in text.get_text()] == [
        f"{100 * row['mean']:.1f}%" for row in rows
    ]
    for axes in charts.confusion(pairs, EMOTIONS.values()).axes:
        method, name = axes.get_title().split(", ")
        counts = {text.get_position(): int(text.get_text()) for text in axes.texts}
        assert sum(counts.values()) == len(pairs)
        correct = tidy[(tidy["set"] == name) & (tidy["method"] == method)]["correct"].item()
        assert sum(count for (x, y), count in counts.items() if x == y) == correct


def test_no_real_face_is_shown(tmp_path: Path) -> None:
    """Few subjects, two emotions, real data: the page is written, without opening the face tables, or benchmarks."""
    finished_run.write(tmp_path, subjects=3, emotions=(1, 5), dataset="ckplus")
    Repo.init(str(tmp_path), no_scm=True).close()
    (tmp_path / "data/interim/frames.parquet").unlink()
    for stage in ("evaluate", "report"):
        finished_run.run(tmp_path, stage)
    words = Page(tmp_path / "results/report.html").words()
    assert "fold sizes do not agree with the published ones" in words
    assert "simulated faces in CK+'s layout" not in words
    assert "3 of 10 hold subjects" in words
    assert "Benchmarks" not in words  # they were measured on simulated people


def test_a_metric_is_one_entry(tmp_path: Path) -> None:
    """A metric that is declared in a copy of the project is in every table, in DVC's metrics and on the page."""
    finished_run.write(tmp_path, subjects=3)
    Repo.init(str(tmp_path), no_scm=True).close()
    shutil.rmtree(tmp_path / "benchmarks")  # the page does without
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    declared = tmp_path / "stages/evaluate/metrics.py"
    entry = """METRICS = (
    Metric("errors", "Errors", lambda actual, predicted: float((actual != predicted).sum()), ".1f", "wrong answers",
           tracked=True),"""
    declared.write_text(declared.read_text().replace("METRICS = (", entry))
    for stage in ("evaluate", "report"):
        result = start_stage(tmp_path, stage)
        assert result.returncode == 0, result.stderr
    results, words = tmp_path / "results", Page(tmp_path / "results/report.html").words()
    row = pd.read_csv(results / "table.csv").set_index(["method", "set"]).loc[("LMF-FER", "micro")]
    assert row["errors"] == row["total"] - row["correct"]
    assert json.loads((results / "table.json").read_text())["LMF-FER"]["micro"]["errors"] == row["errors"]
    assert re.search(rf"\| LMF-FER +\| micro +\|[^|]+\|[^|]+\| {row['errors']} ", (results / "table.md").read_text())
    assert "95% interval Errors UF1 UAR" in words
    assert f"{100 * row['wilson_high']:.1f}% {row['errors']:.1f} {row['uf1']:.3f} {row['uar']:.3f}" in words
    assert "wrong answers; unweighted F1" in words
    assert "Benchmarks" not in words


def test_before_evaluate_one_sentence(tmp_path: Path) -> None:
    finished_run.write(tmp_path, subjects=2)
    Repo.init(str(tmp_path), no_scm=True).close()
    with pytest.raises(SystemExit, match=r"^error: results/plots: not found; .* dvc repro evaluate$"):
        finished_run.run(tmp_path, "report")


def test_outside_a_repository_one_sentence(tmp_path: Path) -> None:
    finished_run.write(tmp_path, subjects=2)
    with pytest.raises(SystemExit, match=r"^error: dvc.yaml: DVC cannot read the pipeline here"):
        finished_run.run(tmp_path, "report")


def test_folds_are_one_box_and_edges_follow_the_data() -> None:
    stages = nx.DiGraph()
    for address, needs, outs in (
        ("data/dvc.yaml:simulate", [], ["data/raw/simulated"]),
        ("ingest", ["data/dvc.yaml:simulate"], ["data/interim/frames.parquet"]),
        ("train-lmf@0", ["ingest"], ["results/predictions/lmf-0.parquet"]),
        ("train-lmf@1", ["ingest"], ["results/predictions/lmf-1.parquet"]),
        ("evaluate", ["train-lmf@0", "train-lmf@1", "ingest"], ["results/table.csv", "results/plots"]),
    ):
        stages.add_node(address, outs=outs)
        stages.add_edges_from((needed, address) for needed in needs)
    graph = pipeline.collapse(stages)
    assert set(graph.edges) == {("simulate", "ingest"), ("ingest", "train-lmf"), ("train-lmf", "evaluate"),
                                ("ingest", "evaluate")}  # fmt: skip
    assert graph.nodes["train-lmf"] == {"count": 2, "outs": ["predictions"]}
    assert graph.nodes["evaluate"] == {"count": 1, "outs": ["table", "plots"]}
    assert next(iter(nx.topological_sort(graph))) == "simulate"


def test_boxes_side_by_side_stay_in_the_picture() -> None:
    stages = nx.DiGraph()
    stages.add_nodes_from(["train-lmf", "train-dtagn", "train-svm"], outs=["results/predictions"])
    graph = pipeline.collapse(stages)
    boxes = [patch for patch in pipeline.draw(graph).axes[0].patches if isinstance(patch, FancyBboxPatch)]
    sides = sorted((box.get_x(), box.get_x() + box.get_width()) for box in boxes)
    assert len(sides) == 3
    edges = [0.0, *(edge for side in sides for edge in side), pipeline.LANES[0]]
    assert edges == sorted(edges)


def test_examples_are_medians_not_favourites() -> None:
    names = [f"S{i:03}/001" for i in range(11)]
    sfem = pd.DataFrame({"sequence": names * 2, "set": ["general"] * 11 + ["micro"] * 11,
                         "sfem": [*range(11), *range(50, 61)]})  # fmt: skip
    sequences = pd.DataFrame({"sequence": names, "emotion": [2] * 5 + [7] * 6})
    assert examples.typical(sfem, sequences) == ["S002/001", "S007/001"]
    assert examples.spread(sfem) == ["S001/001", "S005/001", "S009/001"]
    assert examples.spread(sfem.sample(frac=1, random_state=1)) == examples.spread(sfem)
    assert examples.spread(sfem[sfem["sequence"] == names[3]]) == [names[3]]


def test_parameters_are_listed_flat() -> None:
    assert page.settings({"a": {"b": 1, "c": {"d": [1, 2]}}, "e": "x"}) == [("a.b", "1"), ("a.c.d", "1, 2"), ("e", "x")]


PROBE = """<!doctype html><body style="margin:0">
<iframe style="width:{width}px;height:2000px;border:0" src="report.html"></iframe><pre id="answer"></pre><script>
addEventListener("load", () => {{
  const page = document.querySelector("iframe").contentWindow, root = page.document.documentElement;
  const images = [...page.document.images];
  const seen = element => page.getComputedStyle(element);
  document.getElementById("answer").textContent = JSON.stringify({{
    overflow: root.scrollWidth - root.clientWidth,
    images: images.filter(image => image.complete && image.naturalWidth > 100).length,
    broken: images.filter(image => !image.naturalWidth).length,
    fetched: page.performance.getEntriesByType("resource").map(entry => entry.name.slice(0, 5)),
    smallest: Math.min(...[...page.document.querySelectorAll("p, td, th, li, small, figcaption")]
      .map(element => parseFloat(seen(element).fontSize))),
    cut: [...page.document.querySelectorAll("body *")].filter(element =>
      element.scrollWidth > element.clientWidth + 1 && seen(element).overflowX == "hidden").length,
    focused: [...page.document.querySelectorAll(".scroll")].every(element => {{
      element.focus(); return page.document.activeElement == element; }}),
  }});
}});
</script>"""


@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser(results: Path, tmp_path: Path, width: int) -> None:
    (results / "probe.html").write_text(PROBE.format(width=width))
    seen = browser.answer(results / "probe.html", tmp_path / "profile")
    (results / "probe.html").unlink()
    assert seen["overflow"] <= 0
    assert seen["images"] == len(FIGURES) + len(MEASURED)
    assert seen["broken"] == 0
    assert set(seen["fetched"]) <= {"data:"}
    assert seen["smallest"] >= 12
    assert seen["cut"] == 0
    assert seen["focused"]
