"""Scratches: thin lines and arcs, with gaps, alone or in parallel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waferscope.synth.grid import Grid
from waferscope.synth.patterns.layer import Layer, Scene

_Path = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Course:
    """A scratch before it is laid on dies: lengths in wafer radii, angles in radians."""

    y: float
    x: float
    heading: float
    length: float
    bend: float
    wobble: float


def draw_scratch(rng: np.random.Generator, scene: Scene) -> Layer | None:
    """Return one to four scratches, 1 to 3 dies wide and 0.3 to 2 wafer radii long."""
    grid = scene.grid
    zone, prob = np.zeros(grid.shape, dtype=bool), np.zeros(grid.shape, dtype=np.float32)
    course = _draw_course(rng, grid)
    count = int(rng.choice((1, 2, 3, 4), p=(0.68, 0.2, 0.08, 0.04)))
    parallel = rng.random() < 0.5
    for index in range(count):
        if index:
            course = _beside(rng, grid, course) if parallel else _draw_course(rng, grid)
        width = int(rng.choice((1, 2, 3), p=(0.62, 0.28, 0.1)))
        row, col, strength = _lay(rng, scene, course, width)
        if np.count_nonzero(grid.rim[row, col]) > 0.4 * row.size:
            continue  # along the rim it could not be told from an edge
        if np.unique(row * grid.shape[1] + col).size >= max(5, 4 * width**2, 0.25 / grid.pitch):
            zone[row, col] = True
            np.maximum.at(prob, (row, col), strength)
    return Layer("scratch", zone, prob) if zone.any() else None


def _draw_course(rng: np.random.Generator, grid: Grid) -> _Course:
    shortest = max(0.32, 5 * grid.pitch)
    longest = max(shortest + 0.1, 1.9)
    length = min(longest, shortest + rng.exponential(0.45))
    away, angle = np.sqrt(rng.uniform(0, 0.95)), rng.uniform(0, 2 * np.pi)
    kind = rng.random()
    bend = 0.0 if kind < 0.4 else rng.uniform(-1.8, 1.8)
    wobble = rng.uniform(0.05, 0.35) if kind > 0.75 else 0.0
    straight = rng.random() < 0.12
    heading = rng.integers(4) * np.pi / 2 if straight else rng.uniform(0, 2 * np.pi)
    return _Course(
        y=away * np.sin(angle),
        x=away * np.cos(angle),
        heading=float(heading),
        length=float(length),
        bend=bend,
        wobble=wobble,
    )


def _beside(rng: np.random.Generator, grid: Grid, course: _Course) -> _Course:
    apart = rng.choice((-1, 1)) * rng.uniform(min(0.4, max(0.06, 3 * grid.pitch)), 0.5)
    along = rng.uniform(-0.3, 0.3)
    cos, sin = np.cos(course.heading), np.sin(course.heading)
    return _Course(
        y=course.y + apart * cos + along * sin,
        x=course.x - apart * sin + along * cos,
        heading=course.heading + rng.normal(0, 0.04),
        length=course.length * rng.uniform(0.75, 1.0),
        bend=course.bend,
        wobble=course.wobble,
    )


def _lay(
    rng: np.random.Generator, scene: Scene, course: _Course, width: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return rows, columns and fail probability of the dies a scratch runs over."""
    grid = scene.grid
    rows, cols = grid.shape
    along, y, x = _trace(rng, grid, course)
    row, col = (y + 1) * rows / 2, (x + 1) * cols / 2
    steep = abs(np.sin(course.heading)) * rows > abs(np.cos(course.heading)) * cols
    strength = _strength(rng, scene, along, course.length, grid.pitch)
    wide_from, wide_to = sorted(rng.uniform(-0.3, 1.3, 2) * course.length)
    cells, probs = [], []
    for offset in range(width):
        shift = (0, 1, -1)[offset]
        kept = np.full(along.shape, True)
        if offset and rng.random() < 0.5:
            kept = (along >= wide_from) & (along <= wide_to)
        at_row = np.floor(row + (0 if steep else shift)).astype(np.intp)[kept]
        at_col = np.floor(col + (shift if steep else 0)).astype(np.intp)[kept]
        cells.append(np.stack((at_row, at_col)))
        probs.append(strength[kept] * np.float32(rng.uniform(0.7, 1.0) if offset else 1.0))
    at, prob = np.concatenate(cells, axis=1), np.concatenate(probs)
    inside = (at >= 0).all(axis=0) & (at[0] < rows) & (at[1] < cols)
    at, prob = at[:, inside], prob[inside]
    lying = scene.present[at[0], at[1]]
    return at[0][lying], at[1][lying], prob[lying]


def _trace(rng: np.random.Generator, grid: Grid, course: _Course) -> tuple[_Path, _Path, _Path]:
    """Return distance along the course and y, x of points less than a die apart."""
    step = (2.0 / max(grid.shape)) * rng.choice((0.35, 0.9))
    along = np.arange(0.0, course.length, step)
    heading = course.heading + course.bend * along
    if course.wobble:
        waves = 2 * np.pi * along / rng.uniform(0.2, 0.7) + rng.uniform(0, 2 * np.pi)
        heading = heading + course.wobble * np.sin(waves)
    y = np.cumsum(np.sin(heading)) * step
    x = np.cumsum(np.cos(heading)) * step
    return along, y - y.mean() + course.y, x - x.mean() + course.x


def _strength(
    rng: np.random.Generator, scene: Scene, along: _Path, length: float, pitch: float
) -> npt.NDArray[np.float32]:
    strength = np.full(along.shape, scene.strength(rng), dtype=np.float32)
    if rng.random() < 0.35:
        for _ in range(int(rng.integers(1, 4))):
            start = rng.uniform(0.1, 0.9) * length
            gap = min(rng.uniform(1, 4) * pitch, 0.2 * length)
            strength[(along > start) & (along < start + gap)] = 0
    return strength
