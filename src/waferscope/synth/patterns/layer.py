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

    def floor(self, strength: float) -> float:
        """Return the fail probability at the border of a zone of that strength."""
        return min(strength, 0.9 if self.dense else self.config.faint_probability)


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
    if level is not None and rng.random() < 0.6:
        fade = rng.uniform(0, 1) * (strength - scene.floor(strength))
        prob -= np.float32(fade) * np.square(np.clip(level, 0, 1)) * zone
    return Layer(name, zone, prob)


def blob_level(
    rng: np.random.Generator,
    grid: Grid,
    centre: tuple[float, float],
    radius: float,
    *,
    stretch: float = 1.0,
) -> FloatGrid:
    """Return an irregular blob as a level: below 1 inside, 0 near its centre.

    ``centre`` is (y, x); the outline is an ellipse of about ``radius``, sides ``stretch`` to 1,
    at any angle, bent by smooth noise.
    """
    angle = rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    y, x = grid.y - np.float32(centre[0]), grid.x - np.float32(centre[1])
    side = np.sqrt(stretch)
    along, across = (cos * x + sin * y) / (radius * side), (cos * y - sin * x) / (radius / side)
    power = rng.choice((1.2, 2.0, 2.0, 2.0, 4.0))
    if power == 2.0:
        level = np.hypot(along, across)
    else:
        level = (np.abs(along) ** power + np.abs(across) ** power) ** (1 / power)
    knots = int(np.clip(2.5 / radius, 4, 16))
    bend = np.clip(smooth_noise(rng, grid.shape, knots), -1.5, 1.5)
    field: FloatGrid = (level / (1 + rng.uniform(0, 0.35) * bend)).astype(np.float32)
    return field


def in_arc(grid: Grid, start: float, span: float) -> BoolGrid:
    """Return the dies whose angle lies within ``span`` radians counted from ``start``."""
    inside: BoolGrid = np.mod(grid.theta - start, 2 * np.pi) <= span
    return inside
