"""The dense motion of a face since frame 1, far below a pixel: what carries small expressions.

A patch of skin alone says little about its motion along an edge, or where it is smooth. So the whole face is solved
for at once: the field that moves frame 1 onto the frame, and of all such fields the smoothest (Horn and Schunck, AI
1981). Both terms forgive outliers: light, lips that part (Black and Anandan, CVIU 1996). The field lives on a grid of
a few pixels, over which the equations are averaged (much as Bruhn et al., IJCV 2005, smooth them).
"""

from __future__ import annotations

import cv2
import numba
import numpy as np

from stages.landmark.patches import Image, sample

CELL = 4
"""Side of a cell of the grid, px."""
MARGIN = 16
"""How far beyond the points the grid reaches, px."""
OUTLIER = 2.0
"""Grey levels from which a difference counts less and less as motion."""
LIGHT = 61
"""Side of the square within which a common change of the grey levels is light, px."""
CREASE = 2.0
"""Changes of the motion from which skin counts less and less as one piece, in root mean squares of the whole face."""
ROUNDS, SWEEPS = 3, 20
"""Gauss-Newton steps, and sweeps of successive over-relaxation in each; more change nothing of note."""
OVER = 1.85
"""How far a sweep moves a cell, as a multiple of its way to where its equations and neighbours want it."""


class Field:
    """The motion since frame ``first`` of the face whose points (68, 2) are ``around``.

    ``stiffness`` is what a change of the motion by 1 px from px to px costs, in squared grey levels.
    """

    def __init__(self, first: Image, around: np.ndarray, stiffness: float) -> None:
        self.first, self.stiffness = first, stiffness
        size = np.array(first.grey.shape[::-1])
        low = np.clip(np.floor(around.min(axis=0)).astype(int) - MARGIN, 0, size - CELL)
        high = np.clip(np.ceil(around.max(axis=0)).astype(int) + MARGIN, low + CELL, size)
        columns, rows = (high - low) // CELL
        self.corner = low.astype(np.float32)
        self.window = np.s_[low[1] : low[1] + CELL * rows, low[0] : low[0] + CELL * columns]
        cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
        self.centres = (self.corner + CELL * (cells + 0.5) - 0.5).astype(np.float32)
        self.grid = np.zeros((rows, columns, 2), np.float32)

    def at(self, places: np.ndarray) -> np.ndarray:
        """The motion since frame 1 of what was then at ``places`` (..., 2), px: float32 (..., 2)."""
        return sample(self.grid, (places - self.corner + 0.5) / CELL - 0.5)

    def follow(self, image: Image, flow: np.ndarray) -> None:
        """Goes on to the next frame, of which ``flow`` (height, width, 2) says roughly how it came from the last."""
        self.grid += sample(flow, self.centres + self.grid)
        first, across, down = (part[self.window] for part in (self.first.blurred, self.first.across, self.first.down))
        for _ in range(ROUNDS):
            error, slopes, along = _compared(self.grid, self.corner, first, across, down, image.blurred)
            error -= cv2.blur(error, (LIGHT, LIGHT))
            _relax(self.grid, self.stiffness / CELL**2, *_equations(error, slopes, along))


