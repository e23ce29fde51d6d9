"""From vertices to a grey photograph: z-buffer, soft shadow, ambient occlusion, skin, eyes and hair."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

SKIN, EYE, TEETH, TONGUE, LASH, HAIR = range(6)
"""The kinds of surface, each shaded in its own way."""

HEIGHT, WIDTH = 490, 640
"""The native frame of CK+, px."""

SUPERSAMPLE = 2
DISTANCE = 16.0
"""From the camera to the head's axis, decimetres."""


@dataclass(frozen=True)
class Camera:
    """A pinhole in front of the face: pixels per decimetre at the head's axis, and the pixel that shows ``centre``."""

    scale: float
    column: float
    row: float
    centre: tuple[float, float, float]

    def project(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) column, row (px of the native frame) and depth (decimetres) of points (..., 3)."""
        offset = points - np.asarray(self.centre, points.dtype)
        depth = DISTANCE - offset[..., 2]
        grow = self.scale * DISTANCE / depth
        return np.stack([self.column + grow * offset[..., 0], self.row - grow * offset[..., 1], depth], axis=-1)


@dataclass(frozen=True)
class Light:
    """The lab's lamps: unit directions to the key and the fill light, their strengths, and the ambient light."""

    key: tuple[float, float, float]
    fill: tuple[float, float, float]
    strengths: tuple[float, float, float]


@dataclass(frozen=True)
class Mesh:
    """What stays the same when vertices move; n vertices, m triangles of which l are lashes."""

    triangles: np.ndarray  # (m, 3) vertex numbers
    part: np.ndarray  # (m,) SKIN, EYE, ...
    texel: np.ndarray  # (m, 3, 2) texture column and row of each corner
    eye: np.ndarray  # (n, 3) direction from the eyeball's centre
    inner: np.ndarray  # (n,) 1 inside the mouth
    strand: np.ndarray  # (l, 3) cover of the lash strips' corners


@dataclass(frozen=True)
class Surface:
    """How a person reflects light: textures on the unrolled cylinder, and the eyes."""

    albedo: np.ndarray  # (rows, columns), 0..1
    shine: np.ndarray  # (rows, columns)
    iris: float  # albedo
    pupil: float  # radius, in eyeball radii
    lash: float  # cover at the lid


@njit(cache=True, inline="always")
def _triangle(points, corners, height, width):  # type: ignore[no-untyped-def]
    """The three corners (column, row, depth), twice the signed area, and the pixels' first and last row and column."""
    a, b, c = corners[0], corners[1], corners[2]
    ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
    bx, by, bz = points[b, 0], points[b, 1], points[b, 2]
    cx, cy, cz = points[c, 0], points[c, 1], points[c, 2]
    area = (bx - cx) * (ay - cy) - (ax - cx) * (by - cy)
    top, bottom = max(0, int(np.ceil(min(ay, by, cy) - 0.5))), min(height - 1, int(max(ay, by, cy) - 0.5))
    left, right = max(0, int(np.ceil(min(ax, bx, cx) - 0.5))), min(width - 1, int(max(ax, bx, cx) - 0.5))
    return (ax, ay, az), (bx, by, bz), (cx, cy, cz), area, top, bottom, left, right


