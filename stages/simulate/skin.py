"""The looks of a person as textures on the unrolled cylinder: skin, lips, brows, beard, hair, clothes, wrinkles.

Everything is painted in the base mesh's own coordinates, so that it sits on the same anatomy in every person and
moves with the skin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from stages.simulate.assets import BOTTOM, CURTAIN, TEXTURE, TOP, Assets, texel_of
from stages.simulate.faces import Person
from stages.simulate.render import Surface, wrinkle
from stages.tables.points import CHIN, LEFT_BROW, RIGHT_BROW

HEIGHT, WIDTH = TEXTURE
UNIT = HEIGHT / (TOP - BOTTOM)
"""Texels per decimetre."""

FOLDS = ("forehead", "glabella", "nose", "nasolabial", "crow", "lid", "chin", "dimple")
"""The wrinkles, each on its left and right side."""
FOLD_UNITS = {"forehead": {1: 0.7, 2: 0.7}, "glabella": {4: 1.0}, "nose": {9: 1.0}, "lid": {6: 0.6, 7: 0.6, 9: 0.4},
              "nasolabial": {9: 0.8, 10: 0.7, 12: 0.8, 20: 0.3}, "crow": {6: 1.0}, "chin": {17: 1.0, 24: 0.4},
              "dimple": {14: 1.0, 12: 0.35, 15: 0.4}}  # fmt: skip
"""How much each action unit deepens each wrinkle."""
WINDOW = (90, 640, 440, 1096)
"""Top, bottom, left and right texel of the wrinkle maps: the face."""


@dataclass(frozen=True)
class Looks:
    """A person's surface at rest, what stands off it, and how it folds."""

    surface: Surface
    bulk: np.ndarray  # (n,) decimetres by which hair and clothes stand off the skin
    long_hair: np.ndarray | None  # (c, 3) the hanging sheet of hair, if any
    creases: np.ndarray  # (8,) how readily each of FOLDS shows
    resting: np.ndarray  # (8,) how much of it shows at rest


