"""Clips of one's own, with networks that have learnt nothing: what is read, what is said, and what is written."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from lmf_fer.predict import Predictor, clips, command, predictor, tables
from lmf_fer.predict.predictor import METHODS
from lmf_fer.spot.command import spot
from stages.ingest.datasets import classes
from stages.tables import params, parquet
from stages.tables.errors import Unusable, UserError
from stages.tables.schema import CLASSES, SEQUENCES
from stages.train import dtagn, lmf, weights
from tests.conftest import ROOT, write_params

FACE = 180
"""Median width of the faces that the networks were trained on, px, says the run."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder as a finished run leaves it, of two folds; the second had no subject for LMF-FER."""
    write_params(tmp_path, protocol={"folds": [0, 1]})
    one, two = (params.read(model.Config, tmp_path / "params.yaml") for model in (lmf, dtagn))
    torch.manual_seed(0)
    for fold in (0, 1):
        network = lmf.LmfFer(one, one.width.default) if fold == 0 else None
        weights.save(tmp_path / f"results/models/lmf-{fold}.safetensors", "lmf", one, network)
        network = dtagn.Dtagn(two, two.width.default, 64)
        weights.save(tmp_path / f"results/models/dtagn-{fold}.safetensors", "dtagn", two, network)
    (tmp_path / "results/statistics.json").write_text(json.dumps({"gate": {"thresholds": {"0": 0.02, "1": 0.08}}}))
    row: dict[str, Any] = dict.fromkeys(SEQUENCES.schema.names, 5)
    row |= {
        "sequence": "S001/001",
        "subject": "S001",
        "session": "001",
        "box_width": FACE,
        "apex": "last",
        "dataset": "simulated",
    }
    parquet.write(tmp_path / "data/interim/sequences.parquet", SEQUENCES, [row])
    parquet.write(tmp_path / "data/interim/classes.parquet", CLASSES, classes("simulated"))
    return tmp_path


def grey(simulated: Path) -> np.ndarray:
    folder = simulated / "cohn-kanade-images/S001/001"
    return np.stack([cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in sorted(folder.glob("*.png"))])


def video(file: Path, frames: np.ndarray) -> None:
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 30, frames.shape[2:0:-1])
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()


