"""A CK+ tree with everything that real copies have been seen to hold, through the stage's own command."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.ingest import faces, protocol
from stages.tables import parquet, schema
from stages.tables.box import Box
from stages.tables.errors import Unusable


@pytest.fixture
def ingested(stage, tree: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Runs ingest; returns (its result, sequences, frames, rejected) as data frames."""

    def run():  # type: ignore[no-untyped-def]
        result = stage("ingest")
        assert result.returncode == 0, result.stderr
        folder = tmp_path / "data/interim"
        return (
            result,
            parquet.read(folder / "sequences.parquet", schema.SEQUENCES).set_index("sequence"),
            parquet.read(folder / "frames.parquet", schema.FRAMES),
            parquet.read(folder / "rejected_ingest.parquet", schema.REJECTED).set_index("sequence"),
        )

    return run


def images(tree: Path, sequence: str = "S001/001") -> list[Path]:
    return sorted((tree / "cohn-kanade-images" / sequence).glob("*.png"))


def test_crops_are_the_native_pixels_of_the_box(ingested, tree: Path) -> None:
    result, sequences, frames, rejected = ingested()
    assert rejected.empty
    assert len(sequences) == 8
    for name, row in sequences.iterrows():
        stored = frames[frames["sequence"] == name]
        files = images(tree, str(name))
        assert list(stored["frame"]) == list(range(1, len(files) + 1))
        assert row["frames"] == len(files)
        for png, file in zip(stored["png"], files, strict=True):
            crop = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
            native = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            x, y = row["crop_x"], row["crop_y"]
            np.testing.assert_array_equal(crop, native[y : y + row["crop_height"], x : x + row["crop_width"]])
        landmarks = np.loadtxt(next((tree / "Landmarks" / str(name)).glob("*.txt")))
        inside = (landmarks > [x, y]) & (landmarks < [x + row["crop_width"], y + row["crop_height"]])
        assert inside.all(), "the crop holds the whole face"
    assert "8 of 8 sequences" in result.stdout


def test_the_emotions_and_their_published_numbers_are_a_table(ingested, tmp_path: Path) -> None:
    ingested()
    classes = parquet.read(tmp_path / "data/interim/classes.parquet", schema.CLASSES)
    assert set(classes["dataset"]) == {"ckplus"}
    assert dict(zip(classes["emotion"], classes["label"], strict=True)) == schema.EMOTIONS
    assert classes["published"].sum() == 327
    assert not classes["micro"].any()


def test_folds_follow_the_rank_of_the_subject() -> None:
    subjects = [f"S{i:03}" for i in range(5, 128)]
    fold = protocol.folds(reversed(subjects), 10)
    assert [fold[s] for s in subjects[:12]] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert protocol.folds(["S9", "S2"], 10) == {"S2": 0, "S9": 1}


@pytest.mark.parametrize(("width", "height"), [(640, 480), (720, 480)])
def test_other_frame_sizes_and_colour(ingested, tree: Path, width: int, height: int) -> None:
    for file in images(tree):
        grey = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        sized = cv2.copyMakeBorder(grey[:height], 0, 0, 0, width - 640, cv2.BORDER_REPLICATE)
        cv2.imwrite(str(file), cv2.cvtColor(sized, cv2.COLOR_GRAY2BGR))
    _, sequences, _, _ = ingested()
    row = sequences.loc["S001/001"]
    assert (row["image_width"], row["image_height"]) == (width, height)


def test_clutter_of_file_managers_and_missing_side_folders_do_not_matter(ingested, tree: Path) -> None:
    before = ingested()[1]
    for folder in (tree, tree / "cohn-kanade-images", tree / "cohn-kanade-images/S001", images(tree)[0].parent):
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (images(tree)[0].parent / ("._" + images(tree)[0].name)).write_bytes(b"\0\5\26\7")
    (tree / "Emotion/S001/.DS_Store").write_bytes(b"")
    (images(tree)[0].parent / "Thumbs.db").write_bytes(b"")
    shutil.rmtree(tree / "Landmarks")
    shutil.rmtree(tree / "FACS")
    after, rejected = ingested()[1::2]
    assert before.equals(after)
    assert rejected.empty


def test_the_folders_of_the_distributed_archives_are_found(ingested, tree: Path) -> None:
    (tree / "Emotion_labels").mkdir()
    (tree / "Emotion").rename(tree / "Emotion_labels/Emotion")
    (tree / "extended-cohn-kanade-images").mkdir()
    (tree / "cohn-kanade-images").rename(tree / "extended-cohn-kanade-images/cohn-kanade-images")
    assert len(ingested()[1]) == 8


def spoil_truncated(tree: Path) -> None:
    file = images(tree)[1]
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def spoil_empty_file(tree: Path) -> None:
    images(tree)[1].write_bytes(b"")


def spoil_size(tree: Path) -> None:
    file = images(tree)[2]
    cv2.imwrite(str(file), cv2.imread(str(file))[:400])