def _noise(generator: np.random.Generator, size: float, stretch: float = 1.0) -> np.ndarray:
    """Smooth noise (TEXTURE) of unit variance with grains of ``size`` texels, ``stretch`` times taller than wide."""
    rows, columns = max(2, int(HEIGHT / (size * stretch))), max(2, int(WIDTH / size))
    grid = generator.standard_normal((rows, columns)).astype(np.float32)
    noise = cv2.resize(grid, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return noise / (noise.std() + 1e-6)


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Angle (degrees, 0 in front, positive to the subject's left) and height (dm) of every texel."""
    angle = ((np.arange(WIDTH, dtype=np.float32) + 0.5) / WIDTH - 0.5) * 360
    height = TOP - (np.arange(HEIGHT, dtype=np.float32) + 0.5) / UNIT
    return np.broadcast_to(angle, TEXTURE), np.broadcast_to(height[:, None], TEXTURE)


def _soft(values: np.ndarray, width: float) -> np.ndarray:
    return 1 / (1 + np.exp(np.clip(-values / width, -30, 30)))


def paint(assets: Assets, who: Person, generator: np.random.Generator) -> Looks:
    """A random surface that fits the person's sex, ancestry and age."""
    angle, height = _grid()
    spots = texel_of(assets.landmarks(assets.vertices))
    tone = float(np.clip(0.52 - 0.36 * who.african - 0.06 * who.asian + generator.normal(0, 0.05), 0.14, 0.64))
    hair_tone = float(np.clip(generator.choice([0.03, 0.06, 0.10, 0.17, 0.26], p=[0.25, 0.25, 0.25, 0.15, 0.1]), 0, 1))
    if who.african + who.asian > 0.4:
        hair_tone = 0.03
    if who.age > 0.45:
        hair_tone = hair_tone * 0.6 + 0.07

    albedo = np.full(TEXTURE, tone, np.float32)
    mottle = (
        0.02 * _noise(generator, 40) + 0.02 * _noise(generator, 14) + 0.025 * _noise(generator, 5)
        + 0.035 * _noise(generator, 2.5)
    )  # fmt: skip
    albedo *= np.exp(mottle * generator.uniform(0.8, 1.3) * (1 + 0.5 * who.age))
    albedo *= 1 + 0.05 * _pores(generator)
    _freckles(albedo, generator, tone)
    lids = cv2.GaussianBlur(assets.lids.astype(np.float32) / 255, (0, 0), 2)
    albedo *= 1 - generator.uniform(0.1, 0.3 if not who.female else 0.5) * lids
    _blend(albedo, _blob(spots[[40, 41, 46, 47]] + [0, 16], 13), generator.uniform(0.0, 0.22), 0.5 * tone)
    _blend(albedo, _blob(spots[[31, 35]] + [[-4, 2], [4, 2]], 5), 0.25, 0.3 * tone)
    lips = cv2.morphologyEx(assets.lips, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)).astype(np.float32) / 255
    lip_tone = tone * generator.uniform(0.5, 0.8) if who.female else tone * generator.uniform(0.68, 0.88)
    lip_tone = max(lip_tone, 0.07)
    albedo += lips * (lip_tone * (1 + 0.08 * _noise(generator, 3, 5)) - albedo)
    beard = 0.0 if who.female else generator.choice([0.1, 0.3, 0.5, 0.7]) * generator.uniform(0.6, 1)
    _beard(albedo, angle, height, spots, lips, beard, hair_tone, generator)
    _brows(albedo, spots, who, min(hair_tone, 0.12), generator)

    hair, hair_line = _hair_mask(angle, height, who, generator)
    strands = np.exp(
        0.22 * _noise(generator, 2.0, 25) + 0.16 * _noise(generator, 6, 18) + 0.12 * _noise(generator, 30, 3)
    )
    albedo += hair * (hair_tone * strands - albedo)
    shine = np.full(TEXTURE, generator.uniform(0.05, 0.12), np.float32) * (1 + 0.25 * _noise(generator, 3))
    shine += 0.1 * lips
    shine += hair * (0.03 + 0.15 * hair_tone - shine)

    neckline = 5.9 - generator.uniform(0.15, 0.5) * np.exp(-((angle / 50) ** 2)) + 0.003 * _noise(generator, 12)
    cloth = _soft(neckline - height, 0.006)
    tones = np.array([0.04, 0.08, 0.16, 0.3, 0.6])
    cloth_tone = generator.choice(tones[np.abs(np.log(tones / tone)) > 0.5])
    weave = 1 + 0.05 * _noise(generator, 2.0) + 0.03 * _noise(generator, 30, 2)
    albedo += cloth * (cloth_tone * weave - albedo)
    shine *= 1 - cloth

    long_hair = who.female and generator.random() < 0.6
    bulk = _bulk(
        assets, hair_line, neckline, generator.uniform(0.06, 0.18) if who.female else generator.uniform(0.03, 0.12)
    )
    dark_eyes = who.african + who.asian > 0.4 or generator.random() < 0.45
    surface = Surface(
        albedo=np.clip(albedo, 0.012, 0.9),
        shine=np.clip(shine, 0, 0.5),
        iris=generator.uniform(0.03, 0.06) if dark_eyes else generator.uniform(0.1, 0.24),
        pupil=generator.uniform(0.16, 0.24),
        lash=generator.uniform(0.6, 0.95) if who.female else generator.uniform(0.3, 0.6),
    )
    return Looks(
        surface=surface,
        bulk=bulk,
        long_hair=_curtain(assets, who, bulk, generator) if long_hair else None,
        creases=(generator.uniform(0.35, 0.8, len(FOLDS)) + 0.5 * who.age).astype(np.float32),
        resting=(generator.uniform(0, 0.06, len(FOLDS)) + 0.4 * who.age**1.5).astype(np.float32),
    )


def _pores(generator: np.random.Generator) -> np.ndarray:
    """Shading of a fine relief lit from above: the vertical slope of a height map."""
    relief = _noise(generator, 3.5) + 0.6 * _noise(generator, 8)
    return np.clip(np.gradient(relief, axis=0), -1.5, 1.5).astype(np.float32)


def _freckles(albedo: np.ndarray, generator: np.random.Generator, tone: float) -> None:
    marks = np.zeros(TEXTURE, np.float32)
    for _ in range(generator.integers(15, 120)):
        at = (int(generator.integers(400, 1136)), int(generator.integers(120, 900)))
        cv2.circle(marks, at, int(generator.integers(1, 3)), float(generator.uniform(0.05, 0.25)), -1, cv2.LINE_AA)
    for _ in range(generator.integers(0, 4)):
        at = (int(generator.integers(520, 1016)), int(generator.integers(200, 620)))
        cv2.circle(marks, at, 3, 0.6, -1, cv2.LINE_AA)
    albedo *= 1 - cv2.GaussianBlur(marks, (0, 0), 0.9)


def _blob(points: np.ndarray, sigma: float) -> np.ndarray:
    mask = np.zeros(TEXTURE, np.float32)
    for column, row in points:
        cv2.circle(mask, (round(float(column)), round(float(row))), round(sigma * 0.8), 1.0, -1)
    return np.minimum(cv2.GaussianBlur(mask, (0, 0), sigma * 0.6), 1)


def _blend(albedo: np.ndarray, mask: np.ndarray, amount: float, tone: float) -> None:
    albedo += amount * mask * (tone - albedo)


def _by(point: np.ndarray, column: float, row: float) -> np.ndarray:
    """The point (2,) that many texels further."""
    return point + np.array([column, row])


def _curve(points: np.ndarray, count: int) -> np.ndarray:
    """``count`` points along a smooth curve through ``points`` (k, 2)."""
    degree = min(3, len(points) - 1)
    at, wanted = np.linspace(0, 1, len(points)), np.linspace(0, 1, count)
    return np.stack([np.polyval(np.polyfit(at, points[:, d], degree), wanted) for d in range(2)], axis=1)


def _line(mask: np.ndarray, points: np.ndarray, strength: float, thickness: int = 1) -> None:
    cv2.polylines(mask, [np.round(points * 16).astype(np.int32)], False, strength, thickness, cv2.LINE_AA, shift=4)


def _brows(albedo: np.ndarray, spots: np.ndarray, who: Person, tone: float, generator: np.random.Generator) -> None:
    full = generator.uniform(0.75, 1.15) * (0.9 if who.female else 1.1)
    thick = generator.uniform(6, 10) * (0.8 if who.female else 1.2)
    lift, arch = generator.normal(0, 3), generator.normal(0, 3)
    mask = np.zeros(TEXTURE, np.uint8)
    for points, outward in ((spots[RIGHT_BROW][::-1], -1), (spots[LEFT_BROW], 1)):
        line = points + [0, lift] + np.array([0, 0.3, 1.0, 0.6, 0])[:, None] * [0, -arch]
        line[0] += [outward * generator.uniform(-2, 4), 0]
        curve = _curve(line, 64)
        for k in range(170):
            s = generator.beta(1.1, 1.25)
            base = curve[int(s * 63)]
            half = thick * (1 - 0.75 * s**2) * (0.6 + 0.4 * min(1, s * 6))
            start = _by(base, generator.normal(0, 2), np.clip(generator.normal(0.1, 0.45), -1, 1) * half)
            lean = np.deg2rad(generator.normal(60 - 75 * min(1, s * 2.2), 10))
            reach = generator.uniform(9, 17)
            end = _by(start, outward * np.cos(lean) * reach, -np.sin(lean) * reach * 0.8)
            _line(mask, np.stack([start, end]), 255 if k % 3 else 190)
    cover = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 1.0)
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 4.0)
    albedo += np.clip(full * (0.75 * cover + 0.45 * soft), 0, 0.95) * (tone - albedo)