def predict(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lmf_fer", "predict", *arguments], cwd=folder, text=True,
                          capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip


def test_a_folder_a_video_and_an_array_are_the_same_clip(
    project: Path, simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    frames = grey(simulated)
    video(project / "clip.avi", frames)
    predictor = Predictor.load()
    assert predictor.threshold == pytest.approx(0.04)  # the geometric mean
    answer = predictor(frames)
    assert set(answer.probability) == set(METHODS)
    for probability in answer.probability.values():
        assert probability.shape == (7,)
        assert probability.sum() == pytest.approx(1, abs=1e-5)
    assert answer.branch == ("DTAGN" if answer.sfem > 0.04 else "LMF-FER")
    np.testing.assert_array_equal(answer.probability["Joint framework"], answer.probability[answer.branch])
    assert answer.landmarks.points.shape == (len(frames), 68, 2)
    assert answer.landmarks.status == ["detected"] + ["carried"] * (len(frames) - 1)
    coloured = predictor(np.repeat(frames[..., None], 3, axis=3))
    np.testing.assert_array_equal(coloured.landmarks.points, answer.landmarks.points)
    from_video = predictor(np.stack(list(clips.frames(project / "clip.avi"))))  # compressed, so only alike
    assert np.abs(from_video.landmarks.points - answer.landmarks.points).mean() < 0.5
    large = predictor(np.stack([cv2.resize(frame, None, fx=2, fy=2) for frame in frames]))
    assert large.sfem == pytest.approx(answer.sfem, rel=0.4), "the gate does not see how near the camera was"
    with pytest.raises(ValueError, match="uint8"):
        predictor(frames.astype(float))


def test_the_run_s_networks_answer_for_the_expressions_of_a_film(
    project: Path, simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    frames = grey(simulated)
    there = np.linspace(0, len(frames) - 1, 15).round().astype(int)
    order = [*[0] * 20, *there, *[len(frames) - 1] * 25, *there[::-1], *[0] * 40]
    video(project / "film.avi", frames[order])
    spot([Path("film.avi")], Path("out"), "run", 25.0)
    events = pd.read_csv("out/events.csv")
    assert list(events["networks"]) == ["run"]
    for method in METHODS:
        assert events.filter(regex=f"^{method} (?!says)").sum(axis=1).item() == pytest.approx(1, abs=1e-4)


def test_bad_clips_get_a_sentence_and_the_others_go_on(project: Path, simulated: Path) -> None:
    folder = project / "my clips"
    frames = grey(simulated)
    shutil.copytree(simulated / "cohn-kanade-images/S001/001", folder / "good é")
    shutil.copytree(folder / "good é", folder / "cut short")
    file = next((folder / "cut short").glob("*2.png"))
    file.write_bytes(file.read_bytes()[:5000])
    video(folder / "no face.avi", np.full((5, 480, 640), 90, np.uint8))
    video(folder / "two faces.avi", np.stack([np.tile(cv2.resize(frame, (320, 245)), (2, 2)) for frame in frames]))
    video(folder / "one frame.avi", frames[:1])
    video(folder / "tiny.avi", frames[:, :64, :64])
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no video")
    (folder / "notes.txt").write_text("no clip")
    done = predict(project, "my clips", "nowhere", "params.yaml", "--video", "--strip")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "1 of 10 clips" in done.stdout
    out = project / "results/clips"
    rejected = pd.read_csv(out / "rejected.csv").set_index("clip")["reason"]
    says = {"my clips/cut short": "not a readable image", "my clips/no face.avi": "no frontal face",
            "my clips/two faces.avi": "4 faces found", "my clips/one frame.avi": "has 1 of the three frames",
            "my clips/tiny.avi": "64 x 64", "my clips/empty.mp4": "0 bytes", "my clips/text.mp4": "not a video",
            "nowhere": "nothing of this name", "params.yaml": "neither a folder of frames nor a video"}  # fmt: skip
    assert set(rejected.index) == set(says)
    for clip, sentence in says.items():
        assert sentence in rejected[clip]
        assert sum(line.count(f"{clip}: ") and sentence in line for line in done.stderr.splitlines()) == 1
    rows = pd.read_csv(out / "clips.csv")
    assert list(rows["clip"]) == ["my clips/good é"]
    assert rows["frames"][0] == len(frames)
    assert list(pd.read_csv(out / "frames.csv")["status"]) == ["detected"] + ["carried"] * (len(frames) - 1)
    assert len(parquet.read(out / "frames.parquet", tables.FRAMES)["x"][0]) == 68
    drawn = cv2.VideoCapture(str(out / "001-good_é.mp4"))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == len(frames)
    shown = drawn.read()[1].astype(int)[: frames.shape[1], : frames.shape[2]]
    off = np.abs(shown - frames[0][..., None]).max(axis=2)
    x, y = (parquet.read(out / "frames.parquet", tables.FRAMES)[axis][0].round().astype(int) for axis in "xy")
    assert off[y, x].mean() > 10 * off.mean(), "the points are drawn where they were found"
    assert cv2.imread(str(out / "001-good_é.png")).std() > 20
    assert len(list(out.glob("0*"))) == 2
    done = predict(project, "my clips/empty.mp4")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: none of 1 clips can be used")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: shutil.rmtree(folder / "results/models"), "run make reproduce"),
        (lambda folder: (folder / "results/models/lmf-0.safetensors").write_bytes(b"x"), "not a readable file"),
        (lambda folder: shutil.copy(folder / "results/models/dtagn-0.safetensors",
                                    folder / "results/models/lmf-0.safetensors"), "holds weights of dtagn"),
        (lambda folder: shutil.copy(folder / "results/models/lmf-1.safetensors",
                                    folder / "results/models/lmf-0.safetensors"), "holds no network of lmf"),
        (lambda folder: save_file(load_file(folder / "results/models/lmf-0.safetensors"),
                                  folder / "results/models/lmf-0.safetensors"), "another version"),
        (lambda folder: (folder / "results/statistics.json").write_text("{}"), "no thresholds"),
        (lambda folder: (folder / "data/interim/sequences.parquet").unlink(), "no such table"),
        (lambda folder: (folder / "data/interim/classes.parquet").unlink(), "no such table"),
        (lambda folder: write_params(folder, protocol={"folds": [0, 1]}, featurize={"face_size": 32}), "face_size"),
        (lambda folder: write_params(folder, landmark={"method": "aam"}), "'aam', whose points exist for the data set"),
        (lambda folder: write_params(folder, landmark={"method": "aam-flow"}), "set it to dlib-flow or dlib"),
        (lambda folder: write_params(folder, landmark={"method": "ckplus"}), "for no clip"),
    ],
)  # fmt: skip
def test_without_a_finished_run_there_is_a_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any, says: str
) -> None:
    spoil(project)
    monkeypatch.chdir(project)
    with pytest.raises(UserError, match=says):
        Predictor.load()


