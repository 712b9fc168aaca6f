"""Blobs and annuli: center, ring, particle."""

from __future__ import annotations

import numpy as np

from waferscope.synth.grid import BoolGrid, Grid, smooth_noise
from waferscope.synth.patterns.layer import (
    Layer,
    Scene,
    blob_level,
    ellipse_level,
    in_arc,
    solid_layer,
)

_LEAST_CLUSTER = 7
"""Dies in a cluster that is told from the clumps of the background; twice that beside another."""


def draw_center(rng: np.random.Generator, scene: Scene) -> Layer | None:
    """Return a blob over the middle: centroid within rho 0.25, radius 0.08 to 0.40."""
    grid = scene.grid
    radius = rng.uniform(max(0.1, 1.4 * grid.pitch), 0.38)
    away, angle = rng.uniform(0, 0.18), rng.uniform(0, 2 * np.pi)
    centre = (away * np.sin(angle), away * np.cos(angle))
    level = blob_level(rng, grid, centre, radius, rng.uniform(1, 1.8))
    layer = solid_layer(rng, scene, "center", level < 1, level)
    size, off = _size_and_offset(grid, layer.zone)
    return layer if 0.08 <= size <= 0.40 and off <= 0.25 else None


def draw_ring(rng: np.random.Generator, scene: Scene) -> Layer | None:
    """Return an annulus: inner radius from 0.12, outer to 0.8, closed or at least 150 degrees."""
    grid = scene.grid
    thinnest = max(0.08, 1.3 * grid.pitch)
    hole_least = max(0.15, 1.6 * grid.pitch)
    inner = rng.uniform(hole_least, 0.5)
    outer = min(0.78, inner + thinnest + rng.exponential(0.14))
    if outer - inner < thinnest:
        return None
    away, angle = rng.uniform(0, 0.12), rng.uniform(0, 2 * np.pi)
    centre = (away * np.sin(angle), away * np.cos(angle))
    level = ellipse_level(rng, grid, centre, rng.uniform(1, 1.3))
    level *= 1 + np.float32(rng.uniform(0, 0.1)) * smooth_noise(rng, grid.shape, 5)
    if rng.random() < 0.6:
        ragged = rng.uniform(0, 0.25) * (outer - inner)
        level += np.float32(ragged) * smooth_noise(rng, grid.shape, int(rng.integers(8, 24)))
    hole = level + np.float32(rng.uniform(-0.25, 0.25)) * (outer - inner) * np.cos(
        grid.theta - np.float32(rng.uniform(0, 2 * np.pi))
    )
    zone = (level < outer) & (hole > inner) & (grid.rho > 0.12) & (grid.rho < 0.8)
    if rng.random() < 0.4:
        zone &= in_arc(grid, rng.uniform(-np.pi, np.pi), np.deg2rad(rng.uniform(170, 340)))
    spread = np.abs(level - (inner + outer) / 2) / ((outer - inner) / 2)
    layer = solid_layer(rng, scene, "ring", zone, spread)
    if not scene.dense and rng.random() < 0.4:
        weaker = 1 + np.cos(grid.theta - np.float32(rng.uniform(0, 2 * np.pi)))
        layer.prob[...] *= 1 - np.float32(rng.uniform(0, 0.25)) * weaker
    return layer if np.count_nonzero(layer.zone) >= 8 else None


def draw_particle(rng: np.random.Generator, scene: Scene) -> Layer | None:
    """Return one to four compact clusters: centroid beyond rho 0.3, radius 0.05 to 0.35."""
    grid = scene.grid
    count = int(rng.choice((1, 2, 3, 4), p=(0.7, 0.17, 0.09, 0.04)))
    zone = np.zeros(grid.shape, dtype=bool)
    best = np.full(grid.shape, np.inf, dtype=np.float32)
    for _ in range(count):
        smallest = max(0.055, 1.1 * grid.pitch)
        radius = min(0.33, smallest + rng.exponential(0.09))
        away, angle = rng.uniform(max(0.36, 1.2 * radius), 0.97), rng.uniform(0, 2 * np.pi)
        centre = (away * np.sin(angle), away * np.cos(angle))
        level = blob_level(rng, grid, centre, radius, 1 + rng.exponential(0.7))
        blob = (level < 1) & scene.present
        size, off = _size_and_offset(grid, blob)
        enough = np.count_nonzero(blob) >= (2 * _LEAST_CLUSTER if zone.any() else _LEAST_CLUSTER)
        if not enough or (blob & zone).any() or hugs_rim(grid, blob):
            continue
        if 0.05 <= size <= 0.35 and off > 0.31:
            zone |= blob
            np.minimum(best, level, out=best)
    return solid_layer(rng, scene, "particle", zone, best) if zone.any() else None


def hugs_rim(grid: Grid, zone: BoolGrid) -> bool:
    """Whether a region touches the outermost dies over a longer stretch than it reaches inwards."""
    touching = int(np.count_nonzero(zone & grid.rim))
    return touching > 0 and touching > float(grid.depth[zone].max())


def _size_and_offset(grid: Grid, zone: BoolGrid) -> tuple[float, float]:
    """Return the radius of a disc of the zone's area, and the rho of its centroid."""
    dies = int(np.count_nonzero(zone))
    if not dies:
        return 0.0, 0.0
    radius = np.sqrt(dies * 4 / (grid.shape[0] * grid.shape[1]) / np.pi)
    return float(radius), float(np.hypot(grid.y[zone].mean(), grid.x[zone].mean()))
