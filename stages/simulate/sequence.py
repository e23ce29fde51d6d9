"""One recorded sequence: how an expression unfolds over time, and the frames that show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from stages.simulate import faces, render, skin
from stages.simulate.assets import Assets
from stages.simulate.render import HAIR, HEIGHT, LASH, WIDTH
from stages.tables.points import EYES

Actions = dict[int, tuple[float, float]]
"""Intensity of each action unit on the subject's left and right."""

EARLY = 0.16
"""Motion per step over the first three frames, as a share of that over the whole sequence. With what people do besides
the expression, SFEM's share becomes about 0.23, as measured on CK+."""
LAG = 0.5
"""How much the early share differs between the action units of a sequence (logarithm's standard deviation)."""
VARIES = 0.28
"""How much an action unit's intensity differs between sequences (standard deviation, relative)."""
STRAY = 0.55
"""Share of sequences with an action unit that does not belong to the emotion."""
IDLE, RESTLESS = (1, 2, 4, 7, 12, 14, 15, 17, 20, 23, 25, 45), 0.008
"""The action units that nobody holds quite still, and the standard deviation of their wandering intensity."""


@dataclass(frozen=True)
class Subject:
    """A person, ready to be filmed: looks, mesh, camera, light, background and habits of expression."""

    looks: skin.Looks
    vertices: np.ndarray  # (n, 3) neutral, with hair and clothes
    mesh: render.Mesh
    camera: render.Camera
    light: render.Light
    background: np.ndarray
    habits: dict[int, tuple[float, float]]  # how strongly each action unit is used, left and right
    gain: float


@dataclass(frozen=True)
class Score:
    """The time course of a sequence: what every frame shows."""

    apex: Actions
    actions: list[Actions]  # one a frame
    poses: np.ndarray  # (frames, 5): yaw, pitch, roll (degrees), columns, rows (px)
    flicker: np.ndarray  # (frames,) factor on the light


