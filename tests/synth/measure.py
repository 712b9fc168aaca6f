"""Independent measurements on zones: plain loops and textbook formulas only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from waferscope.synth import SynthWafer, build_wafer

Grid = npt.NDArray[Any]


def polar(shape: tuple[int, int]) -> tuple[Grid, Grid]:
    """Return rho and theta of each die, one die at a time."""
    rows, cols = shape
    rho, theta = np.zeros(shape), np.zeros(shape)
    for row in range(rows):
        for col in range(cols):
            y, x = (2 * row - rows + 1) / rows, (2 * col - cols + 1) / cols
            rho[row, col], theta[row, col] = math.sqrt(x * x + y * y), math.atan2(y, x)
    return rho, theta


def centroid_rho(zone: Grid) -> float:
    """Return the rho of a zone's centroid."""
    rows, cols = zone.shape
    at = np.argwhere(zone).mean(axis=0)
    return math.hypot((2 * at[0] - rows + 1) / rows, (2 * at[1] - cols + 1) / cols)


def equal_radius(zone: Grid) -> float:
    """Return the radius, in wafer radii, of a disc of the zone's area."""
    return math.sqrt(4 * int(zone.sum()) / zone.size / math.pi)


def outermost(dies: Grid) -> Grid:
    """Return the dies with a side that no die adjoins in row or column to the array's border."""
    found = np.zeros(dies.shape, dtype=bool)
    for row in range(dies.shape[0]):
        at = np.flatnonzero(dies[row])
        if at.size:
            found[row, [at[0], at[-1]]] = True
    for col in range(dies.shape[1]):
        at = np.flatnonzero(dies[:, col])
        if at.size:
            found[[at[0], at[-1]], col] = True
    return found


def span_deg(zone: Grid, theta: Grid) -> float:
    """Return 360 less the widest gap between the angles of a zone's dies."""
    angles = np.sort(np.degrees(theta[zone]))
    gaps = np.diff(np.append(angles, angles[0] + 360))
    return float(360 - gaps.max())


def wafers_with(
    name: str, count: int, *, shape: tuple[int, int] | None = None, seed: int = 11
) -> list[tuple[SynthWafer, Grid]]:
    """Return wafers that carry a class alone, each with the zone of that class."""
    found: list[tuple[SynthWafer, Grid]] = []
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        wafer = build_wafer(rng, shape=shape, classes=[name])
        if wafer.classes == (name,):
            found.append((wafer, np.asarray(wafer.zones.any(axis=0))))
    assert len(found) >= 0.8 * count
    return found
