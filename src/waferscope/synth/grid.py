"""The die grid of a wafer: normalised coordinates, outline, missing dies, smooth noise.

Shapes: every array is [rows, cols]; y grows down and x right, the wafer is the unit disc.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from waferscope.synth.config import SynthConfig

BoolGrid = npt.NDArray[np.bool_]
FloatGrid = npt.NDArray[np.float32]

OUTLINES: Final = 4
"""Outlines per shape, from the tightest disc that still touches all four sides to a wide one."""
_WIDEST_RHO: Final = 1.02


@dataclass(frozen=True, eq=False)
class Grid:
    """Coordinates of one die grid; shared between wafers, so read-only.

    ``on`` is the outline, ``rim`` its outermost dies, ``depth`` the distance in dies from off
    the wafer (1 on the rim). ``pitch`` is the larger die side in wafer radii.
    """

    shape: tuple[int, int]
    y: FloatGrid
    x: FloatGrid
    rho: FloatGrid
    theta: FloatGrid
    on: BoolGrid
    rim: BoolGrid
    depth: FloatGrid

    @property
    def pitch(self) -> float:
        """Larger side of a die, in wafer radii."""
        return 2.0 / min(self.shape)


@lru_cache(maxsize=256)
def build_grid(shape: tuple[int, int], outline: int = 1) -> Grid:
    """Return the grid of a shape with one of the `OUTLINES` outlines.

    >>> grid = build_grid((3, 3), 0)
    >>> grid.on.astype(int)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]])
    """
    rows, cols = shape
    along_y = (np.arange(rows, dtype=np.float32) - (rows - 1) / 2) / (rows / 2)
    along_x = (np.arange(cols, dtype=np.float32) - (cols - 1) / 2) / (cols / 2)
    y, x = (np.ascontiguousarray(a) for a in np.meshgrid(along_y, along_x, indexing="ij"))
    rho = np.hypot(y, x)
    tightest = max(float(rho[0].min()), float(rho[:, 0].min()))
    widest = max(tightest, _WIDEST_RHO)
    limit = tightest + (widest - tightest) * outline / (OUTLINES - 1) + 1e-6
    on = rho <= limit
    padded = np.pad(on, 1)
    depth = ndimage.distance_transform_edt(padded)[1:-1, 1:-1].astype(np.float32)
    arrays = (y, x, rho, np.arctan2(y, x), on, on & (depth <= 1.0), depth)
    for array in arrays:
        array.setflags(write=False)
    return Grid(shape, *arrays)


@lru_cache(maxsize=512)
def _bumps(side: int, knots: int) -> FloatGrid:
    at = (np.arange(side) + 0.5) / side * 2 - 1
    centres = np.linspace(-1, 1, knots)
    weights = np.exp(-0.5 * ((at[:, None] - centres) / (1.4 / (knots - 1))) ** 2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return weights.astype(np.float32)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], knots: int) -> FloatGrid:
    """Return a smooth random field of zero mean and unit variance, some ``knots`` bumps a side."""
    raw = rng.standard_normal((knots, knots), dtype=np.float32)
    return (_bumps(shape[0], knots) @ raw @ _bumps(shape[1], knots).T).astype(
        np.float32, copy=False
    )


def draw_present(rng: np.random.Generator, grid: Grid, config: SynthConfig) -> BoolGrid:
    """Return the dies that were tested: the outline less missing dies and the notch.

    Every border row and column keeps a die, so the wafer still fills its array.
    """
    absent = np.zeros(grid.shape, dtype=bool)
    if rng.random() < config.notch_share:
        absent |= _notch(rng, grid)
    if rng.random() < config.missing_share:
        absent |= _MISSING[int(rng.integers(len(_MISSING)))](rng, grid)
    for border in (np.s_[0, :], np.s_[-1, :], np.s_[:, 0], np.s_[:, -1]):
        if not (grid.on[border] & ~absent[border]).any():
            absent[border] = False
    present: BoolGrid = grid.on & ~absent
    return present


def _notch(rng: np.random.Generator, grid: Grid) -> BoolGrid:
    sides = (grid.y, -grid.y, grid.x, -grid.x)
    side = int(rng.integers(4)) if rng.random() < 0.4 else 0
    across = grid.x if side < 2 else grid.y
    half, deep = rng.uniform(0.3, 2.0, 2) * grid.pitch
    gap: BoolGrid = (np.abs(across) < half) & (sides[side] > 1.0 - deep)
    return gap


def _sporadic(rng: np.random.Generator, grid: Grid) -> BoolGrid:
    scattered: BoolGrid = rng.random(grid.shape, dtype=np.float32) < rng.uniform(0.002, 0.04)
    return scattered


def _alignment_sites(rng: np.random.Generator, grid: Grid) -> BoolGrid:
    count = int(rng.integers(2, 6))
    radius, turn = rng.uniform(0.4, 0.9), rng.uniform(0, 2 * np.pi)
    half = rng.uniform(0.3, 1.1)
    gaps = np.zeros(grid.shape, dtype=bool)
    rows, cols = grid.shape
    for angle in turn + np.arange(count) * 2 * np.pi / count:
        row = (radius * np.sin(angle) + 1) * rows / 2
        col = (radius * np.cos(angle) + 1) * cols / 2
        gaps[
            max(0, int(row - half)) : int(row + half) + 1,
            max(0, int(col - half)) : int(col + half) + 1,
        ] = True
    return gaps


def _test_lattice(rng: np.random.Generator, grid: Grid) -> BoolGrid:
    step_rows, step_cols = rng.integers(4, 17, 2)
    gaps = np.zeros(grid.shape, dtype=bool)
    gaps[rng.integers(step_rows) :: step_rows, rng.integers(step_cols) :: step_cols] = True
    return gaps


def _blank_line(rng: np.random.Generator, grid: Grid) -> BoolGrid:
    gaps = np.zeros(grid.shape, dtype=bool)
    across = gaps if rng.random() < 0.5 else gaps.T
    start = int(rng.integers(1, max(2, across.shape[0] - 1)))
    across[start : start + int(rng.integers(1, 3))] = True
    return gaps


def _untested_end(rng: np.random.Generator, grid: Grid) -> BoolGrid:
    gaps = np.zeros(grid.shape, dtype=bool)
    rows, cols = grid.shape
    row, col = int(rng.integers(rows // 2, rows)), int(rng.integers(cols))
    gaps[row, col:] = True
    gaps[row + 1 : row + 2] = True
    return gaps[:: rng.choice((1, -1))]


_MISSING: Final = (
    _sporadic,
    _sporadic,
    _sporadic,
    _alignment_sites,
    _alignment_sites,
    _test_lattice,
    _test_lattice,
    _blank_line,
    _untested_end,
)