@njit(cache=True)
def rasterise(points: np.ndarray, triangles: np.ndarray, height: int, width: int) -> tuple:
    """Which triangle is nearest in each pixel, where in it, and how far.

    ``points`` (n, 3) holds column, row and depth (smaller is nearer). Returns the triangle of each pixel (height,
    width), -1 where there is none, the barycentric weights of its first two corners (height, width, 2) and the
    depth (height, width), infinite where there is nothing.
    """
    depth = np.full((height, width), np.inf, np.float32)
    owner = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    for t in range(len(triangles)):
        (ax, ay, az), (bx, by, bz), (cx, cy, cz), area, top, bottom, left, right = _triangle(
            points, triangles[t], height, width
        )
        if abs(area) < 1e-9:
            continue
        side = 1 if area > 0 else -1
        nearest = min(az, bz, cz) - 1e-3  # less what rounding may make of it within
        for row in range(top, bottom + 1):
            y = row + np.float32(0.5) - cy
            first, last = left, right
            if right - left > 8:  # the row's part of the triangle, with a pixel more for rounding
                for reach, slope in ((side * (bx - cx) * y, side * (by - cy)),
                                     (side * (cx - ax) * y, side * (cy - ay)),
                                     (side * (area + (ax - bx) * y), side * (ay - by))):  # fmt: skip
                    if slope > 0:
                        last = min(last, int(min(reach / slope + cx + 0.5, width + 0.0)))
                    elif slope < 0:
                        first = max(first, int(max(reach / slope + cx - 1.5, 0.0)))
            for column in range(first, last + 1):
                if nearest >= depth[row, column]:
                    continue
                x = column + np.float32(0.5) - cx
                u, v = (bx - cx) * y - (by - cy) * x, (ay - cy) * x - (ax - cx) * y
                if side * u < 0 or side * v < 0:
                    continue
                u, v = u / area, v / area
                if u + v > 1:
                    continue
                z = u * az + v * bz + (1 - u - v) * cz
                if z < depth[row, column]:
                    depth[row, column] = z
                    owner[row, column] = t
                    weights[row, column, 0] = u
                    weights[row, column, 1] = v
    return owner, weights, depth


@njit(cache=True)
def normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(n, 3) unit normals of the vertices: the area-weighted mean over their triangles."""
    out = np.zeros_like(vertices)
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        p, q = vertices[b] - vertices[a], vertices[c] - vertices[a]
        n0, n1, n2 = p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]
        for k in (a, b, c):
            out[k, 0] += n0
            out[k, 1] += n1
            out[k, 2] += n2
    for k in range(len(out)):
        length = np.sqrt(out[k, 0] ** 2 + out[k, 1] ** 2 + out[k, 2] ** 2)
        if length > 0:
            out[k] /= length
    return out


@njit(cache=True)
def _lit(depth: np.ndarray, points: np.ndarray, reach: int, bias: float, soft: float) -> np.ndarray:
    """(n,) share of the key light that reaches each vertex, from its depth map seen by the light.

    The mean over a square of ``reach`` px on each side. Its rim counts in part, and so does what lies within ``soft``
    of ``bias`` behind: counted whole or not at all, both make the skin flicker as it moves by less than a pixel.
    """
    out = np.ones(len(points), np.float32)
    height, width = depth.shape
    for k in range(len(points)):
        x, y = points[k, 0] - 0.5, points[k, 1] - 0.5
        left, right = max(0, int(np.floor(x - reach))), min(width - 1, int(np.ceil(x + reach)))
        seen, total = 0.0, 0.0
        for r in range(max(0, int(np.floor(y - reach))), min(height - 1, int(np.ceil(y + reach))) + 1):
            tall = min(max(reach + 0.5 - abs(r - y), 0.0), 1.0)
            for c in range(left, right + 1):
                share = tall * min(max(reach + 0.5 - abs(c - x), 0.0), 1.0)
                gap = points[k, 2] - bias - depth[r, c]
                total += share
                seen += share * min(max(0.5 - gap / soft, 0.0), 1.0)
        if total > 0:
            out[k] = seen / total
    return out


def lit(vertices: np.ndarray, triangles: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """(n,) share of a directional light's rays, from a soft shadow map of 480 x 480."""
    size = 480
    side = np.cross([0.0, 1.0, 0.0], direction)
    side /= np.linalg.norm(side)
    up = np.cross(direction, side)
    basis = np.stack([side, -up, -direction]).astype(np.float32)
    seen = (vertices - np.array([0, 7.0, 0.5], np.float32)) @ basis.T
    seen[:, :2] = (seen[:, :2] / 4.2 + 0.5) * size
    depth = rasterise(seen, triangles, size, size)[2]
    return _lit(depth, seen, 6, 0.06, 0.03)