def subject(assets: Assets, generator: np.random.Generator) -> Subject:
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
    scale = generator.uniform(118, 130)
    column, row = WIDTH / 2 + generator.normal(0, 14), 212 + generator.normal(0, 10)
    side = generator.choice([-1, 1])
    light = render.Light(
        key=(side * generator.uniform(0.2, 0.6), generator.uniform(0.3, 0.7), 0.8),
        fill=(-side * generator.uniform(0.5, 0.9), generator.uniform(-0.1, 0.3), 0.6),
        strengths=(generator.uniform(0.75, 1.0), generator.uniform(0.15, 0.35), generator.uniform(0.2, 0.3)),
    )
    habits = {
        unit: tuple(np.clip(generator.normal(1, 0.12) + generator.normal(0, 0.06, 2), 0.4, 1.6))
        for unit in faces.ACTION_UNITS
    }
    triangles, part = assets.triangles[kept], assets.part[kept]
    return Subject(
        looks=looks,
        vertices=vertices.astype(np.float32),
        mesh=render.Mesh(
            triangles, part, assets.texel[kept], assets.eye, assets.inner, _strands(assets, triangles[part == LASH])
        ),
        camera=render.Camera(float(scale), float(column), float(row), (float(eyes[0]), float(eyes[1]), 0.8)),
        light=light,
        background=_wall(generator),
        habits=habits,
        gain=float(np.clip(generator.normal(1.0, 0.1), 0.75, 1.2)),
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


def score(who: Subject, emotion: int, frames: int, generator: np.random.Generator) -> Score:
    """How ``who`` shows an emotion in ``frames`` frames, from neutral to apex.

    Each action unit follows 1 - (1 - p^a)^b over the sequence's progress p, with ``a`` such that the first three
    frames hold the wanted small share of the motion.
    """
    apex = _apex(who, emotion, generator)
    progress = np.linspace(0, 1, frames)
    early = 2 / (frames - 1)
    share = generator.lognormal(np.log(EARLY), 0.3)
    soften = generator.uniform(1.0, 1.6)
    courses = {}
    for unit in apex:
        own = np.clip(share * generator.lognormal(0, LAG), 0.02, 0.6)
        power = np.log(1 - (1 - own * early) ** (1 / soften)) / np.log(early)
        courses[unit] = 1 - (1 - progress**power) ** soften
    restless = {unit: _wander(frames, RESTLESS, generator) for unit in IDLE}
    actions = []
    for t in range(frames):
        now = {unit: (left * courses[unit][t], right * courses[unit][t]) for unit, (left, right) in apex.items()}
        for unit, path in restless.items():
            left, right = now.get(unit, (0.0, 0.0))
            now[unit] = (left + path[t, 0], right + path[t, 1])
        actions.append(now)

    drift = generator.normal(0, [1.2, 1.2, 1.0, 2.0, 1.5])
    eased = progress**1.5
    still = generator.normal(0, [0.02, 0.02, 0.015, 0.03, 0.03], (frames, 5))
    start = generator.normal(0, [2.0, 2.0, 1.5, 0, 0])
    poses = start + eased[:, None] * drift + still
    flicker = 1 + generator.normal(0, 0.004, frames)
    return Score(apex, actions, poses, flicker)


def _apex(who: Subject, emotion: int, generator: np.random.Generator) -> Actions:
    """Intensities at the apex: the emotion's units as this person shows them this time, and perhaps a stray one."""
    gain = float(np.clip(who.gain * generator.normal(1, 0.14), 0.6, 1.25))
    shown = {unit: usual for unit, (usual, often) in faces.EMOTION_UNITS[emotion].items() if generator.random() < often}
    if generator.random() < STRAY:
        unit = int(generator.choice([u for u in (1, 2, 4, 5, 7, 12, 14, 15, 17, 20, 23, 24) if u not in shown]))
        shown[unit] = generator.uniform(0.15, 0.4)
    weak = generator.integers(2)
    apex: Actions = {}
    for unit, usual in shown.items():
        sides = np.array(who.habits[unit]) * np.clip(generator.normal(1, VARIES) + generator.normal(0, 0.05, 2), 0.3, 2)
        if emotion == 2 and unit in (12, 14):
            sides[weak] *= 0.06
        left, right = np.clip(gain * usual * sides, 0, 1.3)
        apex[unit] = (float(left), float(right))
    return apex


def _wander(frames: int, size: float, generator: np.random.Generator) -> np.ndarray:
    """(frames, 2) slow involuntary motion on the left and right, mostly together, from rest in the first frame."""
    knots = generator.normal(0, size, frames // 3 + 2)[:, None] + generator.normal(0, size / 3, (frames // 3 + 2, 2))
    at = np.linspace(0, len(knots) - 1, frames)
    path = np.stack([np.interp(at, np.arange(len(knots)), knots[:, k]) for k in range(2)], axis=1)
    return path - path[0]


def film(
    assets: Assets, maps: np.ndarray, who: Subject, plan: Score, noise: float, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields each frame (HEIGHT, WIDTH) uint8 and its 68 true landmarks (68, 2) in px; ``noise`` in grey levels."""
    for actions, pose, flicker in zip(plan.actions, plan.poses, plan.flicker, strict=True):
        yaw, pitch, roll, column, row = pose
        vertices = faces.pose(faces.act(assets, who.vertices, actions), yaw, pitch, roll)
        camera = replace(who.camera, column=who.camera.column + column, row=who.camera.row + row)
        surface = skin.folded(who.looks, maps, actions)
        radiance = render.photograph(vertices, who.mesh, surface, who.background, camera, who.light)
        image = _develop(radiance * flicker, noise, generator)
        # a pixel's centre has whole coordinates, as in CK+'s own landmarks and in dlib
        yield image, camera.project(assets.landmarks(vertices))[:, :2] - 0.5


def _develop(radiance: np.ndarray, noise: float, generator: np.random.Generator) -> np.ndarray:
    """Lens blur, the camera's tone curve, and its noise."""
    sharp = cv2.GaussianBlur(np.maximum(radiance, 0), (0, 0), 0.55)
    grey = 255 * (1 - np.exp(-1.7 * sharp)) ** (1 / 1.7)
    grey += np.float32(noise) * generator.standard_normal(grey.shape, np.float32)
    return np.clip(np.round(grey), 0, 255).astype(np.uint8)


def intensities(plan: Score) -> list[tuple[int, int]]:
    """FACS coding of the apex: each action unit with its intensity 1 (trace) to 5 (maximum)."""
    return [
        (unit, int(np.clip(np.ceil(max(sides) * 4), 1, 5)))
        for unit, sides in sorted(plan.apex.items())
        if max(sides) > 0.05
    ]