def test_without_a_run_the_shipped_network_answers_and_says_so(
    project: Path, simulated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    config = params.read(lmf.Config)
    torch.manual_seed(1)
    weights.save(project / "shipped.safetensors", "lmf", config, lmf.LmfFer(config, config.width.default))
    monkeypatch.setattr(predictor, "NETWORK", project / "shipped.safetensors")
    shutil.copytree(simulated / "cohn-kanade-images/S001/001", project / "clip")

    def predicted(networks: Any) -> pd.DataFrame:
        command.predict([Path("clip")], Path("out"), False, True, networks)
        assert {"run": "the last run's networks", "shipped": "the shipped network"}[used] in capsys.readouterr().out
        assert (project / "out/001-clip.png").is_file()
        return pd.read_csv("out/clips.csv")

    used = "run"
    ran = predicted("auto")
    assert list(ran["networks"]) == ["run"]
    assert {"threshold", "branch", "DTAGN says", "Joint framework happy"} <= set(ran)
    used = "shipped"
    forced = predicted("shipped")
    assert Predictor.load(networks="shipped")(grey(simulated)).threshold is None
    for folder in ("results", "data"):
        shutil.rmtree(project / folder)
    alone = predicted("auto")
    pd.testing.assert_frame_equal(alone, forced)
    emotions = ["anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"]
    wanted = ["clip", "frames", "networks", "sfem", "LMF-FER says", *(f"LMF-FER {emotion}" for emotion in emotions)]
    assert list(alone) == wanted
    assert list(alone["networks"]) == ["shipped"]
    assert alone.iloc[0, 5:].sum() == pytest.approx(1, abs=1e-4)
    assert (alone.iloc[0, 5:] != ran.loc[0, wanted[5:]]).any()
    with pytest.raises(UserError, match="no such table"):
        Predictor.load(networks="run")
    (project / "shipped.safetensors").unlink()
    with pytest.raises(UserError, match="no such file"):
        Predictor.load()


def test_clips_are_found_once_and_frames_follow_their_numbers(tmp_path: Path) -> None:
    for name in ("a/frame10.png", "a/frame2.png", "b/c/x.mp4", "b/.hidden.mp4", "b/read.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b/loop").symlink_to("..", target_is_directory=True)
    assert clips.find([tmp_path, tmp_path / "a"]) == [tmp_path / "a", tmp_path / "b/c/x.mp4"]
    for number, grey in ((2, 20), (10, 100)):
        cv2.imwrite(str(tmp_path / f"a/frame{number}.png"), np.full((130, 130), grey, np.uint8))
    assert [frame[0, 0] for frame in clips.frames(tmp_path / "a")] == [20, 100]
    with pytest.raises(Unusable, match="holds neither"):
        list(clips.frames(tmp_path / "b"))