def spoil_depth(tree: Path) -> None:
    file = images(tree)[2]
    cv2.imwrite(str(file), cv2.imread(str(file), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 256)


def spoil_two_frames(tree: Path) -> None:
    for file in images(tree)[2:]:
        file.unlink()


def spoil_gap(tree: Path) -> None:
    images(tree)[2].unlink()


def spoil_no_face(tree: Path) -> None:
    for file in images(tree):
        cv2.imwrite(str(file), np.full((490, 640), 90, np.uint8))


def spoil_two_faces(tree: Path) -> None:
    for file in images(tree):
        frame = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        half = cv2.resize(frame, (320, 245))
        cv2.imwrite(str(file), np.tile(half, (2, 2)))


def label(text: str | None):  # type: ignore[no-untyped-def]
    def spoil(tree: Path) -> None:
        file = next((tree / "Emotion/S001/001").glob("*.txt"))
        if text is None:
            file.unlink()
        else:
            file.write_text(text)

    return spoil


def spoil_label_twice(tree: Path) -> None:
    (tree / "Emotion/S001/001/S001_001_00000002_emotion.txt").write_text("2\n")
    (tree / "Emotion/S001/001/S001_001_00000003_emotion.txt").write_text("4\n")


def spoil_label_folder(tree: Path) -> None:
    shutil.rmtree(tree / "Emotion/S001/001")


@pytest.mark.parametrize(
    ("spoil", "code", "file", "says"),
    [
        (spoil_truncated, "frame", "S001_001_00000002.png", "not a readable image"),
        (spoil_empty_file, "frame", "S001_001_00000002.png", "not a readable image"),
        (spoil_size, "frame", "S001_001_00000003.png", "frames must match"),
        (spoil_depth, "frame", "S001_001_00000003.png", "8-bit"),
        (spoil_two_frames, "frames", "S001/001", "2 frames"),
        (spoil_gap, "frames", "S001/001", "frames 3 are missing"),
        (spoil_no_face, "no face", "S001_001_00000001.png", "no frontal face"),
        (spoil_two_faces, "two faces", "S001_001_00000001.png", "4 faces"),
        (label("sad"), "label", "_emotion.txt", "'sad'"),
        (label(""), "label", "_emotion.txt", "''"),
        (label("nan"), "label", "_emotion.txt", "nan"),
        (label("8.0"), "label", "_emotion.txt", "8.0"),
        (label("   0.0000000e+00\r\n"), "label", "_emotion.txt", "0.0000000e+00"),
        (label(None), "unlabelled", "Emotion/S001/001", "no emotion file"),
        (spoil_label_folder, "unlabelled", "Emotion/S001/001", "no emotion file"),
        (spoil_label_twice, "label", "Emotion/S001/001", "contradictory"),
    ],
)
def test_a_spoilt_sequence_is_set_aside_with_its_reason(  # type: ignore[no-untyped-def]
    ingested, tree: Path, spoil, code: str, file: str, says: str
) -> None:
    spoil(tree)
    result, sequences, frames, rejected = ingested()
    assert "S001/001" not in sequences.index
    assert len(sequences) == 7
    assert "S001/001" not in set(frames["sequence"])
    row = rejected.loc["S001/001"]
    assert (row["code"], row["stage"]) == (code, "ingest")
    assert file in row["reason"]
    assert says in row["reason"]
    assert f"1 {code}" in result.stdout


def remove_images(tree: Path) -> None:
    shutil.rmtree(tree / "cohn-kanade-images")


def remove_labels(tree: Path) -> None:
    shutil.rmtree(tree / "Emotion")


def empty_images(tree: Path) -> None:
    shutil.rmtree(tree / "cohn-kanade-images")
    (tree / "cohn-kanade-images").mkdir()


def only_one_subject(tree: Path) -> None:
    for subject in sorted((tree / "cohn-kanade-images").iterdir())[1:]:
        shutil.rmtree(subject)


def ck48(tree: Path) -> None:
    shutil.rmtree(tree)
    for emotion in ("anger", "happy"):
        (tree / emotion).mkdir(parents=True)
        cv2.imwrite(str(tree / emotion / "S010_004_00000017.png"), np.zeros((48, 48), np.uint8))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (shutil.rmtree, "no such folder"),
        (remove_images, "holds no folder cohn-kanade-images/"),
        (remove_labels, "holds no folder Emotion/"),
        (empty_images, "holds no sequence folders"),
        (only_one_subject, "fewer than two subjects"),
        (ck48, "no onset frames"),
    ],
)
def test_a_tree_that_cannot_be_used_is_one_sentence(stage, tree: Path, tmp_path: Path, spoil, says: str) -> None:  # type: ignore[no-untyped-def]
    spoil(tree)
    result = stage("ingest")
    assert result.returncode == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert says in errors[0]
    assert "ck" in errors[0]
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "data").rglob("*.parquet*")), "nothing half-written"


def test_a_tiny_image_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "S010_004_00000017.png"
    cv2.imwrite(str(file), np.zeros((48, 48), np.uint8))
    with pytest.raises(Unusable, match="is 48 x 48 pixels"):
        faces.read_grey(file)


def test_the_crop_stays_inside_the_frame() -> None:
    assert faces.crop_box(Box(-5, 300, 200, 200), 0.5, 640, 490) == Box(0, 200, 295, 290)
