"""Actors' heads: the face model, reduced to what the 68 points need.

Landmarks are linear in the weights of shapes and expressions, so a target is 68 displacements and no mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.simulate import faces
from stages.simulate.actors.errors import product
from stages.simulate.assets import Assets
from stages.simulate.params import Variety
from stages.simulate.render import Camera
from stages.simulate.score import UNITS, Score, draw, habits
from stages.simulate.sequence import CENTRE_DEPTH, camera
from stages.tables.points import EYES, POINTS


@dataclass(frozen=True)
class Model:
    """The face model in 68 points; t shape targets, e targets of expressions. Lengths in decimetres."""

    axes: faces.Axes
    neutral: np.ndarray  # (68, 3)
    shapes: np.ndarray  # (t, 204) displacement by each target
    blends: np.ndarray  # (2 * units, e) weight of each expression target for a unit on the left, on the right
    most: np.ndarray  # (e,) largest weight of each
    expressions: np.ndarray  # (e, 204) displacement by each target


def reduced(assets: Assets) -> Model:
    """The model's landmarks alone."""
    names = assets.names.tolist()
    still = np.zeros_like(assets.vertices)
    shapes = np.stack([assets.landmarks(assets.displace(still, {name: 1.0})).ravel() for name in names])
    sides = [(unit, side) for unit in UNITS.tolist() for side in ((1.0, 0.0), (0.0, 1.0))]
    weights = [faces.targets({unit: side}) for unit, side in sides]
    used = sorted(set().union(*weights))
    return Model(
        axes=faces.axes(names),
        neutral=assets.landmarks(assets.vertices).astype(np.float32),
        shapes=shapes.astype(np.float32),
        blends=np.array([[w.get(name, 0.0) for name in used] for w in weights], np.float32),
        most=np.array([faces.most(name) for name in used], np.float32),
        expressions=shapes[[names.index(name) for name in used]].astype(np.float32),
    )


@dataclass(frozen=True)
class Actor:
    """A head before a camera, and its score."""

    weights: np.ndarray  # (t,) of the shape targets
    camera: np.ndarray  # (3,) scale, column and row, as ``sequence.camera`` gives them
    score: Score


def actor(model: Model, emotion: int, frames: int, variety: Variety, generator: np.random.Generator) -> Actor:
    """A random person who shows an emotion (CK+'s code) in so many frames."""
    weights = faces.draw(model.axes, generator)[0]
    lens = camera(generator)
    return Actor(weights, lens, draw(emotion, frames, habits(variety, generator), variety, generator))


def points(model: Model, actors: list[Actor], frames: np.ndarray) -> np.ndarray:
    """True landmarks of several actors: float32 (actors, most frames, 68, 2), in px of the native frame.

    ``frames`` (actors,) counts each one's; after its last frame an actor stays as it is there.
    """
    actions = padded([a.score.actions.reshape(len(a.score.actions), -1) for a in actors], frames)
    poses = padded([a.score.poses for a in actors], frames)
    heads = model.neutral + product(np.stack([a.weights for a in actors]), model.shapes).reshape(-1, POINTS, 3)
    heads += model.neutral[faces.MIDDLE].mean(axis=0) - heads[:, faces.MIDDLE].mean(axis=1, keepdims=True)
    weights = np.minimum(product(actions.reshape(-1, actions.shape[2]), model.blends), model.most)
    moved = product(weights, model.expressions).reshape(*poses.shape[:2], POINTS, 3) + heads[:, None]
    moved = faces.pose(moved, poses[..., :3])
    scale, column, row = np.stack([a.camera for a in actors]).T[..., None].astype(np.float32)
    eyes = heads[:, EYES].mean(axis=1)
    eyes[:, 2] = CENTRE_DEPTH
    lens = Camera(
        (scale * (1 + poses[..., 5]))[..., None],
        (column + poses[..., 3])[..., None],
        (row + poses[..., 4])[..., None],
        eyes[:, None, None],
    )
    return lens.project(moved)[..., :2] - np.float32(0.5)


def padded(arrays: list[np.ndarray], frames: np.ndarray) -> np.ndarray:
    """Arrays (frames, width), one a sequence, as one float32 (arrays, most frames, width): the last frame repeats."""
    result = np.empty((len(arrays), frames.max(), arrays[0].shape[1]), np.float32)
    for k, (array, count) in enumerate(zip(arrays, frames, strict=True)):
        result[k, :count] = array
        result[k, count:] = array[-1]
    return result
