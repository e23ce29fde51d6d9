"""A person's head, and what facial action does to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.simulate.assets import Assets
from stages.tables.points import EYES, NOSE

ACTION_UNITS: dict[int, dict[str, float]] = {
    1: {"browInnerUp*": 1.2, "browOuterUp*": 0.2, "nose/nose-trans-up": 0.3, "nose/nose-base-down": 0.15,
        "nose/nose-point-up": 0.15},
    2: {"browOuterUp*": 0.8, "browInnerUp*": 0.75, "eyebrows/eyebrows-trans-up*": 0.8,
        "eyebrows/eyebrows-angle-down*": 0.3},
    4: {"browDown*": 1.05, "browOuterUp*": 0.5, "browInnerUp*": 0.25, "nose/nose-trans-up": 0.2,
        "nose/nose-base-down": 0.15, "eyeWide*": 0.13},
    5: {"eyeWide*": 0.8, "eyeSquint*": 0.1},
    6: {"cheekSquint*": 0.85, "eyeSquint*": 0.4, "mouthUpperUp*": 0.2, "browDown*": 0.17, "mouthRollUpper": 0.17,
        "mouth/mouth-scale-horiz-incr": 0.2, "mouth/mouth-upperlip-height-incr": 0.25},
    7: {"eyeSquint*": 0.62, "cheekSquint*": 0.08, "eyebrows/eyebrows-angle-up": 0.08},
    9: {"noseSneer*": 0.8, "mouthUpperUp*": 1.15, "cheekSquint*": 0.7, "mouthLowerDown*": 0.25, "mouthPucker": 0.15,
        "nose/nose-base-up": 0.5, "nose/nose-trans-up": 0.3, "mouth/mouth-trans-up": 0.35},
    10: {"mouthUpperUp*": 1.3, "mouthLowerDown*": 0.15, "cheekSquint*": 0.2, "nose/nose-base-up": 0.6,
         "nose/nose-point-down": 0.2, "mouth/mouth-trans-up": 0.15},
    12: {"mouthSmile*": 0.5, "mouthDimple*": 1.0, "mouthUpperUp*": 0.55, "cheekSquint*": 0.7,
         "chin/chin-height-decr": 0.36, "nose/nose-base-up": 0.23},
    14: {"mouthPress*": 0.5, "mouthFrown*": 0.35, "mouthPucker": 0.2, "chin/chin-height-decr": 0.2,
         "chin/chin-jaw-drop-decr": 0.4, "mouth/mouth-angles-up": 0.55, "nose/nose-nostrils-width-incr": 0.18},
    15: {"mouthFrown*": 0.8, "mouthRollUpper": 0.3, "mouthRollLower": 0.12, "jawForward": 0.5,
         "chin/chin-height-decr": 0.13, "mouth/mouth-upperlip-middle-up": 0.35, "mouth/mouth-scale-horiz-incr": 0.2},
    16: {"mouthLowerDown*": 0.35, "jawOpen": 0.13, "cheekSquint*": 0.15},
    17: {"mouthShrugLower": 0.75, "mouthRollLower": 0.58, "mouthSmile*": 0.1, "chin/chin-height-decr": 0.6},
    20: {"mouthStretch*": 0.52, "mouthFrown*": 0.8, "mouthPress*": 0.38, "mouthDimple*": 0.4, "mouthLowerDown*": 0.26,
         "cheekSquint*": 0.2, "chin/chin-jaw-drop-decr": 0.4},
    23: {"mouthRollLower": 0.8, "mouthRollUpper": 0.65, "mouthShrugUpper": 0.35, "mouthStretch*": 0.15,
         "nose/nose-point-up": 0.3},
    24: {"mouthRollLower": 0.3, "mouthPucker": 0.25, "mouthShrugLower": 0.1, "mouthSmile*": 0.1,
         "chin/chin-height-decr": 0.38, "mouth/mouth-upperlip-middle-down": 0.6, "nose/nose-nostrils-width-incr": 0.13},
    25: {"mouthUpperUp*": 0.45, "mouthLowerDown*": 0.3, "mouthShrugUpper": 0.3, "jawOpen": 0.14, "cheekSquint*": 0.2,
         "nose/nose-base-up": 0.35},
    26: {"jawOpen": 0.8, "mouthPucker": 0.45, "chin/chin-height-incr": 0.2},
    27: {"jawOpen": 1.0, "mouthPucker": 0.53, "chin/chin-height-incr": 0.25},
    45: {"eyeBlink*": 0.78},
}  # fmt: skip
"""FACS action units as blends of the mesh's targets; ``*`` stands for the left and the right one.

