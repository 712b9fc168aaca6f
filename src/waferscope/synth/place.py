"""Where layers may lie: a person must be able to tell each zone from what surrounds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from waferscope.domain.taxonomy import Taxonomy
from waferscope.synth.background import Background
from waferscope.synth.config import SynthConfig
from waferscope.synth.grid import BoolGrid, FloatGrid
from waferscope.synth.patterns import DRAWERS, RANDOM_SHARE, Layer, Scene, draw_random

_MOST_OVERLAP: Final = 0.5
_LEAST_FAILS: Final = {"ring": 8, "center": 5, "scratch": 5, "particle": 5, "lithography": 5}
_LEAST_SHARE: Final = 0.4
"""Fails over dies of a drawn zone, below what a faint pattern gives but for bad luck."""
_LEAST_GAIN: Final = {"etching": 0.75, "scratch": 1.5}
"""Contrast that a class needs, in units of `SynthConfig.min_contrast`: thin lines drown first."""
_LEAST_SIGMAS: Final = 4.0
"""Fails that a zone must gain, in standard deviations of those it would have anyway."""
_LATTICE_SHARE: Final = 0.25
"""Fails of a field lattice over those of the background, at least, for it to be seen."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A layer that found its place, and the fails drawn from it."""

    layer: Layer
    fails: BoolGrid


def place(
    rng: np.random.Generator, scene: Scene, background: Background, wanted: Sequence[str]
) -> list[Placed]:
    """Return a layer per wanted class that a person could tell; gradients first, random last."""
    order = [name for name in rng.permutation(list(wanted)) if name in DRAWERS] if wanted else []
    order.sort(key=lambda name: name != "etching")
    placed: list[Placed] = []
    for name in order:
        for _ in range(scene.config.tries):
            layer = DRAWERS[name](rng, scene)
            if layer is None or not _clear(layer, placed, background, scene.config):
                continue
            candidate = Placed(layer, _sample(rng, layer.prob))
            if _visible(candidate, scene.config.taxonomy):
                placed.append(candidate)
                break
    if "random" in wanted:
        taken = np.zeros(scene.grid.shape, dtype=bool)
        for one in placed:
            taken |= one.layer.zone
        for _ in range(scene.config.tries):
            layer = draw_random(rng, scene, taken, 0.6 if placed else 1.0)
            candidate = Placed(layer, _sample(rng, layer.prob))
            if not layer.zone.any() or candidate.fails[layer.zone].mean() < RANDOM_SHARE:
                continue
            if _none_hidden(layer, placed, background, scene.config):
                return [*placed, candidate]
    return placed


def _sample(rng: np.random.Generator, prob: FloatGrid) -> BoolGrid:
    fails: BoolGrid = rng.random(prob.shape, dtype=np.float32) < prob
    return fails


def _clear(
    layer: Layer, placed: Sequence[Placed], background: Background, config: SynthConfig
) -> bool:
    """Whether the zone stands out from what lies under it, and hides none placed before."""
    others = [one.layer for one in placed]
    if not _stands_out(layer, others, background, config):
        return False
    for other in others:
        pair = {layer.name, other.name}
        common = np.count_nonzero(layer.zone & other.zone)
        smaller = min(np.count_nonzero(layer.zone), np.count_nonzero(other.zone))
        if pair == {"center", "ring"} and common:
            return False
        if "etching" not in pair and common > _MOST_OVERLAP * smaller:
            return False
    return _none_hidden(layer, placed, background, config)


def _none_hidden(
    layer: Layer, placed: Sequence[Placed], background: Background, config: SynthConfig
) -> bool:
    """Whether all layers placed before still stand out beside a new one."""
    others = [one.layer for one in placed]
    return all(
        _stands_out(other, [*others[:index], *others[index + 1 :], layer], background, config)
        for index, other in enumerate(others)
    )


def _stands_out(
    layer: Layer, others: Sequence[Layer], background: Background, config: SynthConfig
) -> bool:
    zone = layer.zone
    if not zone.any():
        return False
    passing = 1.0 - background.prob[zone]
    for other in others:
        passing = passing * (1.0 - other.prob[zone])
    gained = float((passing * layer.prob[zone]).mean())
    if gained < config.min_contrast * _LEAST_GAIN.get(layer.name, 1.0):
        return False
    dies, anyway = passing.size, float((1.0 - passing).sum())
    if gained * dies < 2 + _LEAST_SIGMAS * np.sqrt(anyway):
        return False
    if layer.name != "lithography":
        return True
    return gained * dies >= _LATTICE_SHARE * float(background.prob.sum())


def _visible(candidate: Placed, taxonomy: Taxonomy) -> bool:
    name = candidate.layer.name
    least = max(_LEAST_FAILS.get(name, 4), taxonomy.classes[taxonomy.channel(name)].min_dies)
    failing = int(np.count_nonzero(candidate.fails & candidate.layer.zone))
    share = failing / max(1, int(np.count_nonzero(candidate.layer.zone)))
    return failing >= least and (name == "etching" or share >= _LEAST_SHARE)
