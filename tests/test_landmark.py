"""Landmarks: alignment below a pixel, least squares, lost frames, and every method from table to table."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import fourier_shift, gaussian_filter

from stages.featurize.lmf import lmf
from stages.landmark import shipped
from stages.landmark.detection import Dlib
from stages.landmark.field import Field
from stages.landmark.flow import Carried
from stages.landmark.fusion import Evidence
from stages.landmark.landmarker import INNER_LIP, EveryFrame, Landmarks, bend
from stages.landmark.methods import METHODS
from stages.landmark.params import Landmark
from stages.landmark.patches import Image, align, lay, relight
from stages.landmark.presence import seen, with_gaps
from stages.tables import images, params, parquet
from stages.tables.box import Box
from stages.tables.errors import Unusable
from stages.tables.points import EYE_CORNERS
from stages.tables.schema import FRAMES, GENERAL, LANDMARKS, MICRO, REJECTED, SEQUENCES
from tests.conftest import ROOT, run_stage, write_params

Run = subprocess.CompletedProcess[str]
INTERIM = Path("data/interim")


@dataclass(frozen=True)
class Clip:
    """A sequence with its true points, in crop px."""

    set: str
    frames: np.ndarray
    truth: np.ndarray
    box: Box

    @property
    def eyes(self) -> float:
        return float(np.linalg.norm(np.subtract(*self.truth[0, list(EYE_CORNERS)])))


@pytest.fixture(scope="session")
def tables(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables that landmark reads, made from the simulated tree; read only."""
    folder = tmp_path_factory.mktemp("landmark")
    (folder / "ck").symlink_to(simulated)
    write_params(folder, dataset={"name": "ckplus", "root": "ck"})
    for name in ("ingest", "synthesize"):
        done = run_stage(folder, name)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def clips(tables: Path) -> list[Clip]:
    clips = []
    for number, row in enumerate(parquet.read(tables / INTERIM / "sequences.parquet", SEQUENCES).itertuples()):
        corner = np.array([row.crop_x, row.crop_y])
        general = shipped.read(tables / "ck", row.sequence, row.frames) - corner
        box = Box(row.box_x - corner[0], row.box_y - corner[1], row.box_width, row.box_height)
        for kind, file in ((GENERAL, "frames"), (MICRO, "micro")):
            rows = parquet.read_sequence(tables / INTERIM / f"{file}.parquet", FRAMES, number)
            frames = images.decode(rows["png"], row.sequence)
            truth = general if kind == GENERAL else shipped.between(general, 3, len(frames))
            clips.append(Clip(kind, frames, truth, box))
    return clips


@pytest.fixture
def project(tables: Path, tmp_path: Path) -> Callable[..., Run]:
    """Runs landmark on a copy of the tables, with other values in the section landmark."""
    shutil.copytree(tables / INTERIM, tmp_path / INTERIM)
    (tmp_path / "ck").symlink_to((tables / "ck").resolve())

    def run(workers: int = 1, root: str = "ck", **landmark: object) -> Run:
        write_params(
            tmp_path, dataset={"name": "ckplus", "root": root}, landmark=landmark, machine={"workers": workers}
        )
        return run_stage(tmp_path, "landmark")

    return run


def default() -> Carried:
    return Carried(Dlib(4), params.read(Landmark, ROOT / "params.yaml"))


def motion_error(points: np.ndarray, clip: Clip) -> float:
    off = (points - points[0]) - (clip.truth - clip.truth[0])
    return float(np.linalg.norm(off[1:], axis=2).mean())


def texture(seed: int, size: int = 96) -> np.ndarray:
    return 128 + 25 * gaussian_filter(np.random.default_rng(seed).standard_normal((size, size)), 2, mode="wrap") / 0.14