A plain name is an expression unit. A name with a folder is a shape target, for what expression units alone do not move:
a chin that rises, the wings of the nose. The weights are fitted to displacements of the 68 points in face scans and
rounded; benchmarks.action_units compares. The scans lack unit 25, which is made of parts of 10, 16 and 27.
"""

MOST, MOST_SHAPE = 1.4, 0.8
"""Largest weight of an expression unit and of a shape. Action units add up (1 and 2 both raise the inner brow, 17 and
24 the chin), and above these weights the mesh breaks."""

EMOTION_UNITS: dict[int, dict[int, tuple[float, float]]] = {
    1: {4: (1.0, 0.95), 5: (0.5, 0.55), 7: (0.8, 0.8), 10: (0.4, 0.2), 17: (0.6, 0.45), 23: (0.9, 0.75),
        24: (0.9, 0.6), 25: (0.4, 0.2), 26: (0.2, 0.1)},
    2: {4: (0.3, 0.1), 12: (0.5, 0.5), 14: (1.1, 0.95), 17: (0.3, 0.15), 24: (0.4, 0.15)},
    3: {4: (0.6, 0.65), 6: (0.5, 0.35), 7: (0.6, 0.5), 9: (1.0, 0.85), 10: (0.8, 0.5), 15: (0.4, 0.25),
        16: (0.5, 0.3), 17: (0.6, 0.4), 24: (0.3, 0.1), 25: (0.5, 0.4), 26: (0.25, 0.25)},
    4: {1: (0.9, 0.95), 2: (0.5, 0.55), 4: (0.8, 0.9), 5: (0.8, 0.85), 7: (0.5, 0.5), 12: (0.3, 0.1),
        20: (0.8, 0.75), 25: (0.6, 0.75), 26: (0.45, 0.55), 27: (0.5, 0.15)},
    5: {6: (0.9, 0.9), 7: (0.4, 0.25), 10: (0.3, 0.1), 12: (1.0, 1.0), 25: (0.9, 0.75), 26: (0.25, 0.3)},
    6: {1: (0.9, 0.9), 2: (0.3, 0.1), 4: (0.7, 0.8), 6: (0.4, 0.15), 7: (0.3, 0.2), 10: (0.25, 0.15), 15: (0.9, 0.9),
        17: (0.7, 0.65), 20: (0.3, 0.1), 24: (0.3, 0.2), 25: (0.3, 0.15), 26: (0.2, 0.1)},
    7: {1: (1.0, 0.95), 2: (1.0, 0.95), 5: (0.6, 0.8), 25: (0.5, 0.5), 26: (0.7, 0.6), 27: (0.75, 0.65)},
}  # fmt: skip
"""The action units of each emotion: usual intensity, and the share of sequences that show the unit.

