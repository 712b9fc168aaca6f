"""One drawer per defect class; `random` stands apart, for it needs the other zones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from waferscope.synth.patterns.edge import angular_cover, draw_edge
from waferscope.synth.patterns.layer import Layer, Scene
from waferscope.synth.patterns.lithography import draw_lithography, draw_reticle
from waferscope.synth.patterns.rounds import draw_center, draw_particle, draw_ring
from waferscope.synth.patterns.scratch import draw_scratch
from waferscope.synth.patterns.wide import RANDOM_SHARE, draw_etching, draw_random

DRAWERS: Final[Mapping[str, Callable[[np.random.Generator, Scene], Layer | None]]] = (
    MappingProxyType(
        {
            "edge": draw_edge,
            "center": draw_center,
            "ring": draw_ring,
            "scratch": draw_scratch,
            "particle": draw_particle,
            "lithography": draw_lithography,
            "etching": draw_etching,
        }
    )
)
"""Class name to the function that draws a layer, or None when this attempt does not fit."""

__all__ = [
    "DRAWERS",
    "RANDOM_SHARE",
    "Layer",
    "Scene",
    "angular_cover",
    "draw_random",
    "draw_reticle",
]
