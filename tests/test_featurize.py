"""LMF, SFEM and DTAGN's inputs against their definitions."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.featurize import dtagn, lmf
from stages.tables.points import LEFT_EYE, RIGHT_EYE

EPS = 1e-3
seeds = st.integers(0, 2**32 - 1)


def face(seed: int, frames: int = 4) -> np.ndarray:
    """Random landmarks (frames, 68, 2) of a face some 200 px wide, moving by a few px."""
    random = np.random.default_rng(seed)
    start = random.uniform(100, 300, (68, 2))
    return start + np.cumsum(random.normal(0, 1, (frames, 68, 2)), axis=0)


def by_definition(points: np.ndarray, eps: float) -> np.ndarray:
    """The poster's formula, written out entry by entry."""
    result = np.empty((len(points) - 1, 68, 68), np.uint8)
    for t in range(1, len(points)):
        change = np.array([
            [np.linalg.norm(points[t, i] - points[t, j]) - np.linalg.norm(points[t - 1, i] - points[t - 1, j])
             for j in range(68)] for i in range(68)
        ])  # fmt: skip
        largest = np.abs(change).max()
        if largest < eps:
            result[t - 1] = 127
        else:
            value = 127 + 128 * np.sign(change) * (np.abs(change) / largest) ** 0.5
            result[t - 1] = np.clip(np.rint(value), 0, 255)
    return result


def test_maps_are_the_formula() -> None:
    points = face(7)
    np.testing.assert_array_equal(lmf.maps(lmf.lmf(points), EPS), by_definition(points, EPS))


@given(seeds)
@settings(deadline=None, max_examples=30)
def test_maps_are_symmetric_with_a_diagonal_of_127_and_reach_full_scale(seed: int) -> None:
    maps = lmf.maps(lmf.lmf(face(seed)), EPS)
    np.testing.assert_array_equal(maps, maps.transpose(0, 2, 1))
    assert (np.diagonal(maps, axis1=1, axis2=2) == 127).all()
    assert all(image.min() == 0 or image.max() == 255 for image in maps)


@given(seeds, st.floats(-np.pi, np.pi), st.floats(-500, 500), st.floats(-500, 500))
@settings(deadline=None, max_examples=30)
def test_maps_ignore_rotation_and_shift_of_every_frame(seed: int, angle: float, x: float, y: float) -> None:
    points = face(seed)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = points.copy()
    moved[1:] = points[1:] @ turn.T + [x, y]
    ours, theirs = (lmf.maps(lmf.lmf(p), EPS).astype(int) for p in (points, moved))
    assert np.abs(ours - theirs).max() <= 1  # rounding at a .5


@given(seeds, st.floats(0.01, 50))
@settings(deadline=None, max_examples=30)
def test_maps_ignore_the_size_of_all_motion(seed: int, k: float) -> None:
    change = lmf.lmf(face(seed))
    ours, theirs = (lmf.maps(c, 1e-9).astype(int) for c in (change, k * change))
    assert np.abs(ours - theirs).max() <= 1


@given(seeds)
@settings(deadline=None, max_examples=30)
def test_reversed_time_mirrors_the_maps_about_127(seed: int) -> None:
    points = face(seed)
    forward = lmf.maps(lmf.lmf(points), EPS).astype(int)
    backward = lmf.maps(lmf.lmf(points[::-1]), EPS)[::-1].astype(int)
    expected = np.clip(254 - forward, 0, 255)
    # 255 is a clipped 255: its mirror is 0 rather than -1, so full scale may differ by the clip.
    assert np.abs(backward - expected).max() <= 1


@given(arrays(np.float64, (3, 68, 2), elements=st.floats(0, 640)), st.floats(0, 0.9))
@settings(deadline=None, max_examples=30)
def test_without_motion_every_map_is_127(points: np.ndarray, share: float) -> None:
    still = np.repeat(points[:1], 3, axis=0)
    still[1:] += share  # a shift moves no distance
    assert (lmf.maps(lmf.lmf(still), EPS) == 127).all()


def test_sfem_is_its_definition_and_falls_with_image_scale() -> None:
    points = face(3)
    change = lmf.lmf(points)
    jaw, nose = np.linalg.norm(points[0, 0] - points[0, 16]), np.linalg.norm(points[0, 27] - points[0, 33])
    expected = np.mean([np.abs(c).sum() for c in change]) / (jaw * nose)
    assert lmf.sfem(change, points) == pytest.approx(expected)
    assert lmf.sfem(lmf.lmf(2 * points), 2 * points) == pytest.approx(expected / 2)


@given(seeds, st.integers(2, 12), st.integers(2, 12))
@settings(deadline=None, max_examples=30)
def test_resampling_keeps_the_ends_and_straight_motion(seed: int, n: int, frames: int) -> None:
    random = np.random.default_rng(seed)
    start, speed = random.normal(size=(2, 68, 2))
    points = start + np.arange(n)[:, None, None] * speed
    result = lmf.resample(points, frames)
    np.testing.assert_allclose(result[[0, -1]], points[[0, -1]])
    np.testing.assert_allclose(result, start + np.linspace(0, n - 1, frames)[:, None, None] * speed)


def test_faces_are_aligned_by_the_eyes_of_the_first_frame() -> None:
    """A bright dot at each eye of a tilted, shifted face lands where the alignment says, and motion is kept."""
    frames, points = np.zeros((2, 240, 260), np.uint8), np.zeros((2, 68, 2), np.float32)
    eyes = np.array([[90, 100], [160, 130]], np.float32)
    for frame, offset in enumerate((0, 12)):
        points[frame, RIGHT_EYE], points[frame, LEFT_EYE] = eyes[0] + offset, eyes[1] + offset
        for x, y in eyes + offset:
            cv2.circle(frames[frame], (int(x), int(y)), 5, 255, -1)
    first, last = dtagn.faces(frames, points, 64)
    for image, moved in ((first, False), (last, True)):
        ys, xs = np.nonzero(image > 100)
        left, right = xs < xs.mean(), xs > xs.mean()
        expected = 0.5 * 64 - dtagn.EYES_APART * 32, 0.5 * 64 + dtagn.EYES_APART * 32
        if moved:
            assert abs(xs[left].mean() - expected[0]) > 1
        else:
            assert xs[left].mean() == pytest.approx(expected[0], abs=1)
            assert xs[right].mean() == pytest.approx(expected[1], abs=1)
            assert ys.mean() == pytest.approx(dtagn.EYES_DOWN * 64, abs=1)