Prototypes and their variants follow the FACS Investigator's Guide (Ekman, Friesen, Hager, 2002), EMFACS and CK+'s
emotion prediction table (Lucey et al., 2010); the numbers are ours.
"""

MIDDLE = slice(NOSE.start, EYES.stop)
"""The landmarks whose centre lies at the same place in every head."""
PIVOT = np.array([0, 6.1, 0.3], np.float32)
"""Where the head turns on the neck, decimetres."""

_OPPOSITES = (
    ("decr", "incr"), ("down", "up"), ("in", "out"), ("backward", "forward"), ("compress", "uncompress"),
    ("concave", "convex"), ("1", "2"),
)  # fmt: skip
_FIXED = ("head-age", "head-trans", "head-angle", "neck-trans", "mouth-trans-in", "mouth-trans-out", "nose-trans-in",
          "nose-trans-out", "ear-shape-pointed", "asymm-")  # fmt: skip
_SPREAD = {
    "asym/": (0.0, 0.1), "eyebrows/eyebrows-trans-down": (-0.25, 0.15), "eyebrows/": (0.0, 0.15),
    "eyes/eye-trans": (0.0, 0.18), "neck/": (0.0, 0.18), "ears/": (0.0, 0.18), "mouth/mouth-angles-down": (0.25, 0.27),
}  # fmt: skip
"""Mean and standard deviation of the shape axes that differ from the others'; positive is the second of the pair."""
_HEADS = ("diamond", "invertedtriangular", "oval", "rectangular", "round", "square", "triangular")


@dataclass(frozen=True)
class Person:
    """A person without the skin: the neutral mesh (n, 3) and the traits that the skin painter needs."""

    vertices: np.ndarray
    female: bool
    african: float
    asian: float
    age: float  # 0 is 20 years, 1 is 70


@dataclass(frozen=True)
class Axes:
    """Where the shape of a head varies: target numbers, by axis and end; ``count`` targets in all."""

    count: int
    usual: np.ndarray  # (axes,) mean of each axis
    spread: np.ndarray  # (axes,) standard deviation
    axis: np.ndarray  # (ends,) the axis that an end belongs to: one, or a left and a right one
    low: np.ndarray  # (ends,) target of negative amounts
    high: np.ndarray  # (ends,) target of positive amounts
    heads: np.ndarray  # targets of the head's outline
    macro: dict[str, int]  # targets of ancestry, sex, age and weight by name


def axes(names: list[str]) -> Axes:
    """The axes among the model's targets."""
    number = {name: k for k, name in enumerate(names)}
    pairs = sorted(_pairs(names).items())
    usual = [next((v for start, v in _SPREAD.items() if axis.startswith(start)), (0.0, 0.27)) for axis, _ in pairs]
    ends = np.array([(k, number[low], number[high]) for k, (_, both) in enumerate(pairs) for low, high in both])
    return Axes(
        count=len(names),
        usual=np.array([mean for mean, _ in usual]),
        spread=np.array([spread for _, spread in usual]),
        axis=ends[:, 0],
        low=ends[:, 1],
        high=ends[:, 2],
        heads=np.array([number[f"head/head-{head}"] for head in _HEADS]),
        macro={name.split("/")[1]: k for name, k in number.items() if name.startswith("macrodetails/")},
    )


def person(assets: Assets, generator: np.random.Generator) -> Person:
    """A random head (see ``draw``)."""
    weights, female, african, asian, age = draw(axes(assets.names.tolist()), generator)
    named = {assets.names[k]: weights[k] for k in np.flatnonzero(weights)}
    vertices = assets.displace(assets.vertices, named)
    vertices += assets.landmarks(assets.vertices)[MIDDLE].mean(axis=0) - assets.landmarks(vertices)[MIDDLE].mean(axis=0)
    return Person(vertices, female, african, asian, age)


