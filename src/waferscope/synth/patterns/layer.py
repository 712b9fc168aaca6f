"""What every pattern is drawn in and drawn as."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from waferscope.domain.wafermap import Reticle
from waferscope.synth.config import SynthConfig
from waferscope.synth.grid import BoolGrid, FloatGrid, Grid, smooth_noise


@dataclass(frozen=True, eq=False)
class Scene:
    """The wafer a pattern is placed on.

    ``present`` are the tested dies, ``reticle`` the exposure field; ``dense`` asks for zones in
    which nearly every die fails, since the wafer around them is full of fails.
    """

    grid: Grid
    present: BoolGrid
    reticle: Reticle
    config: SynthConfig
    dense: bool = False

    def strength(self, rng: np.random.Generator) -> float:
        """Return the fail probability at the heart of a zone, half of the time close to 1."""
        if self.dense or rng.random() < 0.5:
            return float(rng.uniform(0.92, 1.0))
        return float(rng.uniform(self.config.faint_probability, 0.95))


@dataclass(frozen=True, eq=False)
class Layer:
    """One class on one wafer: where it acts, and how often a die fails because of it.

    ``zone`` lies within the tested dies. ``prob`` is 0 outside the zone, but for a gradient.
    """

    name: str
    zone: BoolGrid
    prob: FloatGrid


def solid_layer(
    rng: np.random.Generator,
    scene: Scene,
    name: str,
    zone: BoolGrid,
    level: FloatGrid | None = None,
) -> Layer:
    """Return a layer over ``zone``; with ``level`` (0 heart, 1 border) its border may be soft."""
    zone = zone & scene.present
    strength = scene.strength(rng)
    prob = np.where(zone, np.float32(strength), np.float32(0))
    if level is not None and not scene.dense and rng.random() < 0.6:
        fade, power = rng.uniform(0, 0.6), int(rng.integers(1, 5))
        prob *= 1 - np.float32(fade) * np.clip(level, 0, 1) ** power
    return Layer(name, zone, prob)


def ellipse_level(
    rng: np.random.Generator,
    grid: Grid,
    centre: tuple[float, float],
    stretch: float,
    power: float = 2.0,
) -> FloatGrid:
    """Return distances from ``centre`` (y, x) in an ellipse of sides ``stretch`` to 1, any angle.

    The unit is the radius of the disc of the same area; a ``power`` of 1 gives diamonds, a high
    one boxes.
    """
    angle = rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    y, x = grid.y - np.float32(centre[0]), grid.x - np.float32(centre[1])
    side = np.float32(np.sqrt(stretch))
    along, across = (cos * x + sin * y) / side, (cos * y - sin * x) * side
    if power == 2.0:
        return np.hypot(along, across)
    level = (np.abs(along) ** power + np.abs(across) ** power) ** (1 / power)
    return level.astype(np.float32, copy=False)


def blob_level(
    rng: np.random.Generator,
    grid: Grid,
    centre: tuple[float, float],
    radius: float,
    stretch: float = 1.0,
) -> FloatGrid:
    """Return an irregular blob as a level: below 1 inside, 0 at its ``centre`` (y, x).

    Its outline is an ellipse, now and then a box or a diamond, bent by smooth noise; sides are
    ``stretch`` to 1, but never thinner than two dies.
    """
    stretch = min(stretch, max(1.0, (radius / grid.pitch) ** 2))
    power = float(rng.choice((1.2, 2.0, 2.0, 2.0, 4.0)))
    level = ellipse_level(rng, grid, centre, stretch, power)
    level /= np.float32(radius)
    knots = int(np.clip(2.5 / radius, 4, 16))
    bend = rng.uniform(0, 0.25) * smooth_noise(rng, grid.shape, knots)
    if radius > 4 * grid.pitch:
        bend += rng.uniform(0, 0.2) * smooth_noise(rng, grid.shape, int(min(40, 2.5 * knots)))
    level /= 1 + np.clip(bend, -0.5, 0.5)
    return level


def in_arc(grid: Grid, start: float, span: float) -> BoolGrid:
    """Return the dies whose angle lies within ``span`` radians counted from ``start``."""
    inside: BoolGrid = np.mod(grid.theta - start, 2 * np.pi) <= span
    return inside
