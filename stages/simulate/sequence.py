"""One recorded sequence: a person before a camera, and the frames that show a score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from stages.simulate import faces, render, skin
from stages.simulate.assets import Assets
from stages.simulate.params import Variety
from stages.simulate.render import HAIR, HEIGHT, LASH, WIDTH
from stages.simulate.score import UNITS, Score, habits
from stages.tables.points import EYES

FLICKER = 0.004
"""How much the light differs between frames (standard deviation, relative)."""
CENTRE_DEPTH = 0.8
"""Depth of the point that the camera looks at, in the middle of the head, decimetres."""


@dataclass(frozen=True)
class Subject:
    """A person, ready to be filmed: looks, mesh, camera, light, background and habits of expression."""

    looks: skin.Looks
    vertices: np.ndarray  # (n, 3) neutral, with hair and clothes
    mesh: render.Mesh
    camera: render.Camera
    light: render.Light
    background: np.ndarray
    habits: np.ndarray  # (units, 2) how strongly each action unit is used, left and right


def camera(generator: np.random.Generator) -> np.ndarray:
    """How a camera shows a face, (3,): px a decimetre, and column and row of the centre of the eyes, px."""
    return np.array([generator.uniform(118, 130), generator.normal(WIDTH / 2, 14), generator.normal(212, 10)])


def subject(assets: Assets, variety: Variety, generator: np.random.Generator) -> Subject:
    """A random person before a random camera."""
    who = faces.person(assets, generator)
    looks = skin.paint(assets, who, generator)
    solid = assets.part != LASH
    vertices = who.vertices + render.normals(who.vertices, assets.triangles[solid]) * looks.bulk[:, None]
    kept = np.ones(len(assets.part), bool)
    if looks.long_hair is None:
        kept = assets.part != HAIR
    else:
        vertices[assets.curtain] = looks.long_hair
    points = assets.landmarks(who.vertices)
    eyes = points[EYES].mean(axis=0)
    scale, column, row = camera(generator).tolist()
    side = generator.choice([-1, 1])
    light = render.Light(
        key=(side * generator.uniform(0.2, 0.6), generator.uniform(0.3, 0.7), 0.8),
        fill=(-side * generator.uniform(0.5, 0.9), generator.uniform(-0.1, 0.3), 0.6),
        strengths=(generator.uniform(0.75, 1.0), generator.uniform(0.15, 0.35), generator.uniform(0.2, 0.3)),
    )
    triangles, part = assets.triangles[kept], assets.part[kept]
    return Subject(
        looks=looks,
        vertices=vertices.astype(np.float32),
        mesh=render.Mesh(
            triangles, part, assets.texel[kept], assets.eye, assets.inner, _strands(assets, triangles[part == LASH])
        ),
        camera=render.Camera(scale, column, row, (float(eyes[0]), float(eyes[1]), CENTRE_DEPTH)),
        light=light,
        background=_wall(generator),
        habits=habits(variety, generator),
    )


def _strands(assets: Assets, lashes: np.ndarray) -> np.ndarray:
    """(m, 3) cover of the lash strips' corners: full at the lid, none at the tips."""
    corners = assets.vertices[lashes]
    centre = np.where(corners[:, :, :1] > 0, 1, -1) * np.array([0.31, 0, 0]) + np.array([0, 7.285, 1.245])
    reach = np.linalg.norm(corners - centre, axis=2)
    return np.clip((0.215 - reach) / 0.05, 0, 1).astype(np.float32)


def _wall(generator: np.random.Generator) -> np.ndarray:
    """A lab's wall: unevenly lit, slightly stained."""
    column, row = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
    wall = generator.uniform(0.12, 0.5) * (1 + generator.normal(0, 0.12) * column + generator.normal(-0.05, 0.1) * row)
    wall *= 1 - generator.uniform(0.05, 0.2) * (column**2 + row**2) / 2
    stains = cv2.resize(
        generator.standard_normal((12, 16)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    return (wall * (1 + 0.015 * stains)).astype(np.float32)


def film(
    assets: Assets, maps: np.ndarray, who: Subject, score: Score, noise: float, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields each frame (HEIGHT, WIDTH) uint8 and its 68 true landmarks (68, 2) in px; ``noise`` in grey levels."""
    for levels, pose in zip(score.actions.tolist(), score.poses, strict=True):
        actions = {unit: (left, right) for unit, (left, right) in zip(UNITS.tolist(), levels, strict=True)}
        vertices = faces.pose(faces.act(assets, who.vertices, actions), pose[:3])
        column, row, nearer = pose[3:].tolist()
        camera = replace(
            who.camera,
            scale=who.camera.scale * (1 + nearer),
            column=who.camera.column + column,
            row=who.camera.row + row,
        )
        surface = skin.folded(who.looks, maps, actions)
        radiance = render.photograph(vertices, who.mesh, surface, who.background, camera, who.light)
        image = _develop(radiance * generator.normal(1, FLICKER), noise, generator)
        # a pixel's centre has whole coordinates, as in CK+'s own landmarks and in dlib
        yield image, camera.project(assets.landmarks(vertices))[:, :2] - 0.5


def _develop(radiance: np.ndarray, noise: float, generator: np.random.Generator) -> np.ndarray:
    """Lens blur, the camera's tone curve, and its noise."""
    sharp = cv2.GaussianBlur(np.maximum(radiance, 0), (0, 0), 0.55)
    grey = 255 * (1 - np.exp(-1.7 * sharp)) ** (1 / 1.7)
    grey += np.float32(noise) * generator.standard_normal(grey.shape, np.float32)
    return np.clip(np.round(grey), 0, 255).astype(np.uint8)


def intensities(score: Score) -> list[tuple[int, int]]:
    """FACS coding of the apex: each action unit with its intensity 1 (trace) to 5 (maximum)."""
    strongest = score.apex.max(axis=1)
    return [
        (unit, int(np.clip(np.ceil(most * 4), 1, 5)))
        for unit, most in zip(UNITS.tolist(), strongest.tolist(), strict=True)
        if most > 0.05
    ]