def draw(axes: Axes, generator: np.random.Generator) -> tuple[np.ndarray, bool, float, float, float]:
    """Weights (targets,) of a random head, and Person's traits: female, African, Asian, age.

    Ancestry, sex, age and weight are blended. Then every shape axis is moved, nearly the same left and right.
    """
    female = bool(generator.random() < 0.62)
    ancestry = generator.dirichlet(np.where(np.arange(3) == generator.choice(3, p=[0.68, 0.18, 0.14]), 6.0, 0.35))
    age = float(np.clip(generator.beta(1.2, 4.0), 0, 0.6))
    sex = np.clip(generator.normal(0.88, 0.12), 0.55, 1.0)
    heavy = float(np.clip(generator.normal(0.05, 0.4), -0.9, 0.9))
    weights = np.zeros(axes.count, np.float32)
    for name, share in ((("female", "male")[not female], sex), (("female", "male")[female], 1 - sex)):
        for years, part in (("young", 1 - age), ("old", age)):
            for origin, blend in zip(("caucasian", "african", "asian"), ancestry, strict=True):
                weights[axes.macro[f"{origin}-{name}-{years}"]] = blend * share * part
            stem = f"universal-{name}-{years}-averagemuscle-"
            weights[axes.macro[stem + "averageweight"]] = share * part * (1 - abs(heavy))
            weights[axes.macro[stem + ("maxweight" if heavy > 0 else "minweight")]] = share * part * abs(heavy)
    common = np.clip(generator.normal(axes.usual, axes.spread), -0.9, 0.9)
    amount = common[axes.axis] + generator.normal(0, 0.03, len(axes.axis))
    weights[np.where(amount > 0, axes.high, axes.low)] = np.abs(amount)
    weights[axes.heads[generator.integers(len(axes.heads))]] = generator.uniform(0, 0.6)
    return weights, female, float(ancestry[1]), float(ancestry[2]), age


def _pairs(names: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Pairs of opposite shape targets, the left and right one of a kind together."""
    names = [n for n in names if not n.startswith(("unit/", "macrodetails/"))]
    known = set(names)
    axes: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        folder, stem = name.split("/")
        if stem.startswith(_FIXED):
            continue
        for low, high in _OPPOSITES:
            head, _, side = stem.partition(f"-{low}")
            other = f"{folder}/{head}-{high}{side}"
            if side in ("", "-l", "-r") and head != stem and stem == f"{head}-{low}{side}" and other in known:
                sided = folder == "asym" or not head.startswith(("l-", "r-"))
                axes.setdefault(f"{folder}/{stem if sided else head[2:] + low}", []).append((name, other))
    return axes


def targets(actions: dict[int, tuple[float, float]]) -> dict[str, float]:
    """Weights of the mesh's targets for action units at (left, right) intensities, 0 to about 1.3."""
    weights: dict[str, float] = {}
    for unit, (left, right) in actions.items():
        for name, share in ACTION_UNITS[unit].items():
            folder = "" if "/" in name else "unit/"
            sides = {name.replace("*", "Left"): left, name.replace("*", "Right"): right}
            if "*" not in name:
                sides = {name: (left + right) / 2}
            for side, intensity in sides.items():
                weights[folder + side] = weights.get(folder + side, 0.0) + share * intensity
    return {name: min(weight, most(name)) for name, weight in weights.items()}


def most(target: str) -> float:
    """Largest weight of a target."""
    return MOST if target.startswith("unit/") else MOST_SHAPE


def act(assets: Assets, vertices: np.ndarray, actions: dict[int, tuple[float, float]]) -> np.ndarray:
    """The mesh (n, 3) with each action unit at its (left, right) intensity, 0 to about 1.3."""
    return assets.displace(vertices, targets(actions))


def pose(vertices: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Heads (..., n, 3) turned about the neck by ``angles`` (..., 3) in degrees; the chest stays.

    The angles are yaw, pitch and roll: to the left, down, and towards image left.
    """
    (sy, sp, sr), (cy, cp, cr) = (f(np.deg2rad(np.moveaxis(angles, -1, 0))) for f in (np.sin, np.cos))
    turn = np.stack([
        np.stack([cr * cy - sr * sp * sy, -sr * cp, cr * sy + sr * sp * cy], -1),
        np.stack([sr * cy + cr * sp * sy, cr * cp, sr * sy - cr * sp * cy], -1),
        np.stack([-cp * sy, sp, cp * cy], -1),
    ], -2)  # fmt: skip
    turned = (vertices - PIVOT) @ np.swapaxes(turn, -1, -2).astype(np.float32) + PIVOT
    share = np.clip((vertices[..., 1:2] - 5.5) / 0.6, 0, 1)
    share = share * share * (3 - 2 * share)
    return vertices + share * (turned - vertices)
