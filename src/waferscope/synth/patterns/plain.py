"""Plain shapes, each drawn in a few lines: a zone, and the chance of each die to fail by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from waferscope.synth.grid import BoolGrid, FloatGrid, Grid, smooth_noise
from waferscope.synth.patterns.layer import blob_level, ellipse_level, in_arc
from waferscope.synth.patterns.lithography import FIELD_SIDES
from waferscope.synth.patterns.rounds import hugs_rim
from waferscope.synth.patterns.wide import ETCHING_PROBABILITY, ETCHING_SHARE

Drawn = tuple[BoolGrid, FloatGrid]
"""A zone, and the chance of each die to fail by its pattern; both [rows, cols]."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a plain shape is drawn, its defect class, and the label that a wafer gets for it."""

    draw: Callable[[np.random.Generator, Grid], Drawn]
    class_name: str
    label: str | None = None


def _solid(rng: np.random.Generator, zone: BoolGrid, hit: BoolGrid | None = None) -> Drawn:
    """Return a zone in which nearly every die fails, or of the dies ``hit`` of it."""
    strength = np.float32(rng.uniform(0.75, 1.0))
    return zone, np.where(zone if hit is None else zone & hit, strength, np.float32(0))


def _place(rng: np.random.Generator, low: float, high: float) -> tuple[float, float]:
    """Return a point (y, x) at a radius of ``low`` to ``high``."""
    away, angle = rng.uniform(low, high), rng.uniform(0, 2 * np.pi)
    return float(away * np.sin(angle)), float(away * np.cos(angle))


def _disc(rng: np.random.Generator, grid: Grid) -> Drawn:
    radius = max(1.3 * grid.pitch, rng.uniform(0.06, 0.38))
    return _solid(rng, blob_level(rng, grid, _place(rng, 0, 0.25), radius, rng.uniform(1, 1.4)) < 1)


def _annulus(rng: np.random.Generator, grid: Grid) -> Drawn:
    inner = rng.uniform(max(0.07, 1.2 * grid.pitch), 0.42)
    outer = min(0.8, inner + max(1.2 * grid.pitch, rng.uniform(0.08, 0.32)))
    level = ellipse_level(rng, grid, _place(rng, 0, 0.25), rng.uniform(1, 1.3))
    ragged = np.float32(rng.uniform(0, 0.3) * (outer - inner))
    level = level + ragged * smooth_noise(rng, grid.shape, int(rng.integers(8, 24)))
    return _solid(rng, (level < outer) & (level > inner))


def _closed_ring(rng: np.random.Generator, grid: Grid) -> Drawn:
    band = _band(grid, rng.choice((1.0, 1.5, 2.3, 3.2)))
    return _solid(rng, band & _arc_of(rng, grid, 325, 359) if rng.random() < 0.2 else band)


def _arc(rng: np.random.Generator, grid: Grid) -> Drawn:
    band = _band(grid, rng.choice((1.0, 1.5, 2.3)))
    return _solid(rng, band & _arc_of(rng, grid, 35, 300))


def _band(grid: Grid, width: float) -> BoolGrid:
    band: BoolGrid = grid.rim | (grid.depth <= width)
    return band & grid.on


def _arc_of(rng: np.random.Generator, grid: Grid, low: float, high: float) -> BoolGrid:
    return in_arc(grid, rng.uniform(-np.pi, np.pi), np.deg2rad(rng.uniform(low, high)))


def _chunk(rng: np.random.Generator, grid: Grid) -> Drawn:
    """Return a blob on the rim, or nothing where it reaches deeper than it touches."""
    centre, radius = _place(rng, 0.9, 1.1), max(2 * grid.pitch, rng.uniform(0.12, 0.4))
    blob = (blob_level(rng, grid, centre, radius, rng.uniform(1, 2)) < 1) & grid.on
    return _solid(rng, blob & hugs_rim(grid, blob))


def _clusters(rng: np.random.Generator, grid: Grid) -> Drawn:
    """Return one to three compact clusters off the middle, none of them along the rim."""
    zone = np.zeros(grid.shape, dtype=bool)
    for _ in range(int(rng.choice((1, 2, 3), p=(0.6, 0.25, 0.15)))):
        radius = max(1.4 * grid.pitch, rng.uniform(0.06, 0.28))
        level = blob_level(rng, grid, _place(rng, 0.38, 0.88), radius, rng.uniform(1, 2))
        blob = (level < 1) & grid.on
        zone |= blob & ~np.bool_(hugs_rim(grid, blob))
    return _solid(rng, zone)


def _ragged_cluster(rng: np.random.Generator, grid: Grid) -> Drawn:
    """Return a cluster, often ragged: die by die, or row by row as a comb."""
    centre, radius = _place(rng, 0.35, 0.92), rng.uniform(0.07, 0.28)
    blob = blob_level(rng, grid, centre, radius, rng.uniform(1, 2.5)) < 1
    kind, (rows, cols) = rng.random(), grid.shape
    if kind < 0.4:
        return _solid(rng, blob, rng.random(grid.shape) < rng.uniform(0.6, 0.95))
    if kind < 0.55:
        return _solid(rng, blob, np.broadcast_to(rng.random((rows, 1)) < 0.75, grid.shape))
    if kind < 0.7:
        return _solid(rng, blob, np.broadcast_to(rng.random((1, cols)) < 0.75, grid.shape))
    return _solid(rng, blob)


