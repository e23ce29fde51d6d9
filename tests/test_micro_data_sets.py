"""CASME II, SAMM and SMIC: tiny trees in their published layouts, of simulated faces, through the stages' own code."""

import contextlib
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from dvc.repo import Repo
from openpyxl import Workbook
from PIL import Image
from typer.testing import CliRunner

from flows import parameters
from lmf_fer.cli import app
from lmf_fer.predict.predictor import Predictor
from stages.evaluate import facts
from stages.ingest import casme2, faces, samm, smic
from stages.ingest.datasets import DATASETS, classes
from stages.ingest.params import Dataset
from stages.tables import params, parquet, schema
from stages.tables.errors import Unusable, UserError
from tests import finished_run
from tests.conftest import write_params

EMOTIONS = {
    "casme2": ["happiness", "disgust", "repression", "surprise", "others", "happiness", "fear", "surprise"],
    "samm": ["Happiness", "Anger", "Contempt", "Surprise", "Other", "Happiness", "Sadness", "Surprise"],
    "smic": ["positive", "negative", "negative", "surprise", "negative", "positive", "negative", "surprise"],
}
CLASSES = ["positive", "negative", "negative", "surprise", None, "positive", "negative", "surprise"]
HEADS = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "Estimated Emotion"]
FIRST = 46
"""Number of a clip's first frame in the trees with spreadsheets."""


def sheet(file: Path, head: list[str], lines: list[list[object]], above: int = 0) -> None:
    book = Workbook()
    for _ in range(above):
        book.active.append(["about the data set"])
    for line in [head, *lines]:
        book.active.append(line)
    book.save(file)


def fake(name: str, simulated: Path, root: Path) -> Path:
    """Eight clips of four subjects; in the coded data sets three more frames follow the apex."""
    lines: list[list[object]] = []
    for number, folder in enumerate(sorted((simulated / "cohn-kanade-images").glob("*/*"))):
        files, emotion, person = sorted(folder.glob("*.png")), EMOTIONS[name][number], number // 2 + 1
        clip, made = {
            "casme2": (f"EP02_{number:02}f", "CASME2_RAW_selected/sub{person:02}/{clip}/img{frame}.jpg"),
            "samm": (f"{person:03}_1_{number}", "SAMM/{person:03}/{clip}/{person:03}_{frame:05}.jpg"),
            "smic": (f"s{person}_{emotion[:2]}_{number:02}",
                     "SMIC_all_raw/HS/s{person}/micro/{emotion}/{clip}/image{frame:03}.bmp"),
        }[name]  # fmt: skip
        shown = files + files[::-1][: 3 if name != "smic" else len(files)]
        for frame, file in enumerate(shown, FIRST):
            target = root / made.format(person=person, clip=clip, frame=frame, emotion=emotion)
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.open(file).convert("RGB").save(target, quality=97)
        apex = FIRST + len(files) - 1
        lines.append([person, clip, None, FIRST, apex, apex + 3, None, "4+7", emotion])
    head = ["Subject", "Filename", "", "OnsetFrame", "ApexFrame", "OffsetFrame", "", "Action Units"]
    if name == "casme2":
        sheet(root / "CASME2-coding-20140508.xlsx", [*head, "Estimated Emotion"], lines)
    elif name == "samm":
        head = ["Subject", "Filename", "Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Action Units"]
        sheet(root / "SAMM_Micro_FACS_Codes_v2.xlsx", [*head, "Estimated Emotion"],
              [[f"{line[0]:03}", *line[1:]] for line in lines], above=13)  # fmt: skip
    return root


