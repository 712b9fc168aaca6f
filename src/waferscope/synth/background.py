"""Fails that belong to no class: scattered, in small clumps and streaks, denser at the rim.

Matched to WM-811K wafers labelled as free of patterns: beyond rho 0.9 the median fail rate is
0.27 against 0.11 at half radius, and a fail's neighbour fails hardly more often than chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from waferscope.domain.wafermap import FAIL, PASS, DieGrid
from waferscope.synth.config import REFERENCE_SIDE, SynthConfig
from waferscope.synth.grid import BoolGrid, FloatGrid, Grid, smooth_noise

NOISE_DENSITY: Final = 0.25
"""Highest fail rate of a wafer of pure noise."""
_CEILING = 0.5
"""Highest background fail probability of a die: above it, a person would see a pattern."""


@dataclass(frozen=True, eq=False)
class Background:
    """Fail probability of each die without any pattern, and the fails drawn from it."""

    prob: FloatGrid
    fails: BoolGrid


def draw_noise(rng: np.random.Generator, shape: tuple[int, int]) -> DieGrid:
    """Return a round wafer whose dies fail independently at a rate of 0 to `NOISE_DENSITY`.

    Nothing on it is a pattern, however much a chance line of fails looks like a scratch.
    """
    v, u = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    fails = rng.random(shape) < rng.uniform(0.0, NOISE_DENSITY)
    return np.where(v**2 + u**2 <= 1.0, np.where(fails, FAIL, PASS), 0).astype(np.uint8)


def draw_density(
    rng: np.random.Generator, grid: Grid, config: SynthConfig, *, patterned: bool
) -> float:
    """Return a background fail rate; wafers with a pattern are clean more often.

    Real grids of 48x48 dies fail half as often as those of 27x27, and 100x100 a sixth.
    """
    clean = config.clean_share if patterned else config.clean_share / 9
    if rng.random() < clean:
        return float(rng.uniform(*config.clean_density))
    shares, rates = np.asarray(config.density_quantiles).T
    density = float(np.interp(rng.random(), shares, rates))
    side = float(np.sqrt(grid.shape[0] * grid.shape[1]))
    return density * float(min(1.0, REFERENCE_SIDE / side) ** rng.uniform(0.2, 2.0))


def draw_background(
    rng: np.random.Generator, grid: Grid, present: BoolGrid, density: float
) -> Background:
    """Return fails on the tested dies whose expected rate is about ``density``."""
    clumped = density * rng.uniform(0.0, 0.35) * float(rng.random() < 0.5)
    shape = _relative_rate(rng, grid)
    mean = float(shape[present].mean()) if present.any() else 1.0
    shape *= (density - clumped) / max(mean, 1e-6)
    prob = np.minimum(shape, _CEILING) * present
    fails: BoolGrid = rng.random(grid.shape, dtype=np.float32) < prob
    if clumped > 0:
        fails |= _clumps(rng, grid, clumped) & present
    prob += np.float32(clumped) * present
    return Background(prob, fails)


def _relative_rate(rng: np.random.Generator, grid: Grid) -> FloatGrid:
    """Return the fail rate of each die up to a factor: rim, middle, tilt and slow waves."""
    rate = np.ones(grid.shape, dtype=np.float32)
    if rng.random() < 0.85:
        boost = rng.lognormal(np.log(2.5), 0.6)
        reach = rng.uniform(0.5, 2.0)
        rim = boost * np.exp((1.0 - grid.depth) / reach)
        if rng.random() < 0.5:
            rim *= np.exp(0.6 * smooth_noise(rng, grid.shape, 4))
        rate += rim
    if rng.random() < 0.5:
        rate += rng.uniform(-0.3, 1.2) * np.exp(-((grid.rho / rng.uniform(0.25, 0.5)) ** 2))
    if rng.random() < 0.3:
        angle = rng.uniform(0, 2 * np.pi)
        rate *= 1 + rng.uniform(0, 0.5) * (np.cos(angle) * grid.x + np.sin(angle) * grid.y)
    if rng.random() < 0.5:
        waves = smooth_noise(rng, grid.shape, int(rng.integers(4, 9)))
        rate *= np.exp(rng.uniform(0.1, 0.45) * waves)
    return rate


def _clumps(rng: np.random.Generator, grid: Grid, rate: float) -> BoolGrid:
    """Return clumps of 2 to 5 dies, wandering or in short straight streaks."""
    rows, cols = grid.shape
    count = rng.poisson(rate * rows * cols / 3.0)
    lengths = rng.integers(2, 6, count)
    steps = rng.integers(-1, 2, (2, count, 5))
    streak = rng.random(count) < 0.3
    steps[:, streak] = steps[:, streak, :1]
    steps[:, :, 0] = 0
    row = rng.integers(0, rows, count)[:, None] + np.cumsum(steps[0], axis=1)
    col = rng.integers(0, cols, count)[:, None] + np.cumsum(steps[1], axis=1)
    kept = np.arange(5) < lengths[:, None]
    kept &= (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
    clumps = np.zeros(grid.shape, dtype=bool)
    clumps[row[kept], col[kept]] = True
    return clumps
