"""An active appearance model, fitted here (Cootes, Edwards and Taylor, PAMI 2001).

Shape is a mean plus a few modes; appearance is the face's texture, warped to the mean shape, as a mean plus modes.
Texture is the gradient, normalised so that light counts little (Cootes and Taylor, CVPR 2001). A face is fitted by
Gauss-Newton steps on the shape alone: what the appearance modes can explain is projected out of the difference
(Matthews and Baker, IJCV 2004), with the Jacobian of the image itself, which unknown people need. Own code, because
the one maintained-once package (menpofit) needs patching to run on today's numpy and stores its models as pickles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import Delaunay

from stages.landmark.patches import sample
from stages.tables.box import Box
from stages.tables.points import POINTS

RESOLUTIONS = ((20, 20), (40, 40), (70, 80))
"""From coarse to fine: width of the face box in the model's own frame, px, and number of appearance modes."""
VARIANCE = 0.98
"""Share of the shapes' variance that the shape modes keep."""
EFFECTIVE = 60
"""Independent values in a texture, far fewer than its samples: it weighs texture against the shapes' own spread."""
STEPS = 30
SETTLED = 0.01
"""The search ends after this many steps, or when no point moves further than this, px of the model's frame."""


@dataclass(frozen=True)
class Level:
    """The model at one resolution. The first four shape modes are scale, rotation and the two shifts."""

    width: int  # of the face box in the model's frame, px
    offset: np.ndarray  # (2,) from the box's centre to the mean shape's, in box widths
    mean: np.ndarray  # (68, 2) about the origin, px
    modes: np.ndarray  # (4 + shape modes, 68, 2), orthonormal
    spread: np.ndarray  # (shape modes,) standard deviation, px
    mesh: np.ndarray  # (samples, 68) barycentric weights: mesh @ points are the positions where texture is read
    texture: np.ndarray  # (2 * samples,) mean
    appearance: np.ndarray  # (appearance modes, 2 * samples), orthonormal
    noise: float  # standard deviation of what the appearance modes leave


class AAM:
    """Finds the 68 points of a face; made by ``fit``. Levels run from coarse to fine."""

    def __init__(self, levels: Sequence[Level]) -> None:
        self.levels = tuple(levels)

    def __call__(self, frame: np.ndarray, box: Box) -> np.ndarray:
        """68 points of one uint8 frame (height, width), float32 (68, 2) in its px."""
        points = None
        for level in self.levels:
            scale = level.width / box.width
            centre = np.array(box[:2]) + np.array(box[2:]) / 2 + level.offset * box.width
            start = level.mean if points is None else (points - centre) * scale
            field = _gradient(frame, scale * np.eye(2), centre, level.width)
            points = _search(level, field, start) / scale + centre
        return np.asarray(points, np.float32)


def fit(frames: Sequence[np.ndarray], points: np.ndarray, boxes: Sequence[Box]) -> AAM:
    """The model of faces whose points are known: ``points`` is (faces, 68, 2) in the px of its uint8 frame each."""
    return AAM([_level(frames, points.astype(float), boxes, width, modes) for width, modes in RESOLUTIONS])


def _level(frames: Sequence[np.ndarray], points: np.ndarray, boxes: Sequence[Box], width: int, count: int) -> Level:
    sides = np.array(boxes, float)
    centres = points.mean(axis=1)
    offset = ((centres - sides[:, :2] - sides[:, 2:] / 2) / sides[:, 2:3]).mean(axis=0)
    size = (np.linalg.norm(points - centres[:, None], axis=(1, 2)) / sides[:, 2]).mean() * width
    mean = _unit(points[0])
    for _ in range(5):  # generalised Procrustes analysis
        mean = _unit(np.mean([_aligned(shape, mean) for shape in points], axis=0))
    mean = mean * size
    flat = mean.ravel()
    pose = np.stack([flat, (mean @ [[0, 1], [-1, 0]]).ravel(), *np.tile(np.eye(2), POINTS)])
    pose /= np.linalg.norm(pose, axis=1, keepdims=True)

    shapes = np.stack([_aligned(shape, mean).ravel() for shape in points]) - flat
    shapes -= shapes @ pose.T @ pose
    _, singular, modes = np.linalg.svd(shapes, full_matrices=False)
    variance = singular**2 / len(shapes)
    kept = int(np.searchsorted(np.cumsum(variance) / variance.sum(), VARIANCE)) + 1
    basis = np.concatenate([pose, modes[:kept]]).reshape(-1, POINTS, 2)

    mesh = _mesh(mean)
    textures = np.stack(
        [_texture(frame, shape, mean, mesh, width) for frame, shape in zip(frames, points, strict=True)]
    )
    texture = textures.mean(axis=0)
    textures -= texture
    values, vectors = np.linalg.eigh(textures @ textures.T)  # principal components by the small side
    values, vectors = values[::-1], vectors[:, ::-1]
    count = min(count, int((values > 1e-6 * values[0]).sum()))
    appearance = (textures.T @ vectors[:, :count] / np.sqrt(values[:count])).T
    noise = float(np.sqrt(max(values[count:].sum(), 0) / textures.size))
    return Level(
        width=width,
        offset=offset,
        mean=mean,
        modes=basis.astype(np.float32),
        spread=np.sqrt(variance[:kept]),
        mesh=mesh,
        texture=texture.astype(np.float32),
        appearance=np.ascontiguousarray(appearance, np.float32),
        noise=noise,
    )