@pytest.fixture(scope="module")
def trees(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    for name in EMOTIONS:
        fake(name, simulated, folder / name)
    return folder


@pytest.mark.parametrize("name", EMOTIONS)
def test_a_clip_runs_from_onset_to_apex_and_has_one_of_three_classes(name: str, trees: Path, simulated: Path) -> None:
    source, names = DATASETS[name].reader, DATASETS[name].emotions
    clips = source.sequences(trees / name)
    assert len(clips) == 8
    assert len({clip.subject for clip in clips}) == 4
    originals = sorted((simulated / "cohn-kanade-images").glob("*/*"))
    by_number = sorted(clips, key=lambda clip: clip.session.split("_")[-1])
    for clip, wanted, folder in zip(by_number, CLASSES, originals, strict=True):
        length = len(list(folder.glob("*.png")))
        files = source.frames(clip)
        assert len(files) == (length + 1 if name == "smic" else length)  # SMIC: the middle of there and back
        assert [int("".join(filter(str.isdecimal, file.stem))[-2:]) for file in files] == list(
            range(FIRST, FIRST + len(files))
        )
        if wanted is None and name != "smic":
            with pytest.raises(Unusable, match="only negative, positive, surprise"):
                source.emotion(clip)
        else:
            assert names[source.emotion(clip)] == (wanted or "negative")
        grey = faces.read_grey(files[0])
        original = cv2.imread(str(sorted(folder.glob("*.png"))[0]), cv2.IMREAD_GRAYSCALE)
        assert np.abs(grey.astype(int) - original).mean() < (0.01 if name == "smic" else 2)


@pytest.mark.parametrize("name", ["casme2", "samm"])
def test_what_the_spreadsheet_leaves_open_is_set_aside(name: str, trees: Path, tmp_path: Path) -> None:
    root = shutil.copytree(trees / name, tmp_path / name)
    source = DATASETS[name].reader
    one, two, three, *_ = source.sequences(root)
    (one.folder.parent / "unheard of").mkdir()
    next(two.folder.glob(f"*{FIRST + 1}.jpg")).unlink()
    shutil.rmtree(three.folder)
    clips = {clip.session: clip for clip in source.sequences(root)}
    assert len(clips) == 9
    with pytest.raises(Unusable, match="no list names it"):
        source.emotion(clips["unheard of"])
    for session, says in ((two.session, f"frames {FIRST + 1} are missing"), (three.session, "no such folder")):
        with pytest.raises(Unusable, match=says):
            source.frames(clips[session])
    for onset, apex, says in ((46, "/", "its apex is coded as '/'"), (50, 47, "does not lie after its onset, 50"),
                              (46, 46, "does not lie after"), (46, 99, "holds no frame 99"),
                              (46, None, "its apex is coded as nothing"), (None, -1, "its onset is coded as nothing"),
                              ("x", 47, "its onset is coded as 'x'")):  # fmt: skip
        clip = replace(one, onset=onset, apex=apex, offset=None)
        with pytest.raises(Unusable, match=says):
            source.frames(clip)
    assert len(source.frames(replace(one, onset=46, apex=47))) == 2  # one step is one map, which is a reading


def test_the_middle_stands_for_an_apex_that_is_not_coded_where_that_is_asked_for(trees: Path) -> None:
    one = casme2.sequences(trees / "casme2")[0]
    last = FIRST + len(list(one.folder.glob("*.jpg"))) - 1
    middle = FIRST + (last + 1 - FIRST) // 2
    for apex in ("/", None, "", FIRST, FIRST - 1, last + 5):
        clip = replace(one, onset=FIRST, apex=apex, offset=last)
        with pytest.raises(Unusable, match=r"ingest\.middle_apex"):
            casme2.frames(clip)
        assert clip.ends == "coded"
        assert clip.with_middle().ends == "middle"
        assert [file.stem for file in casme2.frames(clip.with_middle())] == [
            f"img{number}" for number in range(FIRST, middle + 1)]  # fmt: skip
    for onset, offset in ((FIRST, None), (FIRST, FIRST), (None, last), (FIRST, FIRST + 1)):
        clip = replace(one, onset=onset, apex="/", offset=offset, middle=True)
        with pytest.raises(Unusable, match="is coded as"):
            casme2.frames(clip)
    coded = replace(one, onset=FIRST, apex=FIRST + 2, offset=FIRST - 9)  # an offset that is none is not needed
    assert len(casme2.frames(coded)) == 3
    assert coded.with_middle().ends == "coded"


def test_the_challenge_s_list_decides_where_it_is(trees: Path, tmp_path: Path) -> None:
    root = shutil.copytree(trees / "smic", tmp_path / "smic")
    on_it = smic.sequences(root)[0]
    subject, word, number = on_it.session.split("_")
    (root / "combined_3class_gt.csv").write_text(
        f"smic,{subject[0]}0{subject[1:]},{subject[0]}0{subject[1:]}_{word}_{number},2\n"
    )
    first, *others = smic.sequences(root)
    assert smic.emotion(first) == 3
    for clip in others:
        with pytest.raises(Unusable, match="no list names it"):
            smic.emotion(clip)
    (root / "combined_3class_gt.csv").write_text("a,b\n")
    with pytest.raises(UserError, match="class 0 to 2"):
        smic.sequences(root)


def no_zip(file: Path) -> None:
    file.write_bytes(b"PK\3\4 not a spreadsheet")


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-500])