@njit(cache=True, inline="always")
def _between(texture, r, c, d, f, g):  # type: ignore[no-untyped-def]
    """Bilinear between rows ``r`` and the next, by ``g``, and columns ``c`` and ``d``, by ``f``."""
    above = texture[r, c] * (1 - f) + texture[r, d] * f
    below = texture[r + 1, c] * (1 - f) + texture[r + 1, d] * f
    return above * (1 - g) + below * g


@njit(cache=True, inline="always")
def _dot(normal, lamp):  # type: ignore[no-untyped-def]
    return normal[0] * lamp[0] + normal[1] * lamp[1] + normal[2] * lamp[2]


@njit(cache=True, inline="always")
def _positive(value):  # type: ignore[no-untyped-def]
    return value if value > 0.0 else 0.0


@njit(cache=True, inline="always")
def _unit3(normal):  # type: ignore[no-untyped-def]
    length = np.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]) + 1e-9
    return normal[0] / length, normal[1] / length, normal[2] / length


@njit(cache=True, inline="always")
def _matt(normal, base, reach, shade, wrap, lamps, strengths):  # type: ignore[no-untyped-def]
    """The radiance of a point with a unit ``normal`` but for its glints; ``wrap``: how far light goes around it."""
    diffuse = _positive((_dot(normal, lamps[0]) + wrap) / (1 + wrap))
    second = _positive((_dot(normal, lamps[1]) + 0.5) / 1.5)
    sky = 0.65 + 0.35 * normal[1]
    return base * (
        strengths[0] * diffuse * reach * (0.45 + 0.55 * shade) + shade * (strengths[1] * second + strengths[2] * sky)
    )


@njit(cache=True, inline="always")
def _glints(spark, glint, gloss, reach, shade, strengths):  # type: ignore[no-untyped-def]
    return gloss * (strengths[0] * spark * reach + 0.6 * strengths[1] * glint * shade)


@njit(cache=True, inline="always")
def _twelfth(x):  # type: ignore[no-untyped-def]
    """The twelfth power, as products, which are faster."""
    x = x * x
    x = x * x
    return x * x * x


@njit(cache=True, error_model="numpy")
def _light(n0, n1, n2, base, gloss, reach, shade, count, lamps, strengths) -> None:  # type: ignore[no-untyped-def]
    """Writes the radiance of ``count`` points of the head over ``base``, and its unit normal's depth over ``n2``.

    A loop without branches, not even one for a division by zero, so that it works on several points at once.
    """
    for k in range(count):
        normal = _unit3((n0[k], n1[k], n2[k]))
        spark, glint = _positive(_dot(normal, lamps[2])), _positive(_dot(normal, lamps[3]))
        value = _matt(normal, base[k], reach[k], shade[k], 0.3, lamps, strengths)
        base[k] = value + _glints(_twelfth(spark), _twelfth(glint), gloss[k], reach[k], shade[k], strengths)
        n2[k] = normal[2]


