"""Actors: the same people and scores as rendered ones, in any chunks, with the landmarker's errors."""

from dataclasses import replace

import numpy as np
import pytest

from stages.simulate import assets, faces, score
from stages.simulate.actors import errors, people, stream
from stages.simulate.params import Simulate
from stages.simulate.plan import COUNTS
from stages.simulate.render import Camera
from stages.simulate.sequence import CENTRE_DEPTH
from stages.tables import params
from stages.tables.points import EYE_CORNERS, EYES, POINTS
from tests.conftest import ROOT

VARIETY = params.read(Simulate, ROOT / "params.yaml").variety
FRAMES = (9, 23)


@pytest.fixture(scope="module")
def parsed() -> assets.Assets:
    return assets.load()


@pytest.fixture(scope="module")
def model(parsed: assets.Assets) -> people.Model:
    return people.reduced(parsed)


@pytest.fixture(scope="module")
def error_model() -> errors.ErrorModel:
    return errors.load()


def test_points_are_those_of_the_whole_mesh(parsed: assets.Assets, model: people.Model) -> None:
    actor = people.actor(model, 7, 10, VARIETY, np.random.default_rng(3))
    points = people.points(model, [actor], np.array([10]))[0]
    who = faces.person(parsed, np.random.default_rng(3))
    eyes = parsed.landmarks(who.vertices)[EYES].mean(axis=0)
    for t in (0, 4, 9):
        units = dict(zip(score.UNITS.tolist(), actor.score.actions[t].tolist(), strict=True))
        yaw, pitch, roll, column, row, nearer = actor.score.poses[t]
        mesh = faces.pose(faces.act(parsed, who.vertices, units), np.array([yaw, pitch, roll]))
        scale, x, y = actor.camera
        lens = Camera(scale * (1 + nearer), x + column, y + row, (eyes[0], eyes[1], CENTRE_DEPTH))
        np.testing.assert_allclose(points[t], lens.project(parsed.landmarks(mesh))[:, :2] - 0.5, atol=2e-2)


def test_an_actor_depends_on_seed_and_number_alone(model: people.Model, error_model: errors.ErrorModel) -> None:
    whole = stream.tracks(model, error_model, VARIETY, FRAMES, 5, range(40))
    for part in (range(7, 8), range(30, 40)):
        alone = stream.tracks(model, error_model, VARIETY, FRAMES, 5, part)
        np.testing.assert_array_equal(alone.emotion, whole.emotion[part.start : part.stop])
        np.testing.assert_array_equal(alone.frames, whole.frames[part.start : part.stop])
        for k, number in enumerate(part):
            count = alone.frames[k]
            np.testing.assert_array_equal(alone.points[k, :count], whole.points[number, :count])
    other = stream.tracks(model, error_model, VARIETY, FRAMES, 6, range(40))
    assert np.abs(other.points[:, 0] - whole.points[:, 0]).max() > 1


def test_a_stream_shows_emotions_in_ckplus_shares(model: people.Model, error_model: errors.ErrorModel) -> None:
    parts = list(stream.stream(model, error_model, VARIETY, FRAMES, 1, range(600)))
    assert [len(part.frames) for part in parts] == [stream.CHUNK, stream.CHUNK, 600 - 2 * stream.CHUNK]
    emotion, frames = (np.concatenate([getattr(part, name) for part in parts]) for name in ("emotion", "frames"))
    share = np.bincount(emotion, minlength=8)[1:] / len(emotion)
    np.testing.assert_allclose(share, np.array(list(COUNTS.values())) / sum(COUNTS.values()), atol=0.05)
    assert set(frames) == set(range(FRAMES[0], FRAMES[1] + 1))
    assert all(part.points.dtype == np.float32 and np.isfinite(part.points).all() for part in parts)


def test_errors_keep_a_still_face_and_have_the_fitted_size(error_model: errors.ErrorModel) -> None:
    generator = np.random.default_rng(0)
    right, left = EYE_CORNERS
    true = np.tile(generator.uniform(200, 300, (1, 1, POINTS, 2)), (400, 3, 1, 1))
    true[:, :, right], true[:, :, left] = (200, 200), (300, 200)
    per_sequence = generator.standard_normal((400, error_model.per_sequence))
    silent = replace(error_model, noise=np.zeros_like(error_model.noise))
    points = errors.measured(silent, true, per_sequence, np.zeros((400, 3, error_model.per_frame)))
    np.testing.assert_allclose(points, np.broadcast_to(points[:, :1], points.shape), atol=1e-9)
    spread = ((points[:, 0] - true[:, 0]) / 100).reshape(400, -1) - error_model.mean
    np.testing.assert_allclose((spread**2).mean(), (error_model.offset**2).sum(axis=0).mean(), rtol=0.15)