def bomb(file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(60_000_000))


def other_columns(file: Path) -> None:
    sheet(file, ["who", "what"], [[1, 2]])


def outside(file: Path) -> None:
    sheet(file, HEADS, [[1, "EP02_01f", 1, 9, "fear"], [1, "../x", 1, 9, "fear"]])


def of_samm(file: Path) -> None:
    sheet(file, HEADS, [["006", None, 1, 9, "fear"]])


def old_format(file: Path) -> None:
    file.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000))


def another(file: Path) -> None:
    (file.parent / "codes").mkdir()
    sheet(file.parent / "codes/mine.xlsx", HEADS, [[1, "EP02_00f", 46, 48, "fear"]])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (no_zip, "not a readable spreadsheet"),
        (cut_short, "not a readable spreadsheet"),
        (bomb, "it is too large"),
        (old_format, "not a readable spreadsheet"),
        (other_columns, "no line names the columns subject, filename, onsetframe"),
        (outside, "line 3: names no subject and clip"),
        (of_samm, "its clips are not named like sub01/EP02_01f"),
        (another, r"several spreadsheets code its clips, and differ \(CASME2-coding-20140508.xlsx, codes/mine.xlsx\)"),
        (Path.unlink, r"holds no spreadsheet \(.xlsx, .xls\) with a line a clip \(subject, clip, onset"),
        (
            lambda file: shutil.rmtree(file.parent / "CASME2_RAW_selected"),
            r"holds no folders of clips such as CASME2_RAW_selected/sub01/EP02_01f \(CASME2-RAW, RAW_selected, "
            r"Cropped-updated/Cropped, Cropped, Cropped_original would do too\)",
        ),
        (lambda file: shutil.rmtree(file.parent), "no such folder"),
    ],
)
def test_a_tree_that_is_no_casme2_is_one_sentence(
    spoil: Callable[[Path], None], says: str, trees: Path, tmp_path: Path
) -> None:
    (tmp_path / "ck/CASME2_RAW_selected").mkdir(parents=True)
    file = Path(shutil.copy(trees / "casme2/CASME2-coding-20140508.xlsx", tmp_path / "ck"))
    spoil(file)
    with pytest.raises(UserError, match=says):
        casme2.sequences(tmp_path / "ck")


@pytest.mark.parametrize("module", [samm, smic])
def test_an_empty_folder_is_one_sentence(module: object, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path}: holds no "):
        module.sequences(tmp_path)  # type: ignore[attr-defined]


def test_every_data_set_is_known_everywhere(tmp_path: Path) -> None:
    assert f"# {' | '.join(DATASETS)} " in (finished_run.REPOSITORY / "params.yaml").read_text()
    for name, known in DATASETS.items():
        write_params(tmp_path, dataset={"name": name, "root": "ck"})
        assert params.read(Dataset, tmp_path / "params.yaml").name == name
        parts = ("sequences", "emotion", "measured" if known.tracks else "frames")
        assert all(callable(getattr(known.reader, part)) for part in parts)
        assert list(known.emotions) == list(schema.EMOTIONS)[: len(known.emotions)]
        assert not known.classes or list(known.classes) == list(known.emotions.values())