def _line(rng: np.random.Generator, grid: Grid) -> Drawn:
    """Return a thin line or bow that does not run along the rim, or nothing."""
    rows, cols = grid.shape
    bend = rng.uniform(-1.5, 1.5) if rng.random() < 0.75 else 0.0
    step = 0.6 / max(rows, cols)
    along = np.arange(0.0, rng.uniform(max(0.35, 6 * grid.pitch), 1.9), step)
    heading = rng.uniform(0, 2 * np.pi) + bend * along
    y, x = np.cumsum(np.sin(heading)) * step, np.cumsum(np.cos(heading)) * step
    middle = _place(rng, 0.0, 0.92)
    row = ((y - y.mean() + middle[0] + 1) * rows / 2).astype(np.intp)
    col = ((x - x.mean() + middle[1] + 1) * cols / 2).astype(np.intp)
    zone = np.zeros(grid.shape, dtype=bool)
    at = heading[len(heading) // 2]
    for beside in range(2 if rng.random() < 0.25 else 1):
        steep = abs(np.sin(at)) > abs(np.cos(at))
        at_row, at_col = (row, col + beside) if steep else (row + beside, col)
        inside = (at_row >= 0) & (at_row < rows) & (at_col >= 0) & (at_col < cols)
        zone[at_row[inside], at_col[inside]] = True
    zone &= grid.on
    if np.count_nonzero(zone & grid.rim) > 0.35 * np.count_nonzero(zone):
        zone[:] = False
    return _solid(rng, zone)


def _repeater(rng: np.random.Generator, grid: Grid) -> Drawn:
    """Return one or two positions of every exposure field, side by side where there are two."""
    (rows, cols), at = _field(rng, grid)
    chosen = np.zeros((rows, cols), dtype=bool)
    row, col = int(rng.integers(rows)), int(rng.integers(cols))
    chosen[row, col] = True
    if rows * cols > 8 and rng.random() < 0.3:
        chosen[row, (col + 1) % cols] = True
    return _solid(rng, chosen[np.ix_(at[0] % rows, at[1] % cols)])


def _fields(rng: np.random.Generator, grid: Grid) -> Drawn:
    """Return a few whole exposure fields."""
    (rows, cols), at = _field(rng, grid)
    down, across = at[0] // rows, at[1] // cols
    chosen = rng.random((int(down[-1]) + 1, int(across[-1]) + 1)) < rng.uniform(0.08, 0.25)
    if rows * cols < 6 or np.count_nonzero(chosen) < 3:
        chosen[:] = False
    return _solid(rng, chosen[np.ix_(down, across)])


def _field(
    rng: np.random.Generator, grid: Grid
) -> tuple[tuple[int, int], list[np.ndarray[tuple[int], np.dtype[np.intp]]]]:
    """Return the sides of a field, and each row's and column's number from the first field on."""
    low, high = FIELD_SIDES
    sides = [int(rng.integers(low, max(low + 1, min(high, side // 3)) + 1)) for side in grid.shape]
    at = [
        np.arange(side) + int(rng.integers(field))
        for side, field in zip(grid.shape, sides, strict=True)
    ]
    return (sides[0], sides[1]), at


def _gradient(rng: np.random.Generator, grid: Grid) -> Drawn:
    """Return a chance that falls from one side, one quadrant or the rim, or nothing."""
    angle = rng.uniform(0, 2 * np.pi)
    along, across = (
        np.cos(angle) * grid.x + np.sin(angle) * grid.y,
        np.cos(angle) * grid.y - np.sin(angle) * grid.x,
    )
    ramp = (along, np.minimum(along, across) + 0.3, grid.rho)[int(rng.integers(3))]
    start, width = rng.uniform(-0.4, 0.6), rng.uniform(0.4, 1.0)
    chance = np.clip((ramp - start) / width, 0, 1) * rng.uniform(0.7, 1.0)
    zone = (chance > ETCHING_PROBABILITY) & grid.on
    if not ETCHING_SHARE <= np.count_nonzero(zone) / np.count_nonzero(grid.on) <= 0.75:
        zone[:], chance = False, np.zeros_like(chance)
    return zone, chance.astype(np.float32)


def _excursion(rng: np.random.Generator, grid: Grid) -> Drawn:
    rate = rng.uniform(0.84, 1.0) if rng.random() < 0.2 else rng.uniform(0.38, 0.78)
    return grid.on.copy(), np.full(grid.shape, rate, np.float32)


SHAPES: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "disc": Shape(_disc, "center", "Center"),
        "annulus": Shape(_annulus, "ring", "Donut"),
        "arc": Shape(_arc, "edge", "Edge-Loc"),
        "closed ring": Shape(_closed_ring, "edge", "Edge-Ring"),
        "chunk": Shape(_chunk, "edge", "Edge-Loc"),
        "clusters": Shape(_clusters, "particle", "Loc"),
        "ragged cluster": Shape(_ragged_cluster, "particle", "Loc"),
        "line": Shape(_line, "scratch", "Scratch"),
        "repeater": Shape(_repeater, "lithography"),
        "fields": Shape(_fields, "lithography"),
        "gradient": Shape(_gradient, "etching"),
        "excursion": Shape(_excursion, "random", "Random"),
    }
)
"""Shapes by name; one that finds no room has an empty zone."""
