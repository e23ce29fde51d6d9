"""A person's head, and what facial action does to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.simulate.assets import Assets
from stages.tables.points import EYES, NOSE

ACTION_UNITS: dict[int, dict[str, float]] = {
    1: {"browInnerUp": 1.0},
    2: {"browOuterUp*": 1.0},
    4: {"browDown*": 1.0},
    5: {"eyeWide*": 1.0},
    6: {"cheekSquint*": 1.0, "eyeSquint*": 0.25},
    7: {"eyeSquint*": 1.0},
    9: {"noseSneer*": 1.0},
    10: {"mouthUpperUp*": 1.0},
    12: {"mouthSmile*": 1.0},
    14: {"mouthDimple*": 1.0},
    15: {"mouthFrown*": 1.0},
    16: {"mouthLowerDown*": 1.0},
    17: {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.35},
    20: {"mouthStretch*": 1.0},
    23: {"mouthRollLower": 0.6, "mouthRollUpper": 0.6, "mouthFrown*": 0.2, "mouthPucker": 0.15},
    24: {"mouthPress*": 0.35, "mouthFrown*": 0.25, "mouthShrugLower": 0.3},
    25: {"mouthLowerDown*": 0.6, "mouthUpperUp*": 0.55, "jawOpen": 0.07},
    26: {"jawOpen": 0.45},
    27: {"jawOpen": 0.9},
    45: {"eyeBlink*": 1.0},
}
"""FACS action units in the mesh's expression units; ``*`` stands for the left and the right one."""

EMOTION_UNITS: dict[int, dict[int, tuple[float, float]]] = {
    1: {4: (1.1, 1.0), 5: (0.35, 0.6), 7: (0.8, 0.85), 17: (0.45, 0.3), 23: (0.9, 1.0), 24: (0.5, 0.85)},
    2: {12: (0.5, 0.7), 14: (1.1, 1.0)},
    3: {4: (0.4, 0.75), 7: (0.4, 0.4), 9: (1.1, 1.0), 10: (0.55, 0.7), 15: (0.4, 0.7), 16: (0.4, 0.6), 17: (0.5, 0.7)},
    4: {1: (1.0, 1.0), 2: (0.5, 0.8), 4: (0.6, 0.8), 5: (0.9, 0.9), 7: (0.3, 0.5), 20: (1.1, 0.9), 25: (0.6, 1.0),
        26: (0.5, 0.7)},
    5: {6: (0.9, 0.9), 12: (1.1, 1.0), 25: (1.0, 0.75), 26: (0.4, 0.25)},
    6: {1: (1.1, 0.95), 4: (0.6, 0.85), 15: (1.1, 1.0), 17: (0.6, 0.8)},
    7: {1: (1.1, 1.0), 2: (1.1, 1.0), 5: (0.9, 0.85), 26: (1.1, 1.0), 27: (0.55, 0.7)},
}  # fmt: skip
"""The action units of each emotion: usual intensity, and the share of sequences that show the unit.

The prototypes follow CK+'s emotion prediction table (Lucey et al., 2010); the numbers are ours.
"""

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


def person(assets: Assets, generator: np.random.Generator) -> Person:
    """A random head: ancestry, sex, age and weight blended, then every shape axis of the head moved."""
    female = bool(generator.random() < 0.62)
    ancestry = generator.dirichlet(np.where(np.arange(3) == generator.choice(3, p=[0.68, 0.18, 0.14]), 6.0, 0.35))
    age = float(np.clip(generator.beta(1.2, 4.0), 0, 0.6))
    sex = np.clip(generator.normal(0.88, 0.12), 0.55, 1.0)
    heavy = float(np.clip(generator.normal(0.05, 0.4), -0.9, 0.9))
    weights: dict[str, float] = {}
    for name, share in ((("female", "male")[not female], sex), (("female", "male")[female], 1 - sex)):
        for years, part in (("young", 1 - age), ("old", age)):
            for origin, blend in zip(("caucasian", "african", "asian"), ancestry, strict=True):
                weights[f"macrodetails/{origin}-{name}-{years}"] = blend * share * part
            stem = f"macrodetails/universal-{name}-{years}-averagemuscle-"
            weights[stem + "averageweight"] = share * part * (1 - abs(heavy))
            weights[stem + ("maxweight" if heavy > 0 else "minweight")] = share * part * abs(heavy)
    weights |= _shape(assets, generator)
    vertices = assets.displace(assets.vertices, weights)
    middle = slice(NOSE.start, EYES.stop)
    vertices += assets.landmarks(assets.vertices)[middle].mean(axis=0) - assets.landmarks(vertices)[middle].mean(axis=0)
    return Person(vertices, female, float(ancestry[1]), float(ancestry[2]), age)


def _shape(assets: Assets, generator: np.random.Generator) -> dict[str, float]:
    """Weights of the head's shape targets: one normal draw an axis, nearly the same left and right."""
    weights: dict[str, float] = {}
    for axis, ends in sorted(_axes(assets).items()):
        usual, spread = next((values for start, values in _SPREAD.items() if axis.startswith(start)), (0.0, 0.27))
        common = np.clip(generator.normal(usual, spread), -0.9, 0.9)
        for low, high in ends:
            amount = common + generator.normal(0, 0.03)
            weights[high if amount > 0 else low] = abs(amount)
    weights[f"head/head-{_HEADS[generator.integers(len(_HEADS))]}"] = generator.uniform(0, 0.6)
    return weights


def _axes(assets: Assets) -> dict[str, list[tuple[str, str]]]:
    """Pairs of opposite targets, the left and right one of a kind together."""
    names = [n for n in assets.names.tolist() if not n.startswith(("unit/", "macrodetails/"))]
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


def act(assets: Assets, vertices: np.ndarray, actions: dict[int, tuple[float, float]]) -> np.ndarray:
    """The mesh (n, 3) with each action unit at its (left, right) intensity, 0 to about 1.3."""
    weights: dict[str, float] = {}
    for unit, (left, right) in actions.items():
        for name, share in ACTION_UNITS[unit].items():
            sides = {name.replace("*", "Left"): left, name.replace("*", "Right"): right}
            if "*" not in name:
                sides = {name: (left + right) / 2}
            for side, intensity in sides.items():
                weights[f"unit/{side}"] = weights.get(f"unit/{side}", 0.0) + share * intensity
    return assets.displace(vertices, weights)


def pose(vertices: np.ndarray, yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The head turned about the neck by angles in degrees (left, down, towards image left); the chest stays."""
    pivot = np.array([0, 6.1, 0.3], np.float32)
    y, p, r = np.deg2rad(np.array([yaw, pitch, roll]))
    turn_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    turn_p = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    turn_r = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turned = (vertices - pivot) @ (turn_r @ turn_p @ turn_y).T.astype(np.float32) + pivot
    share = np.clip((vertices[:, 1:2] - 5.5) / 0.6, 0, 1)
    share = share * share * (3 - 2 * share)
    return vertices + share * (turned - vertices)