@pytest.mark.parametrize("name", EMOTIONS)
def test_counts_are_compared_with_the_published_ones(name: str) -> None:
    known = DATASETS[name]
    assert sum(DATASETS[each].classes["negative"] for each in EMOTIONS) == 250  # of MEGC's 442
    assert sum(sum(DATASETS[each].classes.values()) for each in EMOTIONS) == 442
    emotion = [code for code, word in known.emotions.items() for _ in range(known.classes[word])]
    rows = pd.DataFrame({"emotion": emotion, "sequence": range(len(emotion))})
    rows["subject"] = rows["fold"] = rows["sequence"] % 16
    rows["dataset"], rows["apex"] = name, "middle" if name == "smic" else "coded"
    nothing = pd.DataFrame(columns=schema.REJECTED.schema.names)
    table = pd.DataFrame(classes(name))
    sentence = facts.sentence(facts.facts(table, rows, pd.Index(rows["sequence"]), nothing, list(range(16))))
    assert "3 of 3 emotions" in sentence
    assert "class counts agree with the published ones" in sentence
    assert "leave-one-subject-out" not in sentence
    assert (f"Of {len(rows)} the middle stands for the apex" in sentence) == (name == "smic")
    sentence = facts.sentence(facts.facts(table, rows.assign(fold=0)[1:], pd.Index([]), nothing, [0]))
    assert "do NOT agree" in sentence
    assert "NOT leave-one-subject-out: protocol.folds needs 16 folds" in sentence