def shifted(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    moved = np.fft.ifft2(fourier_shift(np.fft.fft2(picture), (y, x))).real
    return np.clip(np.rint(moved), 0, 255).astype(np.uint8)


# Parts


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.floats(-0.8, 0.8), st.floats(-0.8, 0.8), st.floats(0.8, 1.2), st.integers(-20, 20))
def test_alignment_finds_a_shift_below_a_pixel_under_other_light(
    seed: int, x: float, y: float, gain: float, offset: int
) -> None:
    picture = texture(seed)
    first = shifted(picture, 0, 0)
    dimmed = np.clip(gain * (shifted(picture, x, y).astype(float) - 128) + 128 + offset, 0, 255).astype(np.uint8)
    centres = np.random.default_rng(seed).uniform(30, 66, (68, 2)).astype(np.float32)
    there, weights = lay(centres, 5.0)
    second = Image(relight(dimmed, like=first))
    move, error = align(Image(first), there, second, there, weights, np.full(68, 2.0))
    off = np.linalg.norm(move - (x, y), axis=1)
    assert np.median(off) < 0.03
    assert off.max() < 0.15
    assert 0 < error.max() < 1


def test_a_patch_without_texture_stays_where_it_was_expected() -> None:
    flat = Image(np.full((80, 80), 90, np.uint8))
    there, weights = lay(np.full((68, 2), 40, np.float32), 5.0)
    move, error = align(flat, there, flat, there + 3, weights, np.full(68, 0.5))
    assert np.abs(move).max() == 0
    assert np.isfinite(error).all()


STILL = np.zeros((96, 96, 2), np.float32)
MIDDLE = np.mgrid[30:66:4, 30:66:4].T.reshape(-1, 2).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.sampled_from([0, 6]), st.integers(-20, 20))
def test_the_field_finds_a_shift_below_a_pixel_and_one_that_flow_half_knows(
    seed: int, x: float, y: float, known: int, brighter: int
) -> None:
    first, noise = texture(seed), np.random.default_rng(seed).normal(0, 2, (2, 96, 96))
    picture, other = (np.clip(one + noise[n], 0, 255) for n, one in enumerate((first, shifted(first, x + known, y))))
    field = Field(Image(picture.astype(np.uint8)), np.array([[20.0, 20.0], [76.0, 76.0]]), stiffness=1000.0)
    field.follow(Image(np.clip(other + brighter, 0, 255).astype(np.uint8)), STILL + np.float32([known, 0]))
    off = np.linalg.norm(field.at(MIDDLE) - (x + known, y), axis=1)
    assert np.median(off) < 0.05
    assert off.max() < 0.2


def test_skin_without_texture_moves_as_the_skin_around_it() -> None:
    first = texture(1)
    first[36:60, 36:60] = 128
    field = Field(Image(shifted(first, 0, 0)), np.array([[10.0, 10.0], [86.0, 86.0]]), stiffness=1000.0)
    field.follow(Image(shifted(first, 0.6, -0.4)), STILL)
    np.testing.assert_allclose(field.at(np.float32([[48, 48]])), [[0.6, -0.4]], atol=0.05)


def test_where_nothing_can_be_seen_the_field_is_the_flow() -> None:
    flat = Image(np.full((96, 96), 90, np.uint8))
    for points in ([[20.0, 20.0], [76.0, 76.0]], [[-30.0, 200.0], [-20.0, 220.0]]):
        field = Field(flat, np.array(points), stiffness=1000.0)
        for _ in range(2):
            field.follow(flat, STILL + np.float32([1, 2]))
        np.testing.assert_allclose(field.at(MIDDLE), np.broadcast_to([2, 4], MIDDLE.shape), atol=1e-4)


def test_inner_lip_patches_lie_inside_the_lip(clips: list[Clip]) -> None:
    points = clips[0].truth[0].astype(np.float32)
    there, weights = lay(points, 5.0)
    centres = (weights[:, None] * there).sum(axis=1)
    for inner, outer in INNER_LIP.items():
        np.testing.assert_allclose(centres[inner], (points[inner] + points[outer]) / 2, atol=1e-3)
    np.testing.assert_allclose(centres[:60], points[:60], atol=1e-3)


