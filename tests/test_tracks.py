"""Landmark tracks made elsewhere: every form, what is wrong with them, and their way through the stages."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.ingest import tracks
from stages.ingest.trackers import mediapipe
from stages.tables import parquet
from stages.tables.errors import Unusable, UserError
from stages.tables.points import MIRROR, POINTS
from stages.tables.schema import DTAGN, EMOTIONS, GENERAL, LANDMARKS, LMF, MICRO, REJECTED, SEQUENCES
from tests import finished_run
from tests.conftest import run_stage, write_params

FRAMES = 5


def moving(seed: int, frames: int = FRAMES) -> np.ndarray:
    """A face (frames, 68, 2) that moves, px."""
    generator = np.random.default_rng(seed)
    return finished_run.neutral() + 100 + np.linspace(0, 5, frames)[:, None, None] * generator.normal(size=(POINTS, 2))


def coordinates(points: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{name}_{i}": points[:, i, axis] for axis, name in enumerate("xy") for i in range(points.shape[1])}


def openface(points: np.ndarray) -> pd.DataFrame:
    count = len(points)
    head = {"frame": range(1, count + 1), "face_id": 0, "timestamp": np.arange(count) / 30, "confidence": 0.98}
    return pd.DataFrame(head | {"success": 1} | coordinates(points)).rename(columns=lambda name: f" {name}")


def pyfeat(points: np.ndarray) -> pd.DataFrame:
    count = len(points)
    return pd.DataFrame({"FaceScore": 0.99, **coordinates(points), "input": "a.mp4", "frame": range(count)})


def mesh(points: np.ndarray) -> pd.DataFrame:
    values = np.zeros((len(points), 478, 2))
    values[:, list(mediapipe.IBUG)] = points / [640, 480]
    head = {"frame": np.arange(0, 2 * len(points), 2), "width": 640, "height": 480}
    return pd.DataFrame(head | coordinates(values))


def text(folder: Path, points: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for number, one in enumerate(points, 1):
        np.savetxt(folder / f"{number:08}_landmarks.txt", one, "%.7e")


def rows(names: list[str], sets: tuple[str, ...] = (GENERAL, MICRO)) -> pd.DataFrame:
    """A Parquet file's rows, in which all emotions take turns."""
    return pd.DataFrame([
        {"sequence": name, "emotion": i % 7 + 1, "set": kind, "frame": frame, "x": list(p[:, 0]), "y": list(p[:, 1])}
        for i, name in enumerate(names)
        for kind in sets
        for frame, p in enumerate(moving(i, 9 if kind == MICRO else FRAMES + i), 1)
    ])  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a sequence of each form."""
    root = tmp_path / "tracks"
    text(root / "S1/text", moving(0))
    for seed, (name, form) in enumerate({"of": openface, "pf": pyfeat, "mp": mesh}.items(), 1):
        form(moving(seed)).to_csv(root / f"S1/{name}.csv", index=False)
    names = ["S1/text", "S1/of", "S1/pf", "S1/mp"]
    pd.DataFrame({"subject": ["A", "A", "B", "B"], "sequence": names, "emotion": ["anger", "5", "Happy", "surprise"]}
                 ).to_csv(root / "labels.csv", index=False)  # fmt: skip
    return root


def test_every_form_gives_the_points_that_were_written(folder: Path) -> None:
    recorded = {track.name: track for track in tracks.sequences(folder)}
    assert {name: track.subject for name, track in recorded.items()} == {
        "S1/text": "A", "S1/of": "A", "S1/pf": "B", "S1/mp": "B"}  # fmt: skip
    assert [tracks.emotion(recorded[f"S1/{name}"]) for name in ("text", "of", "pf", "mp")] == [1, 5, 5, 7]
    for seed, name in enumerate(("text", "of", "pf", "mp")):
        found = tracks.points(recorded[f"S1/{name}"])
        assert set(found) == {GENERAL}
        assert found[GENERAL].dtype == np.float32
        np.testing.assert_allclose(found[GENERAL], moving(seed), atol=1e-3)


def test_the_mesh_s_table_is_one_point_for_each_and_the_same_left_and_right() -> None:
    assert len(set(mediapipe.IBUG)) == POINTS
    assert max(mediapipe.IBUG) < mediapipe.MESH
    pairs = {frozenset((mediapipe.IBUG[i], mediapipe.IBUG[MIRROR[i]])) for i in range(POINTS)}
    known = [(127, 356), (93, 323), (58, 288), (176, 400), (70, 300), (33, 263), (61, 291), (78, 308), (98, 327)]
    assert {frozenset(pair) for pair in known} <= pairs, "of MediaPipe's own left and right contours"


@pytest.mark.parametrize(
    ("form", "column", "value", "code", "says"),
    [
        (openface, " confidence", 0.0, "lost face", "no face in frame 3"),
        (openface, " success", 0, "lost face", "no face in frame 3"),
        (openface, " face_id", 1, "two faces", "holds 2 faces"),
        (openface, " x_7", np.nan, "missing points", "line 3"),
        (openface, " y_7", "?", "missing points", "line 3"),
        (openface, " x_7", 1e9, "missing points", "line 3"),
        (openface, " frame", 2, "doubled frame", "frame 2 is there twice"),
        (openface, " frame", 0, "order", "frame 0 comes after a later one"),
        (openface, " frame", np.nan, "frames", "no frame number"),
        (pyfeat, "FaceScore", np.nan, "lost face", "no face in frame 2"),
        (pyfeat, "frame", 1, "doubled frame", "two faces?"),
        (mesh, "width", 0, "lost face", "no face in frame 4"),
        (mesh, "x_127", np.nan, "missing points", "line 3"),
    ],
)
def test_a_bad_line_sets_its_sequence_aside(
    folder: Path, form: Callable[[np.ndarray], pd.DataFrame], column: str, value: object, code: str, says: str
) -> None:
    table = form(moving(0))
    table[column] = [value if number == 2 else old for number, old in enumerate(table[column])]
    table.to_csv(folder / "S1/of.csv", index=False)
    track = next(track for track in tracks.sequences(folder) if track.name == "S1/of")
    why = tracks.measured(track)
    assert isinstance(why, Unusable)
    assert (why.code, says in why.reason, str(folder / "S1/of.csv") in why.reason) == (code, True, True), why.reason


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no readable CSV"),
        (b"\xff\xfe\x00", "is no readable CSV"),
        (b"a,b\n1,2\n", "of no tracker that is known"),
        (openface(moving(0)[:2]).to_csv(index=False).encode(), "2 frames"),
        (openface(moving(0)).drop(2).to_csv(index=False).encode(), "frames are missing after 2"),
        (openface(moving(0) * 0).to_csv(index=False).encode(), "shorter than a pixel"),
        (openface(moving(0)).drop(columns=[" y_67"]).to_csv(index=False).encode(), "of no tracker that is known"),
    ],
)
def test_a_file_that_is_no_track_is_set_aside(folder: Path, content: bytes, says: str) -> None:
    (folder / "S1/of.csv").write_bytes(content)
    track = next(track for track in tracks.sequences(folder) if track.name == "S1/of")
    with pytest.raises(Unusable, match=says):
        tracks.points(track)


def test_text_and_labels_that_are_no_such_thing(folder: Path) -> None:
    file = folder / "S1/text/00000002_landmarks.txt"
    file.write_text(file.read_text().replace("\n", " 7\n", 1))
    recorded = {track.name: track for track in tracks.sequences(folder)}
    with pytest.raises(Unusable, match="68 lines of two numbers"):
        tracks.points(recorded["S1/text"])
    labels = folder / "labels.csv"
    for line, says in {
        "A,S1/of,bored": "only CK\\+'s seven",
        "A,S1/of,": "only CK",
        "A,S1/of,anger": "has the emotions",
    }.items():
        labels.write_text(f"subject,sequence,emotion\nA,S1/of,5\n{line}\n" if "anger" in line else
                          f"subject,sequence,emotion\n{line}\n")  # fmt: skip
        with pytest.raises(Unusable, match=says):
            tracks.emotion(tracks.sequences(folder)[0])
    for content, says in {
        "subject,sequence\nA,b\n": "columns subject, sequence and emotion",
        "subject,sequence,emotion\nA,../b,5\n": "no sequence in this folder",
        "subject,sequence,emotion\n,b,5\n": "names no subject",
        "subject,sequence,emotion\nA,b,5\nB,b,5\n": "is of two subjects",
        "subject,sequence,emotion\n": "holds no sequences",
    }.items():
        labels.write_text(content)
        with pytest.raises(UserError, match=says):
            tracks.sequences(folder)
    labels.write_text("subject,sequence,emotion\nA,nowhere,5\n")
    with pytest.raises(Unusable, match="no ordinary file"):
        tracks.points(tracks.sequences(folder)[0])
    labels.unlink()
    with pytest.raises(UserError, match=r"needs one, or tracks\.parquet"):
        tracks.sequences(folder)
    with pytest.raises(UserError, match="no such folder or Parquet file"):
        tracks.sequences(folder / "nowhere")


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [("x", [1.0] * 67, "missing points"), ("x", None, "missing points"), ("y", [np.nan] * 68, "missing points"),
     ("frame", 9, "order"), ("frame", 1, "doubled frame"), ("set", "other", "unknown set")],
)  # fmt: skip
def test_a_bad_row_of_a_parquet_file_sets_its_sequence_aside(
    tmp_path: Path, column: str, value: object, code: str
) -> None:
    table = rows(["a", "b"]).astype({column: object})
    table.at[1, column] = value
    if column in ("x", "y"):
        table[column] = [None if one is None else list(one) for one in table[column]]
    else:
        table[column] = table[column].astype(str if column == "set" else "int32")
    table.to_parquet(tmp_path / "t.parquet")
    first, second = tracks.sequences(tmp_path / "t.parquet")
    why = tracks.measured(first)
    assert isinstance(why, Unusable)
    assert why.code == code, why.reason
    assert not isinstance(tracks.measured(second), Unusable)


def test_a_parquet_file_of_something_else_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "tracks.parquet"
    rows(["a"]).drop(columns="x").to_parquet(file)
    with pytest.raises(UserError, match="it lacks x"):
        tracks.sequences(tmp_path)
    file.write_bytes(b"PAR1 and nothing")
    with pytest.raises(UserError, match="is no Parquet file of tracks"):
        tracks.sequences(file)
    table = rows(["a"])
    table.loc[0, "emotion"] = 3
    table.to_parquet(file)
    with pytest.raises(Unusable, match="a sequence has one"):
        tracks.emotion(tracks.sequences(file)[0])
    table.assign(subject=[str(number) for number in range(len(table))]).to_parquet(file)
    with pytest.raises(UserError, match="a sequence is of one person"):
        tracks.sequences(file)


@pytest.mark.parametrize("given", [True, False])
def test_tracks_become_features_without_pictures(tmp_path: Path, given: bool) -> None:
    """Micro sequences are those that came with them, or lie evenly between the first three landmarks."""
    names = [f"P{number}" for number in range(4)]
    table = rows(names, (GENERAL, MICRO) if given else (GENERAL,))
    table.loc[(table["sequence"] == "P3") & (table["frame"] == 2), "x"] = None
    table.to_parquet(tmp_path / "t.parquet")
    write_params(tmp_path, dataset={"name": "tracks", "root": "t.parquet"})
    printed = {}
    for stage in ("ingest", "synthesize", "landmark", "featurize"):
        done = run_stage(tmp_path, stage)
        assert done.returncode == 0, done.stderr
        printed[stage] = done.stdout
    assert "3 of 4 sequences" in printed["ingest"]
    assert "set aside: 1 missing points" in printed["ingest"]
    interim, features = tmp_path / "data/interim", tmp_path / "data/features"
    sequences = parquet.read(interim / "sequences.parquet", SEQUENCES)
    assert list(sequences["sequence"]) == list(sequences["subject"]) == names[:3]
    assert "frame has no 68 values" in parquet.read(interim / "rejected_ingest.parquet", REJECTED)["reason"][0]
    landmarks = parquet.read(interim / "landmarks.parquet", LANDMARKS)
    assert set(landmarks["status"]) == {"given"}
    for number, name in enumerate(names[:3]):
        of_it = landmarks[landmarks["sequence"] == name].groupby("set")
        general, micro = (np.stack([np.stack(list(of_it.get_group(kind)[axis])) for axis in "xy"], axis=-1)
                          for kind in (GENERAL, MICRO))  # fmt: skip
        np.testing.assert_allclose(general, moving(number, FRAMES + number), atol=1e-3)
        assert len(micro) == 9
        if given:
            np.testing.assert_allclose(micro, moving(number, 9), atol=1e-3)
        else:
            np.testing.assert_allclose(micro[[0, 4, 8]], general[:3], atol=1e-3)
            np.testing.assert_allclose(micro[2], (general[0] + general[1]) / 2, atol=1e-3)
    assert len(parquet.read(features / "lmf.parquet", LMF)) == 6
    assert parquet.read(features / "dtagn.parquet", DTAGN).empty


def test_fewer_frames_than_a_micro_sequence_is_made_from_are_set_aside(tmp_path: Path) -> None:
    rows(["a", "b"], (GENERAL,)).to_parquet(tmp_path / "t.parquet")
    write_params(tmp_path, dataset={"name": "tracks", "root": "t.parquet"}, protocol={"originals": 9, "frames": 17})
    for stage in ("ingest", "synthesize"):
        assert run_stage(tmp_path, stage).returncode == 0
    done = run_stage(tmp_path, "landmark")
    assert done.returncode == 1
    assert "protocol.originals asks for 9" in done.stderr


def test_emotions_are_those_of_ckplus() -> None:
    assert set(tracks.CODES.values()) == set(EMOTIONS)