def test_three_classes_and_one_subject_a_fold_through_all_stages(
    trees: Path, tmp_path: Path, simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("dvc.yaml", "data/dvc.yaml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(finished_run.REPOSITORY / file, tmp_path / file)
    write_params(tmp_path, dataset={"name": "casme2", "root": str(trees / "casme2")}, protocol={"folds": [0, 1, 2, 3]},
                 machine={"workers": 1})  # fmt: skip
    assert "7 of 8 sequences" in (printed := finished_run.run(tmp_path, "ingest"))
    assert "4 folds; set aside: 1 unlabelled; 8 sequences of 4 subjects, published: 247 of 26" in printed
    for stage in ("synthesize", "landmark", "featurize"):
        finished_run.run(tmp_path, stage)
    for fold in range(4):
        for model in ("lmf", "dtagn"):
            monkeypatch.setattr(sys, "argv", ["train", model, str(fold)])
            finished_run.run(tmp_path, "train")
            rows = parquet.read(tmp_path / f"results/predictions/{model}-{fold}.parquet", schema.PREDICTIONS)
            probability = np.stack(list(rows["probability"]))
            assert set(rows["predicted"]) <= {1, 2, 3}
            assert (probability[:, 3:] == 0).all()
            np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-5)
            assert rows["subject"].nunique() == 1
    printed = finished_run.run(tmp_path, "evaluate")
    assert "7 of 7 sequences of 4 subjects, 3 of 3 emotions, 4 of 4 folds hold subjects" in printed
    assert "General is the micro-expression as filmed" in printed
    assert "leave-one-subject-out" not in printed
    table = pd.read_csv(tmp_path / "results/table.csv")
    assert (table["total"] == 7).all()
    assert table[["uf1", "uar"]].notna().all(axis=None)
    confusion = pd.read_csv(tmp_path / "results/plots/confusion.csv")
    assert confusion["actual"].value_counts().to_dict() == {"negative": 3, "positive": 2, "surprise": 2}
    text = (tmp_path / "results/table.md").read_text()
    assert re.search(r"\| LMF-FER +\| casme2 +\| 7 .*about 74%", text)
    assert text.count("about 74%") == 1
    Repo.init(str(tmp_path), no_scm=True).close()
    finished_run.run(tmp_path, "report")
    page = (tmp_path / "results/report.html").read_text()
    assert "filmed micro-expressions" in page
    assert "about 74%" in page
    assert "simulated</b> faces in CK+'s layout" not in page
    monkeypatch.chdir(tmp_path)
    folder = simulated / "cohn-kanade-images/S001/001"
    clip = np.stack([cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in sorted(folder.glob("*.png"))])
    for probability in Predictor.load()(clip).probability.values():
        assert probability.shape == (3,)
        assert probability.sum() == pytest.approx(1, abs=1e-5)


def test_the_composite_trains_on_two_data_sets_and_tests_on_the_third(
    trees: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three clips of each, of three classes and people, by the challenge's list."""
    lines = ["casme2,sub09,EP02_09f,0"]
    for name, reader in (("casme2", casme2), ("samm", samm), ("smic", smic)):
        (tmp_path / "data sets" / name).mkdir(parents=True)
        for entry in (trees / name).iterdir():
            (tmp_path / "data sets" / name / entry.name).symlink_to(entry)
        chosen = {}
        for clip in reader.sequences(trees / name):
            with contextlib.suppress(Unusable):
                chosen.setdefault(reader.emotion(clip), clip)
        lines += [f"{name},{clip.subject},{clip.session},{code - 1}" for code, clip in chosen.items()]
    (tmp_path / "data sets/combined_3class_gt.csv").write_text("\n".join(lines))
    dataset = {"name": "megc2019", "root": "data sets"}
    write_params(tmp_path, dataset=dataset, protocol={"folds": [0, 1, 2]}, ingest={"folds_by": "dataset"},
                 machine={"workers": 1})  # fmt: skip
    printed = finished_run.run(tmp_path, "ingest")
    assert "9 of 25 sequences" in printed
    assert "3 folds; set aside: 1 frames, 15 unlabelled" in printed
    rows = parquet.read(tmp_path / "data/interim/sequences.parquet", schema.SEQUENCES)
    assert rows.groupby("dataset")["fold"].unique().map(list).to_dict() == {"casme2": [0], "samm": [1], "smic": [2]}
    assert rows.groupby("dataset")["apex"].unique().map(list).to_dict() == {
        "casme2": ["coded"], "samm": ["coded"], "smic": ["middle"]}  # fmt: skip
    assert rows["subject"].str.startswith(tuple(f"{name}/" for name in EMOTIONS)).all()
    for stage in ("synthesize", "landmark", "featurize"):
        finished_run.run(tmp_path, stage)
    for fold in range(3):
        for model in ("lmf", "dtagn"):
            monkeypatch.setattr(sys, "argv", ["train", model, str(fold)])
            finished_run.run(tmp_path, "train")
    monkeypatch.setattr(sys, "argv", ["evaluate"])
    printed = finished_run.run(tmp_path, "evaluate")
    assert "Leave-one-data-set-out" in printed
    assert "Of 3 the middle stands for the apex" in printed
    filmed = json.loads((tmp_path / "results/statistics.json").read_text())["filmed"]
    assert [(row["dataset"], row["total"], row["reported"]) for row in filmed if row["method"] == "LMF-FER"] == [
        ("all", 9, 0), ("casme2", 3, 74), ("samm", 3, 0), ("smic", 3, 71)]  # fmt: skip
    write_params(tmp_path, dataset={"name": "smic", "root": "data sets/smic"}, ingest={"folds_by": "dataset"})
    with pytest.raises(SystemExit, match="needs several data sets, and smic is one"):
        finished_run.run(tmp_path, "ingest")


def test_one_command_leaves_one_subject_out(trees: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the run itself: the lines that it changes are valid, and there are as many folds as labelled people."""
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lmf_fer.loso.reproduce", lambda overrides, workers: "\n".join(parameters.apply(overrides)))
    result = CliRunner().invoke(app, ["loso", "casme2", str(trees / "casme2")])
    assert result.exit_code == 0, result.output
    assert params.read(Dataset) == Dataset(name="casme2", root=str(trees / "casme2"))
    assert params.line("protocol.folds", params.Folds) == [0, 1, 2, 3]
    for arguments, says in ((["casme9", "."], "casme9 is no data set; there is simulated, ckplus, casme2"),
                            (["smic", str(tmp_path)], "holds no folders of clips")):  # fmt: skip
        assert says in CliRunner().invoke(app, ["loso", *arguments]).stderr