@numba.njit(cache=True, error_model="numpy")
def _compared(
    grid: np.ndarray, corner: np.ndarray, first: np.ndarray, across: np.ndarray, down: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much brighter each pixel of ``first`` is where ``grid`` takes it in ``second``, a slope and its product.

    Returns the difference (height, width), the mean (height, width, 2) of the slopes of both pictures there, and how
    far along that slope the pixel was taken (height, width). Cubic convolution (Keys, 1981) at exact places: cv2.remap
    rounds them to 1/32 px, and the cubic it uses bends a ramp, both of which count in motions of a tenth of a pixel.
    """
    height, width = first.shape
    last = second.shape[0] - 1, second.shape[1] - 1
    error, along = np.empty((2, height, width), np.float32)
    slopes = np.empty((height, width, 2), np.float32)
    for row in range(height):
        for column in range(width):
            move_x, move_y = _between(grid, (row + 0.5) / CELL - 0.5, (column + 0.5) / CELL - 0.5)
            x = min(max(column + corner[0] + move_x, 0.0), float(last[1]))
            y = min(max(row + corner[1] + move_y, 0.0), float(last[0]))
            left, top = int(x), int(y)
            value = slope_x = slope_y = 0.0
            weights_x, weights_y = _cubic(x - left), _cubic(y - top)
            for i in range(4):
                line = min(max(top + i - 1, 0), last[0])
                one = change = 0.0
                for j in range(4):
                    grey = second[line, min(max(left + j - 1, 0), last[1])]
                    one += weights_x[0][j] * grey
                    change += weights_x[1][j] * grey
                value += weights_y[0][i] * one
                slope_x += weights_y[0][i] * change
                slope_y += weights_y[1][i] * one
            slope_x, slope_y = (slope_x + across[row, column]) / 2, (slope_y + down[row, column]) / 2
            error[row, column] = value - first[row, column]
            slopes[row, column, 0], slopes[row, column, 1] = slope_x, slope_y
            along[row, column] = slope_x * move_x + slope_y * move_y
    return error, slopes, along


@numba.njit(cache=True, inline="always")
def _between(grid, row, column):  # type: ignore[no-untyped-def]
    """Bilinear interpolation of the grid; beyond its outermost centres they repeat."""
    row, column = min(max(row, 0.0), grid.shape[0] - 1.0), min(max(column, 0.0), grid.shape[1] - 1.0)
    top, left = int(row), int(column)
    low, right = min(top + 1, grid.shape[0] - 1), min(left + 1, grid.shape[1] - 1)
    down, across = row - top, column - left
    x = (1 - down) * ((1 - across) * grid[top, left, 0] + across * grid[top, right, 0])
    y = (1 - down) * ((1 - across) * grid[top, left, 1] + across * grid[top, right, 1])
    x += down * ((1 - across) * grid[low, left, 0] + across * grid[low, right, 0])
    y += down * ((1 - across) * grid[low, left, 1] + across * grid[low, right, 1])
    return x, y


@numba.njit(cache=True, inline="always")
def _cubic(t):  # type: ignore[no-untyped-def]
    """Weights of the four pixels around a place ``t`` px after the second of them, and the weights' slopes."""
    values = (
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    )
    slopes = ((4 - 3 * t) * t - 1) / 2, (9 * t - 10) * t / 2, ((8 - 9 * t) * t + 1) / 2, (3 * t - 2) * t / 2
    return values, slopes


@numba.njit(cache=True, error_model="numpy")
def _equations(
    error: np.ndarray, slopes: np.ndarray, along: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the pixels of each cell say about its motion: xx, xy, yy, x, y of ``_relax``, each (rows, columns)."""
    rows, columns = error.shape[0] // CELL, error.shape[1] // CELL
    xx, xy, yy, x, y = np.zeros((5, rows, columns))
    for row in range(rows * CELL):
        for column in range(columns * CELL):
            difference = error[row, column]
            weight = min(1.0, OUTLIER / max(abs(difference), OUTLIER)) / CELL**2
            across, down = slopes[row, column]
            wanted = along[row, column] - difference  # slope times the motion that would do
            cell = row // CELL, column // CELL
            xx[cell] += weight * across * across
            xy[cell] += weight * across * down
            yy[cell] += weight * down * down
            x[cell] += weight * across * wanted
            y[cell] += weight * down * wanted
    return xx, xy, yy, x, y


@numba.njit(cache=True, error_model="numpy")
def _relax(
    grid: np.ndarray, stiffness: float, xx: np.ndarray, xy: np.ndarray, yy: np.ndarray, x: np.ndarray, y: np.ndarray
) -> None:
    """Makes each cell of ``grid`` (rows, columns, 2) agree with its equations and its neighbours, in place.

    The equations of a cell's motion m are [xx xy; xy yy] m = [x; y], all (rows, columns); a neighbour weighs
    ``stiffness``, and less across a crease.
    """
    rows, columns = xx.shape
    tie = np.zeros((rows, columns), np.float32)  # between a cell and those right of and below it
    total = 0.0
    for row in range(rows):
        for column in range(columns):
            for axis in range(2):
                if row + 1 < rows:
                    tie[row, column] += (grid[row + 1, column, axis] - grid[row, column, axis]) ** 2
                if column + 1 < columns:
                    tie[row, column] += (grid[row, column + 1, axis] - grid[row, column, axis]) ** 2
            total += tie[row, column]
    usual = CREASE**2 * total / (rows * columns) + 1e-12
    for row in range(rows):
        for column in range(columns):
            tie[row, column] = stiffness / np.sqrt(1 + tie[row, column] / usual)
    for _ in range(SWEEPS):
        for row in range(rows):
            for column in range(columns):
                ties, across, down = _tied(0.0, 0.0, 0.0, 1e-9, grid[row, column])  # alone, it stays
                if column + 1 < columns:
                    ties, across, down = _tied(ties, across, down, tie[row, column], grid[row, column + 1])
                if row + 1 < rows:
                    ties, across, down = _tied(ties, across, down, tie[row, column], grid[row + 1, column])
                if column > 0:
                    ties, across, down = _tied(ties, across, down, tie[row, column - 1], grid[row, column - 1])
                if row > 0:
                    ties, across, down = _tied(ties, across, down, tie[row - 1, column], grid[row - 1, column])
                a, b, c = xx[row, column] + ties, xy[row, column], yy[row, column] + ties
                p, q = x[row, column] + across, y[row, column] + down
                determinant = a * c - b * b
                grid[row, column, 0] += OVER * ((c * p - b * q) / determinant - grid[row, column, 0])
                grid[row, column, 1] += OVER * ((a * q - b * p) / determinant - grid[row, column, 1])


@numba.njit(cache=True, inline="always")
def _tied(ties, across, down, weight, neighbour):  # type: ignore[no-untyped-def]
    return ties + weight, across + weight * neighbour[0], down + weight * neighbour[1]