def _beard(
    albedo: np.ndarray,
    angle: np.ndarray,
    height: np.ndarray,
    spots: np.ndarray,
    lips: np.ndarray,
    amount: float,
    tone: float,
    generator: np.random.Generator,
) -> None:
    """Stubble on lip, cheeks, chin and throat."""
    if amount <= 0:
        return
    nose, chin = TOP - spots[33, 1] / UNIT, TOP - spots[CHIN, 1] / UNIT
    side = np.abs(angle)
    upper = np.interp(side, [0, 14, 22, 40, 62, 75], [nose - 0.02, nose - 0.05, 6.62, 6.6, 6.85, 7.1]).astype(
        np.float32
    )
    area = _soft(upper - height, 0.04) * _soft(height - (chin - 0.35), 0.08) * _soft(78 - side, 4) * (1 - lips)
    speckle = np.clip(0.55 + 0.45 * _noise(generator, 2.0), 0, 1.4)
    albedo += np.clip(amount * 0.6 * area * speckle, 0, 0.85) * (min(tone, 0.08) - albedo)


def _hair_mask(
    angle: np.ndarray, height: np.ndarray, who: Person, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cover (TEXTURE) by hair and the height (columns,) of the hairline."""
    front = generator.uniform(7.94, 8.12) + (0.1 * who.age if not who.female else 0)
    recess = generator.uniform(0.0, 0.05) + (0.0 if who.female else generator.uniform(0, 0.12))
    burn = generator.uniform(7.0, 7.35)
    side = np.abs(angle[0])
    around = [0, 15, 30, 45, 58, 66, 74, 86, 100, 112, 130, 180]
    heights = [front, front, front - 0.02 + recess, front - 0.2, 7.72, 7.5, burn, 7.2, 7.0, 6.7, 6.5, 6.4]
    line = np.interp(side, around, heights)
    line = cv2.GaussianBlur(line.astype(np.float32)[None], (0, 0), 12)[0]
    lean = angle[0] - generator.choice([-1, 1]) * generator.uniform(20, 45)
    if who.female:
        line = line - generator.choice([0, 0.12, 0.22]) * np.exp(-((lean / 24) ** 2))
    ragged = line[None] + 0.025 * _noise(generator, 1.8, 9) + 0.01 * _noise(generator, 9, 2)
    return _soft(height - ragged, 0.016) * np.clip(0.8 + 6 * (height - line), 0.0, 1.0), line


def _bulk(assets: Assets, hair_line: np.ndarray, neckline: np.ndarray, thick: float) -> np.ndarray:
    spots = texel_of(assets.vertices)
    column = np.clip(spots[:, 0].astype(int), 0, WIDTH - 1)
    row = np.clip(spots[:, 1].astype(int), 0, HEIGHT - 1)
    above = assets.vertices[:, 1] - hair_line[column]
    below = neckline[row, column] - assets.vertices[:, 1]
    hair = thick * np.clip(above / 0.25, 0, 1) * (1 - assets.ear)
    skin = (np.abs(assets.eye).sum(axis=1) == 0) & (assets.inner < 0.5)
    return ((hair + 0.05 * np.clip(below / 0.05, 0, 1)) * skin).astype(np.float32)


def _curtain(assets: Assets, who: Person, bulk: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Long hair: a sheet around the head's sides and back that follows the skull, then hangs to its end."""
    rows, columns = CURTAIN
    begin, end = generator.uniform(66, 80), generator.uniform(5.2, 6.3)
    fall = generator.uniform(0.0, 0.18)
    crown = who.vertices[:, 1].max()
    skull = who.vertices[(assets.ear == 0) & (np.abs(who.vertices[:, 0]) < 1)]
    y = np.linspace(crown - 0.25, end, rows)
    rings = [np.abs(skull[:, 1] - max(h, crown - 0.75)) < 0.1 for h in y]
    half = np.array([np.abs(skull[ring, 0]).max() for ring in rings])
    back = np.array([skull[ring, 2].min() for ring in rings])
    ends = np.clip((7.6 - y) / 1.4, 0, 1)
    emerge = np.clip((crown - 0.2 - y) / 0.6, 0, 1)
    half = half * (0.9 + 0.1 * emerge) + (bulk.max() + 0.08) * emerge + fall * ends * (1.6 - ends)
    angle = np.deg2rad(np.linspace(begin, 360 - begin, columns))
    wave = 1 + 0.02 * np.interp(np.linspace(0, 1, columns), np.linspace(0, 1, 15), generator.standard_normal(15))
    centre = 0.45
    depth = np.where(np.cos(angle)[None] > 0, 0.75, centre - back[:, None] + bulk.max() + 0.05)
    x = half[:, None] * np.sin(angle)[None] * wave
    z = centre + depth * np.cos(angle)[None] * wave
    return np.stack([x, np.broadcast_to(y[:, None], x.shape), z], axis=-1).reshape(-1, 3).astype(np.float32)


def wrinkle_maps(assets: Assets) -> np.ndarray:
    """(16, rows, columns) change of albedo in WINDOW for each of FOLDS, left then right, at full depth."""
    spots = texel_of(assets.landmarks(assets.vertices))
    generator = np.random.default_rng(1)
    top, bottom, left, right = WINDOW
    columns = np.arange(left, right) + 0.5
    on_left = _soft(columns - WIDTH / 2, 6).astype(np.float32)
    maps = []
    for fold in FOLDS:
        lines = np.zeros(TEXTURE, np.float32)
        for side in (-1, 1):
            for points, strength, thickness in _fold(fold, side, spots, generator):
                _line(lines, _curve(points, 40), strength, thickness)
        if fold == "chin":
            area = _blob(spots[[CHIN]] + [0, -38], 30)
            lines += area * np.clip(_noise(generator, 9), -1, 1) * 0.8
        lines = lines[top:bottom, left:right]
        dark = 0.22 * cv2.GaussianBlur(lines, (0, 0), 2.0) + 1.0 * cv2.GaussianBlur(lines, (0, 0), 5.5)
        ridge = cv2.GaussianBlur(np.roll(lines, 9, axis=0), (0, 0), 4)
        change = np.clip(0.45 * ridge - dark, -0.75, 0.3)
        maps += [change * on_left, change * (1 - on_left)]
    return np.stack(maps).astype(np.float32)


def _fold(
    fold: str, side: int, spots: np.ndarray, generator: np.random.Generator
) -> list[tuple[np.ndarray, float, int]]:
    """Curves of a wrinkle on one side (-1 the subject's right): points, strength and thickness in texels."""
    corner, wing, inner, outer = spots[[48, 31, 39, 36]] if side < 0 else spots[[54, 35, 42, 45]]
    middle = WIDTH / 2
    if fold == "forehead":
        curves = []
        for k, y in enumerate((7.66, 7.755, 7.85, 7.945)):
            row = (TOP - y) * UNIT
            x = np.linspace(0, 150 - 12 * k, 6)
            wave = generator.normal(0, 1.6, 6) + np.array([3, 0, -4, -4, 0, 7])
            curves.append((np.stack([middle + side * x, row + wave], axis=1), 0.8 - 0.1 * k, 2))
        return curves
    if fold == "glabella":
        line, row = middle + side * 14, (TOP - 7.52) * UNIT
        upright = np.array(
            [[line + side * 4, row + 26], [line, row + 8], [line + side, row - 8], [line + side * 4, row - 22]]
        )
        return [(upright, 1.0, 3), (np.array([[line - side * 13, row + 32], [line, row + 34]]), 0.6, 2)]
    if fold == "nose":
        row = (TOP - 7.26) * UNIT
        across = middle + side * np.array([1, 12, 26])
        return [(np.stack([across, row + d - np.array([0, 2, 9])], axis=1), 0.7, 2) for d in (-14, -3, 9)]
    if fold == "nasolabial":
        start, end = _by(wing, side * 13, -14), _by(corner, side * 22, 6)
        bend = _by((start + end) / 2, side * 9, -8)
        return [(np.stack([start, bend, end]), 0.75, 3)]
    if fold == "crow":
        return [
            (_by(outer, side * 16, 2) + np.array([[0, 0], [side * 14, d * 0.5], [side * 30, d * 1.3]]), 0.75, 1)
            for d in (-14, -5, 5, 14)
        ]
    if fold == "lid":
        low = _by((inner + outer) / 2, 0, 25)
        return [(np.stack([_by(inner, side * 4, 14), low, _by(outer, side * 2, 15)]), 0.7, 2)]
    if fold == "dimple":
        return [(_by(corner, side * 12, 0) + np.array([[0, -13], [side * 5, 0], [0, 13]]), 0.9, 3)]
    return []


def folded(looks: Looks, maps: np.ndarray, actions: dict[int, tuple[float, float]]) -> Surface:
    """The surface with the wrinkles that action units at (left, right) intensities draw into it.

    ``maps`` are those of ``wrinkle_maps``.
    """
    depths = np.zeros((len(FOLDS), 2), np.float32)
    for k, fold in enumerate(FOLDS):
        pull = sum(share * np.array(actions[unit]) for unit, share in FOLD_UNITS[fold].items() if unit in actions)
        depths[k] = looks.resting[k] + looks.creases[k] * np.clip(pull, 0, 1.2)
    top, _, left, _ = WINDOW
    return replace(looks.surface, albedo=wrinkle(looks.surface.albedo, maps, depths.ravel(), top, left))