@njit(cache=True)
def _shade(
    image: np.ndarray,
    owner: np.ndarray,
    weights: np.ndarray,
    occlusion: np.ndarray,
    triangles: np.ndarray,
    part: np.ndarray,
    texel: np.ndarray,
    normal: np.ndarray,
    reached: np.ndarray,
    eye: np.ndarray,
    inner: np.ndarray,
    albedo: np.ndarray,
    shine: np.ndarray,
    lamps: np.ndarray,
    strengths: tuple[float, float, float],
    iris: float,
    pupil: float,
) -> None:
    """Writes the radiance of every covered pixel into ``image``.

    ``lamps`` (4, 3): directions to the key and the fill light, and half-way from each to the viewer. What lies on the
    head is looked up first, and lit a row at a time, since a loop without branches works on several pixels at once.
    """
    height, width = owner.shape
    rows, columns = albedo.shape
    lights = (
        (lamps[0, 0], lamps[0, 1], lamps[0, 2]),
        (lamps[1, 0], lamps[1, 1], lamps[1, 2]),
        (lamps[2, 0], lamps[2, 1], lamps[2, 2]),
        (lamps[3, 0], lamps[3, 1], lamps[3, 2]),
    )
    head = np.empty((7, width))  # normal, albedo, gloss, share of the key light, of the ambient light
    at = np.empty(width, np.int64)
    for row in range(height):
        count = 0
        for column in range(width):
            t = owner[row, column]
            if t < 0:
                continue
            u, v = weights[row, column, 0], weights[row, column, 1]
            w = 1 - u - v
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            kind = part[t]
            n0 = np.float64(u * normal[a, 0] + v * normal[b, 0] + w * normal[c, 0])
            n1 = np.float64(u * normal[a, 1] + v * normal[b, 1] + w * normal[c, 1])
            n2 = np.float64(u * normal[a, 2] + v * normal[b, 2] + w * normal[c, 2])
            reach = u * reached[a] + v * reached[b] + w * reached[c]
            shade = occlusion[row // SUPERSAMPLE, column // SUPERSAMPLE]
            if kind in (SKIN, HAIR):
                x = u * texel[t, 0, 0] + v * texel[t, 1, 0] + w * texel[t, 2, 0]
                y = u * texel[t, 0, 1] + v * texel[t, 1, 1] + w * texel[t, 2, 1]
                x, y = x - 0.5, min(max(y - 0.5, 0.0), rows - 1.001)
                left, above = int(np.floor(x)), int(y)
                f, g = x - left, y - above
                left %= columns  # the texture goes around the head
                right = left + 1 if left + 1 < columns else 0
                inside = u * inner[a] + v * inner[b] + w * inner[c]
                head[0, count], head[1, count], head[2, count] = n0, n1, n2
                head[3, count] = _between(albedo, above, left, right, f, g) * (1 - 0.8 * inside)
                head[4, count] = _between(shine, above, left, right, f, g) * (1 - inside)
                head[5, count], head[6, count] = reach, shade
                at[count] = column if kind == HAIR else -1 - column
                count += 1
                continue
            base, gloss, sharp, wrap = 0.5, 0.05, 12.0, 0.3
            e0 = e1 = e2 = 0.0
            if kind == EYE:
                e0 = np.float64(u * eye[a, 0] + v * eye[b, 0] + w * eye[c, 0])
                e1 = np.float64(u * eye[a, 1] + v * eye[b, 1] + w * eye[c, 1])
                e2 = np.float64(u * eye[a, 2] + v * eye[b, 2] + w * eye[c, 2])
                n0, n1, n2 = n0 * 0.5 + e0 * 0.5, n1 * 0.5 + e1 * 0.5, n2 * 0.5 + e2 * 0.5
            unit = _unit3((n0, n1, n2))
            if kind == TEETH:
                base, gloss, sharp = 0.8, 0.15, 30.0
                reach, shade = 0.45 + 0.3 * reach, 0.3 + 0.7 * shade
            elif kind == TONGUE:
                base, gloss, sharp = 0.14, 0.1, 20.0
            else:
                length = np.sqrt(e0**2 + e1**2 + e2**2) + 1e-9
                off = np.sqrt(e0**2 + e1**2) / length
                base, gloss, sharp, wrap = 0.62 - 0.12 * off, 0.35, 120.0, 0.5
                rim = min(max((0.50 - off) / 0.05, 0.0), 1.0)
                hole = min(max((pupil - off) / 0.03, 0.0), 1.0)
                angle = np.arctan2(e1, e0)
                fibre = 1 + 0.18 * np.sin(angle * 23 + 3 * np.sin(angle * 7)) + 0.5 * (off - 0.35)
                dark = iris * fibre * (1 - 0.6 * min(max((off - 0.40) / 0.08, 0.0), 1.0))
                base = base * (1 - rim) + dark * rim
                base = base * (1 - hole) + 0.01 * hole
                base *= min(max(0.95 - 0.75 * (e1 - 0.12), 0.35), 1.0)
            spark, glint = _positive(_dot(unit, lights[2])) ** sharp, _positive(_dot(unit, lights[3])) ** sharp
            value = _matt(unit, base, reach, shade, wrap, lights, strengths)
            image[row, column] = value + _glints(spark, glint, gloss, reach, shade, strengths)
        _light(head[0], head[1], head[2], head[3], head[4], head[5], head[6], count, lights, strengths)
        for k in range(count):
            skin = at[k] < 0
            image[row, -1 - at[k] if skin else at[k]] = 0.01 if skin and head[2, k] < -0.2 else head[3, k]


@njit(cache=True)
def _lashes(
    image: np.ndarray, depth: np.ndarray, points: np.ndarray, triangles: np.ndarray, dark: float, strand: np.ndarray
) -> None:
    """Darkens the pixels behind the lash strips; ``strand`` (m, 3) is the cover at the triangles' corners."""
    height, width = image.shape
    for t in range(len(triangles)):
        (ax, ay, az), (bx, by, bz), (cx, cy, cz), area, top, bottom, left, right = _triangle(
            points, triangles[t], height, width
        )
        if abs(area) < 1e-9:
            continue
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                x, y = column + 0.5 - cx, row + 0.5 - cy
                u = ((bx - cx) * y - (by - cy) * x) / area
                v = ((ay - cy) * x - (ax - cx) * y) / area
                w = 1 - u - v
                if u < 0 or v < 0 or w < 0 or u * az + v * bz + w * cz > depth[row, column] + 0.02:
                    continue
                cover = u * strand[t, 0] + v * strand[t, 1] + w * strand[t, 2]
                image[row, column] *= 1 - dark * cover


@njit(cache=True)
def wrinkle(albedo: np.ndarray, maps: np.ndarray, weights: np.ndarray, top: int, left: int) -> np.ndarray:
    """The albedo (h, w) with wrinkle maps (k, r, c; -1..1) added at ``top``, ``left`` by weights (k,)."""
    out = albedo.copy()
    change = np.zeros(maps.shape[2])
    for row in range(maps.shape[1]):
        change[:] = 0.0
        for k in range(maps.shape[0]):
            for column in range(maps.shape[2]):
                change[column] += weights[k] * maps[k, row, column]
        for column in range(maps.shape[2]):
            out[top + row, left + column] *= max(1 + change[column], 0.2)
    return out


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def photograph(
    vertices: np.ndarray,
    mesh: Mesh,
    surface: Surface,
    background: np.ndarray,
    camera: Camera,
    light: Light,
) -> np.ndarray:
    """The linear radiance (HEIGHT, WIDTH) of a head with ``vertices`` (n, 3) before ``background`` (HEIGHT, WIDTH)."""
    solid = mesh.part != LASH
    faces = mesh.triangles[solid]
    points = camera.project(vertices)
    points[:, :2] *= SUPERSAMPLE
    height, width = HEIGHT * SUPERSAMPLE, WIDTH * SUPERSAMPLE
    owner, weights, depth = rasterise(points, faces, height, width)
    key, fill, view = _unit(np.array(light.key)), _unit(np.array(light.fill)), np.array([0.0, 0.0, 1.0])
    image = cv2.resize(background, (width, height), interpolation=cv2.INTER_LINEAR)
    _shade(
        image,
        owner,
        weights,
        _occlusion(depth),
        faces,
        mesh.part[solid],
        mesh.texel[solid],
        normals(vertices, faces),
        lit(vertices, faces, key),
        mesh.eye,
        mesh.inner,
        surface.albedo,
        surface.shine,
        np.stack([key, fill, _unit(key + view), _unit(fill + view)]),
        light.strengths,
        surface.iris,
        surface.pupil,
    )
    _lashes(image, depth, points, mesh.triangles[~solid], surface.lash, mesh.strand)
    return cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def _occlusion(depth: np.ndarray) -> np.ndarray:
    """(HEIGHT, WIDTH) share of the ambient light: less where the surroundings stand nearer to the camera."""
    near = cv2.resize(np.minimum(depth, np.float32(DISTANCE + 1.0)), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    dark = np.zeros_like(near)
    for shrink, sigma, amount in ((1, 2.0, 2.5), (2, 3.0, 1.6), (4, 4.0, 0.7)):
        small = cv2.resize(near, (WIDTH // shrink, HEIGHT // shrink), interpolation=cv2.INTER_AREA)
        blurred = cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
        dark += amount * np.clip(near - blurred, 0, 0.35)
    return np.exp(-2.2 * dark)