@given(st.integers(2, 8), st.integers(0, 99))
def test_evidence_that_agrees_is_reproduced(frames: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    truth = chance.uniform(0, 300, (frames, 5, 2))
    evidence = Evidence(frames, 5)
    evidence.position(0, truth[0], 2.0)
    for number in range(1, frames):
        evidence.position(number, truth[number], chance.uniform(0.1, 5, 5))
        evidence.motion(number - 1, number, truth[number] - truth[number - 1], chance.uniform(0.1, 5, 5))
        evidence.motion(0, number, truth[number] - truth[0], chance.uniform(0.1, 5, 5))
    points, error = evidence.solve()
    np.testing.assert_allclose(points, truth, atol=1e-6)
    assert error.shape == (frames - 1,)
    assert (error > 0).all()


def test_evidence_weighs_by_the_inverse_square_of_the_error() -> None:
    evidence = Evidence(2, 1)
    evidence.position(0, np.zeros((1, 2)), 1e-6)
    evidence.motion(0, 1, np.array([[10.0, 0.0]]), 1.0)
    evidence.position(1, np.array([[0.0, 0.0]]), 2.0)
    points, error = evidence.solve()
    np.testing.assert_allclose(points[1, 0], [8, 0], atol=1e-6)  # weights 1 and 1/4
    np.testing.assert_allclose(error, np.sqrt(1 / 1.25), rtol=1e-5)


def test_bend_measures_noise_and_not_steady_or_common_motion() -> None:
    chance = np.random.default_rng(1)
    steady = np.arange(30)[:, None, None] * chance.normal(0, 2, (1, 68, 2)) + np.zeros((30, 68, 2))
    wobble = 3 * np.sin(np.arange(30))[:, None, None]
    assert bend(steady + wobble).max() < 1e-6
    assert bend(steady + wobble + chance.normal(0, 0.2, steady.shape)).mean() == pytest.approx(0.2, rel=0.1)
    assert bend(steady[:2]).tolist() == [0, 0]


@given(st.integers(2, 5), st.integers(0, 3), st.integers(0, 99))
def test_shipped_points_of_originals_are_kept_and_in_betweens_lie_on_a_line(
    originals: int, halvings: int, seed: int
) -> None:
    points = np.random.default_rng(seed).uniform(0, 400, (originals + 2, 68, 2)).astype(np.float32)
    stride = 2**halvings
    micro = shipped.between(points, originals, (originals - 1) * stride + 1)
    np.testing.assert_array_equal(micro[::stride], points[:originals])
    steps = np.diff(micro, axis=0).reshape(originals - 1, stride, 68, 2)
    np.testing.assert_allclose(steps, steps[:, :1] + np.zeros_like(steps), atol=1e-3)


# Frames that cannot be used


def still(frames: np.ndarray, box: Box) -> Landmarks:
    """A landmarker that puts every point of frame t at (50 + t, 60)."""
    points = np.full((len(frames), 68, 2), (50, 60), np.float32)
    points[:, :, 0] += frames[:, 0, 0, None]  # the frame's number is hidden in its corner
    return Landmarks(points, ["carried"] * len(frames), np.full(len(frames), 0.1, np.float32))


def film(black: list[int], count: int = 9) -> np.ndarray:
    frames = np.stack([texture(1).astype(np.uint8)] * count)
    frames[black] = 0
    frames[:, 0, 0] = np.arange(count)
    return frames


def test_a_black_frame_lies_between_its_neighbours_and_says_so() -> None:
    landmarks = with_gaps(still, film([3, 4]), Box(10, 10, 70, 70))
    np.testing.assert_allclose(landmarks.points[:, 0, 0], 50 + np.arange(9), atol=1e-4)
    assert [number for number, status in enumerate(landmarks.status) if status == "fallback"] == [3, 4]


@pytest.mark.parametrize(("black", "code"), [([5, 6, 7, 8], "face lost"), ([0], "no face"), ([0, 1, 2], "no face")])
def test_a_sequence_with_too_little_face_is_refused_with_a_reason(black: list[int], code: str) -> None:
    with pytest.raises(Unusable) as why:
        with_gaps(still, film(black), Box(10, 10, 70, 70))
    assert why.value.code == code


def test_a_face_that_leaves_the_picture_is_lost_where_it_has_left() -> None:
    def leaving(frames: np.ndarray, box: Box) -> Landmarks:
        landmarks = still(frames, box)
        landmarks.points[-2:] -= 80
        return landmarks

    landmarks = with_gaps(leaving, film([]), Box(10, 10, 70, 70))
    assert landmarks.status[-3:] == ["carried", "fallback", "fallback"]
    np.testing.assert_array_equal(landmarks.points[-1], landmarks.points[-3])


def test_faces_are_seen_through_expressions_and_light_and_lost_when_black(clips: list[Clip]) -> None:
    for clip in clips:
        assert seen(clip.frames, clip.box).all()
    dark = (clips[0].frames * np.linspace(1, 0.5, len(clips[0].frames))[:, None, None]).astype(np.uint8)
    assert seen(dark, clips[0].box).all()
    dark[2:] = 17
    assert seen(dark, clips[0].box).tolist() == [True, True] + [False] * (len(dark) - 2)


# Precision on simulated faces


def test_carried_points_beat_plain_detection(clips: list[Clip]) -> None:
    plain, carried = EveryFrame(Dlib(4)), default()
    error: dict[str, list[float]] = {"plain": [], "carried": [], "plain at the end": [], "carried at the end": []}
    static: dict[str, list[float]] = {"plain": [], "carried": []}
    for clip in clips:
        for name, find in (("plain", plain), ("carried", carried)):
            points = find(clip.frames, clip.box).points
            static[name].append(np.linalg.norm(points - clip.truth, axis=2).mean() / clip.eyes)
            if clip.set == MICRO:
                error[name].append(motion_error(points, clip))
            else:
                error[f"{name} at the end"].append(motion_error(points[[0, -1]], clip_at(clip, [0, -1])))
    assert np.mean(error["carried"]) < np.mean(error["plain"]) / 3
    assert np.mean(error["carried at the end"]) < np.mean(error["plain at the end"])
    assert np.mean(static["carried"]) < 1.02 * np.mean(static["plain"])


def test_small_expressions_are_carried_better_than_by_flow_alone(clips: list[Clip]) -> None:
    """The distances between the points, which LMF is made of, from the first to the last frame of a micro sequence."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    error: dict[str, list[float]] = {"carried": [], "flow": []}
    for clip in clips:
        if clip.set == MICRO:
            points = default()(clip.frames, clip.box).points
            dense = cv2.GaussianBlur(flow.calc(clip.frames[0], clip.frames[-1], None), (0, 0), 3)
            moved = cv2.remap(dense, points[0, :, :1], points[0, :, 1:], cv2.INTER_LINEAR).reshape(-1, 2)
            wanted = lmf(clip.truth[[0, -1]])
            error["carried"].append(np.abs(lmf(points[[0, -1]]) - wanted).mean())
            error["flow"].append(np.abs(lmf(np.stack([points[0], points[0] + moved])) - wanted).mean())
    assert np.mean(error["carried"]) < 0.9 * np.mean(error["flow"])


def clip_at(clip: Clip, which: list[int]) -> Clip:
    return Clip(clip.set, clip.frames[which], clip.truth[which], clip.box)


def test_a_still_face_stays_still_under_sensor_noise(clips: list[Clip]) -> None:
    clip = clips[0]
    clean = cv2.fastNlMeansDenoising(clip.frames[0], h=6).astype(float)
    noise = np.random.default_rng(3).normal(0, 2, (9, *clean.shape))
    frames = np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)
    landmarks = default()(frames, clip.box)
    jitter = np.sqrt(((landmarks.points - landmarks.points.mean(axis=0)) ** 2).mean() * 9 / 8)
    assert jitter < 0.05
    assert jitter / 3 < landmarks.jitter.mean() < 3 * jitter


def test_fading_light_does_not_pass_for_motion(clips: list[Clip]) -> None:
    clip = next(clip for clip in clips if clip.set == MICRO)
    fading = (clip.frames * np.linspace(1, 0.8, len(clip.frames))[:, None, None]).astype(np.uint8)
    steady = motion_error(default()(clip.frames, clip.box).points, clip)
    assert motion_error(default()(fading, clip.box).points, clip) < steady + 0.05


# The stage


@pytest.mark.parametrize("method", METHODS)
def test_every_method_fills_the_table(project: Callable[..., Run], tmp_path: Path, method: str) -> None:
    done = project(method=method)
    assert done.returncode == 0, done.stderr
    path = tmp_path / INTERIM / "landmarks.parquet"
    sequences = parquet.read(tmp_path / INTERIM / "sequences.parquet", SEQUENCES)
    wanted = [[name, kind] for kind in (GENERAL, MICRO) for name in sequences["sequence"]]
    assert parquet.keys(path, LANDMARKS).to_numpy().tolist() == wanted
    for number, (name, kind) in enumerate(wanted):
        rows = parquet.read_sequence(path, LANDMARKS, number)
        truth = shipped.read(tmp_path / "ck", name, int(sequences.set_index("sequence").loc[name, "frames"]))
        truth = truth if kind == GENERAL else shipped.between(truth, 3, 9)
        points = np.stack([np.stack(list(rows[axis])) for axis in ("x", "y")], axis=2)
        assert rows["frame"].tolist() == list(range(1, len(truth) + 1))
        off = np.linalg.norm(points - truth, axis=2).mean() / np.linalg.norm(np.subtract(*truth[0, list(EYE_CORNERS)]))
        assert off < (1e-5 if method == "ckplus" else 0.12)
        first = "given" if method == "ckplus" else "detected"
        rest = {"ckplus": "given", "dlib": "detected", "aam": "detected"}.get(method, "carried")
        assert rows["status"].tolist() == [first] + [rest] * (len(truth) - 1)


def test_number_of_workers_changes_no_byte(project: Callable[..., Run], tmp_path: Path) -> None:
    written = []
    for workers in (1, 2):
        assert project(workers).returncode == 0
        written.append((tmp_path / INTERIM / "landmarks.parquet").read_bytes())
    assert written[0] == written[1]


def test_an_unusable_sequence_is_rejected_and_a_missing_one_is_not(project: Callable[..., Run], tmp_path: Path) -> None:
    path = tmp_path / INTERIM / "micro.parquet"
    names = list(parquet.index(path, FRAMES))
    sequences = [parquet.read_sequence(path, FRAMES, number) for number in range(len(names))]
    black = images.encode(np.zeros_like(images.decode(sequences[1]["png"], "micro")[0]))
    with parquet.Writer(path, FRAMES) as writer:
        for rows in sequences[1:]:  # the first was rejected by an earlier stage
            writer.write(rows if rows is not sequences[1] else rows.assign(png=[*rows["png"][:4], *[black] * 5]))
    done = project()
    assert done.returncode == 0, done.stderr
    rejected = parquet.read(tmp_path / INTERIM / "rejected_landmark.parquet", REJECTED)
    assert rejected[["sequence", "code"]].to_numpy().tolist() == [[names[1], "face lost"]]
    assert "micro" in rejected["reason"][0]
    keys = parquet.keys(tmp_path / INTERIM / "landmarks.parquet", LANDMARKS)
    assert keys.to_numpy().tolist() == [[name, GENERAL] for name in names] + [[name, MICRO] for name in names[2:]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"method": "magic"}, "landmark.method is 'magic'; it must be"),
        ({"method": "ckplus", "root": "elsewhere"}, "error: no sequence has landmarks; the last one: "),
        ({"method": "aam", "root": "elsewhere"}, "error: elsewhere/Landmarks: has points for 0 sequences"),
    ],
)
def test_failures_are_one_sentence(
    project: Callable[..., Run], tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    done = project(**change)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / INTERIM / "landmarks.parquet").exists()


@pytest.mark.parametrize("text", ["", "1 2\n" * 67, "1 2\n" * 67 + "1 nan\n", "one two\n" * 68])
def test_a_damaged_landmark_file_rejects_its_sequence(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "Landmarks/S001/001"
    folder.mkdir(parents=True)
    (folder / "S001_001_00000001_landmarks.txt").write_text(text)
    with pytest.raises(Unusable, match=r"S001_001_00000001_landmarks\.txt"):
        shipped.read(tmp_path, "S001/001", 1)
    with pytest.raises(Unusable, match=r"1 files .* for 2 frames"):
        shipped.read(tmp_path, "S001/001", 2)
