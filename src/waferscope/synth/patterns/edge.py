"""Edge patterns: bands along the rim, chords and chunks attached to it."""

from __future__ import annotations

import numpy as np

from waferscope.synth.grid import BoolGrid, Grid, smooth_noise
from waferscope.synth.patterns.layer import Layer, Scene, blob_level, in_arc, solid_layer
from waferscope.synth.patterns.rounds import hugs_rim

_LEAST_SPAN = np.deg2rad(16.0)


def draw_edge(rng: np.random.Generator, scene: Scene) -> Layer | None:
    """Return a zone that hugs the rim, from about 15 degrees to the full ring."""
    grid = scene.grid
    kind = rng.choice(("ring", "arc", "arcs", "chunk", "chord"), p=(0.3, 0.32, 0.08, 0.2, 0.1))
    if kind == "chunk":
        zone = _chunk(rng, grid)
    elif kind == "chord":
        zone = _chord(rng, grid)
    else:
        zone = _band(rng, grid, str(kind))
    zone &= scene.present
    if angular_cover(grid, zone) < 15 or not hugs_rim(grid, zone):
        return None
    depth = np.clip((grid.depth - 1) / max(float(grid.depth[zone].max()), 1.0), 0, 1)
    return solid_layer(rng, scene, "edge", zone, depth)


def angular_cover(grid: Grid, zone: BoolGrid) -> float:
    """Return the degrees of the rim that a zone covers, in steps that every rim die fills.

    >>> from waferscope.synth.grid import build_grid
    >>> grid = build_grid((40, 40))
    >>> angular_cover(grid, grid.rim & (grid.y > 0))
    180.0
    """
    steps = max(8, min(72, 2 * min(grid.shape)))
    touched = grid.theta[zone & grid.rim]
    bins = np.unique(((touched + np.pi) / (2 * np.pi) * steps).astype(int) % steps)
    return float(bins.size * 360.0 / steps)


def _band(rng: np.random.Generator, grid: Grid, kind: str) -> BoolGrid:
    """Return arcs of a band one to four dies wide, or up to 0.2 radii deep."""
    widest = max(1.0, 0.2 / grid.pitch)
    if rng.random() < 0.6:
        width = min(widest, float(rng.choice((1.0, 1.5, 2.3, 3.2, 4.2))))
    else:
        width = rng.uniform(1.0, widest)
    limit = width
    if rng.random() < 0.5:
        limit = width * np.clip(1 + 0.35 * smooth_noise(rng, grid.shape, 6), 0.4, 2.0)
    band = grid.rim | (grid.depth <= limit)
    if kind == "ring":
        if rng.random() < 0.7:
            return band & grid.on
        return band & grid.on & in_arc(grid, *_arc(rng, 270, 355))
    window = in_arc(grid, *_arc(rng, 16, 250))
    if kind == "arcs":
        for _ in range(int(rng.integers(1, 3))):
            window |= in_arc(grid, *_arc(rng, 16, 90))
    return band & window & grid.on


def _arc(rng: np.random.Generator, low: float, high: float) -> tuple[float, float]:
    return rng.uniform(-np.pi, np.pi), max(_LEAST_SPAN, np.deg2rad(rng.uniform(low, high)))


def _chunk(rng: np.random.Generator, grid: Grid) -> BoolGrid:
    """Return a blob centred about the rim."""
    radius = max(2 * grid.pitch, rng.uniform(0.12, 0.5))
    away, angle = rng.uniform(0.92, 1.15), rng.uniform(0, 2 * np.pi)
    centre = (away * np.sin(angle), away * np.cos(angle))
    level = blob_level(rng, grid, centre, radius, rng.uniform(1, 2))
    return (level < 1) & grid.on


def _chord(rng: np.random.Generator, grid: Grid) -> BoolGrid:
    """Return what lies beyond a straight or slightly bent line across the wafer's edge."""
    angle, cut = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.95)
    along = np.float32(np.cos(angle)) * grid.x + np.float32(np.sin(angle)) * grid.y
    bend = rng.uniform(0, 0.05) * smooth_noise(rng, grid.shape, 5)
    beyond: BoolGrid = along + bend > cut
    return beyond & grid.on
