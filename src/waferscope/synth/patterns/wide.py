"""Patterns of the whole wafer: etching gradients and random excursions."""

from __future__ import annotations

from typing import Final

import numpy as np

from waferscope.synth.grid import BoolGrid, FloatGrid, Grid, smooth_noise
from waferscope.synth.patterns.layer import Layer, Scene

ETCHING_PROBABILITY: Final = 0.25
ETCHING_SHARE: Final = 0.15
RANDOM_SHARE: Final = 0.35


def draw_etching(rng: np.random.Generator, scene: Scene) -> Layer | None:
    """Return a gradient of fail probability; the zone is where it is above 0.25.

    At least 15 % of the dies lie in the zone; the gradient runs on outside it, towards 0.
    """
    grid = scene.grid
    ramp = _RAMPS[int(rng.integers(len(_RAMPS)))](rng, grid)
    ramp += rng.uniform(0, 0.12) * smooth_noise(rng, grid.shape, 4)
    half, slope = rng.uniform(0.0, 0.75), rng.uniform(0.1, 0.3)
    top = rng.uniform(0.65, 1.0)
    prob = (top / (1 + np.exp((half - ramp) / slope))).astype(np.float32)
    prob[prob < 0.02] = 0
    prob *= scene.present
    zone = prob > ETCHING_PROBABILITY
    share = float(zone.sum()) / max(1.0, float(scene.present.sum()))
    if not ETCHING_SHARE <= share <= 0.75 or float(prob.max()) < 0.6:
        return None
    return Layer("etching", zone, prob)


def draw_random(
    rng: np.random.Generator, scene: Scene, taken: BoolGrid, highest: float = 1.0
) -> Layer:
    """Return fails all over the wafer; the zone is what the other zones leave."""
    if highest >= 1.0 and rng.random() < 0.2:
        rate, wave = rng.uniform(0.84, 1.0), 0.0
    else:
        rate, wave = 0.38 + (min(0.8, highest) - 0.38) * rng.beta(1.1, 2.0), rng.uniform(0, 0.06)
    prob = np.full(scene.grid.shape, rate, dtype=np.float32)
    prob += np.float32(wave) * smooth_noise(rng, scene.grid.shape, 4)
    if rng.random() < 0.4:
        prob += np.float32(rng.uniform(-0.1, 0.1)) * (scene.grid.rho - 0.67)
    prob = (np.clip(prob, 0, 1) * scene.present).astype(np.float32)
    return Layer("random", scene.present & ~taken, prob)


def _side(rng: np.random.Generator, grid: Grid) -> FloatGrid:
    angle = rng.uniform(0, 2 * np.pi)
    ramp: FloatGrid = np.float32(np.cos(angle)) * grid.x + np.float32(np.sin(angle)) * grid.y
    return ramp


def _quadrant(rng: np.random.Generator, grid: Grid) -> FloatGrid:
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along, across = cos * grid.x + sin * grid.y, cos * grid.y - sin * grid.x
    sharp = np.float32(rng.uniform(3, 12))
    corner = np.logaddexp(-sharp * along, -sharp * across) / sharp
    return (0.3 - corner).astype(np.float32, copy=False)


def _rim_inwards(rng: np.random.Generator, grid: Grid) -> FloatGrid:
    away, angle = rng.uniform(0, 0.35), rng.uniform(0, 2 * np.pi)
    y, x = np.float32(away * np.sin(angle)), np.float32(away * np.cos(angle))
    ramp: FloatGrid = np.hypot(grid.y - y, grid.x - x)
    return ramp


_RAMPS: Final = (_side, _quadrant, _rim_inwards)