def _unit(shape: np.ndarray) -> np.ndarray:
    shape = shape - shape.mean(axis=0)
    return shape / np.linalg.norm(shape)


def _similarity(shape: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """The rotation and scale (2, 2) that takes ``shape`` to ``onto``, both about their centres, by least squares."""
    off, wanted = shape - shape.mean(axis=0), onto - onto.mean(axis=0)
    along, across = (off * wanted).sum(), (off[:, 0] * wanted[:, 1] - off[:, 1] * wanted[:, 0]).sum()
    return np.array([[along, -across], [across, along]]) / (off**2).sum()


def _aligned(shape: np.ndarray, onto: np.ndarray) -> np.ndarray:
    return (shape - shape.mean(axis=0)) @ _similarity(shape, onto).T + onto.mean(axis=0)


def _mesh(mean: np.ndarray) -> np.ndarray:
    """Where texture is read: every whole pixel inside the mean shape, as weights of the corners of its triangle."""
    low, high = np.floor(mean.min(axis=0)).astype(int), np.ceil(mean.max(axis=0)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True))), axis=-1).reshape(-1, 2)
    triangles = Delaunay(mean)
    inside = triangles.find_simplex(grid)
    grid, inside = grid[inside >= 0], inside[inside >= 0]
    transform = triangles.transform[inside]
    two = np.einsum("nij,nj->ni", transform[:, :2], grid - transform[:, 2])
    mesh = np.zeros((len(grid), len(mean)), np.float32)
    corners = np.concatenate([two, 1 - two.sum(axis=1, keepdims=True)], axis=1)
    np.put_along_axis(mesh, triangles.simplices[inside], corners.astype(np.float32), axis=1)
    return mesh


def _gradient(frame: np.ndarray, matrix: np.ndarray, centre: np.ndarray, width: int) -> np.ndarray:
    """The normalised gradient of the frame in the model's frame: float32 (2 * width, 2 * width, 2), origin inside.

    ``matrix`` (2, 2) turns and scales px of the frame about ``centre`` into px of the model's frame. Each gradient
    is divided by its own length plus the mean length, so that neither weak texture nor strong edges rule.
    """
    shrink = np.sqrt(np.linalg.det(matrix))
    smooth = cv2.GaussianBlur(frame, (0, 0), 0.5 / shrink) if shrink < 1 else frame
    affine = np.column_stack([matrix, width - matrix @ centre])
    small = cv2.warpAffine(smooth, affine, (2 * width, 2 * width), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.GaussianBlur(small.astype(np.float32), (0, 0), 1)
    slopes = np.stack([cv2.Scharr(small, cv2.CV_32F, 1, 0), cv2.Scharr(small, cv2.CV_32F, 0, 1)], axis=2)
    length = np.linalg.norm(slopes, axis=2, keepdims=True)
    return slopes / (length + length.mean() + 1e-6)


def _texture(frame: np.ndarray, shape: np.ndarray, mean: np.ndarray, mesh: np.ndarray, width: int) -> np.ndarray:
    """The texture of a face whose points (68, 2) are known: (2 * samples,)."""
    field = _gradient(frame, _similarity(shape, mean), shape.mean(axis=0), width)
    return sample(field, mesh @ _aligned(shape, mean) + width).T.ravel()


def _search(level: Level, field: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The shape (68, 2) near ``start`` whose texture the model explains best, all in px of the model's frame."""
    modes = level.modes.reshape(len(level.modes), -1)
    weights = modes @ (start - level.mean).ravel()
    weights[4:] = np.clip(weights[4:], -3 * level.spread, 3 * level.spread)
    # Gaussian prior on the shape weights; the pose is free.
    stiffness = level.noise**2 * len(level.mesh) / EFFECTIVE * np.append(np.full(4, 1e-9), 1 / level.spread**2)
    slopes = cv2.Sobel(field, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(field, cv2.CV_32F, 0, 1, scale=1 / 8)
    across, down = (level.mesh @ level.modes[:, :, axis].T for axis in (0, 1))  # how a mode moves each sample
    for _ in range(STEPS):
        at = level.mesh @ (level.mean + (weights @ modes).reshape(-1, 2)) + level.width
        difference = sample(field, at).T.ravel() - level.texture
        along_x, along_y = (sample(slope, at).T[..., None] for slope in slopes)
        jacobian = (along_x * across + along_y * down).reshape(len(difference), -1)
        explained = level.appearance @ jacobian
        curvature = jacobian.T @ jacobian - explained.T @ explained
        descent = jacobian.T @ difference - explained.T @ (level.appearance @ difference)
        step = np.linalg.solve(curvature + np.diag(stiffness), descent + stiffness * weights)
        weights = weights - step
        weights[4:] = np.clip(weights[4:], -3 * level.spread, 3 * level.spread)
        if np.abs(step @ modes).max() < SETTLED:
            break
    return level.mean + (weights @ modes).reshape(-1, 2)
