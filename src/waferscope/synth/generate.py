"""Synthetic wafers whose masks are exact by construction: fails inside the zones drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from waferscope.domain.taxonomy import Taxonomy
from waferscope.domain.wafermap import FAIL, MAX_SIDE, PASS, DieGrid, Reticle, Source, WaferMap
from waferscope.errors import InputError
from waferscope.synth.background import Background, draw_background, draw_density
from waferscope.synth.config import SynthConfig
from waferscope.synth.grid import OUTLINES, BoolGrid, FloatGrid, Grid, build_grid, draw_present
from waferscope.synth.patterns import (
    DRAWERS,
    RANDOM_SHARE,
    Layer,
    Scene,
    angular_cover,
    draw_random,
    draw_reticle,
)

MIN_SIDE: Final = 8
"""Smallest side of a synthetic wafer, in dies; below it no pattern has room."""
_MOST_OVERLAP: Final = 0.5
_LEAST_FAILS: Final = {"ring": 8, "center": 5, "scratch": 5, "particle": 5, "lithography": 5}
_LEAST_SHARE: Final = 0.4
"""Fails over dies of a drawn zone, below what a faint pattern gives but for bad luck."""
_LEAST_GAIN: Final = {"etching": 0.75, "scratch": 1.5}
"""Contrast that a class needs, in units of `SynthConfig.min_contrast`: thin lines drown first."""
_HIGHEST_DENSITY: Final = {"etching": 0.12, "random": 0.12, "lithography": 0.2}
"""Background under which a class can still be told; lower ones are drawn up to it."""
_LEAST_SIGMAS: Final = 4.0
"""Fails that a zone must gain, in standard deviations of those it would have anyway."""
_LATTICE_SHARE: Final = 0.25
"""Fails of a field lattice over those of the background, at least, for it to be seen."""
_NEAR_FULL: Final = 0.8


@dataclass(frozen=True, eq=False)
class SynthWafer:
    """One synthetic wafer: ``dies`` uint8 [rows, cols] and ``zones`` bool [C, rows, cols].

    ``classes`` are those with a zone, in channel order; ``patterns`` the image labels the wafer
    deserves; ``reticle`` the exposure field, when the wafer says so.
    """

    dies: DieGrid
    zones: BoolGrid = field(repr=False)
    classes: tuple[str, ...]
    patterns: tuple[str, ...]
    reticle: Reticle | None = None

    @property
    def masks(self) -> BoolGrid:
        """Failing dies of each zone, bool [C, rows, cols]."""
        masks: BoolGrid = self.zones & (self.dies == FAIL)
        return masks

    def to_wafermap(self, wafer_id: str = "") -> WaferMap:
        """Return the wafer as readers give it, labelled with its patterns."""
        return WaferMap(
            self.dies,
            wafer_id=wafer_id,
            reticle=self.reticle,
            patterns=self.patterns,
            source=Source("synth"),
        )


def generate(seed: int, count: int, config: SynthConfig | None = None) -> Iterator[SynthWafer]:
    """Yield ``count`` wafers; the n-th depends on ``seed`` and n alone.

    >>> [wafer.dies.shape for wafer in generate(7, 2)] == [w.dies.shape for w in generate(7, 2)]
    True
    """
    for index in range(count):
        yield build_wafer(np.random.default_rng((seed, index)), config)


def build_wafer(
    rng: np.random.Generator,
    config: SynthConfig | None = None,
    *,
    shape: tuple[int, int] | None = None,
    classes: Sequence[str] | None = None,
) -> SynthWafer:
    """Return one wafer, of a given ``shape`` and with given ``classes`` if so asked.

    A class for which no room is found within `SynthConfig.tries` is left out, so compare
    ``SynthWafer.classes`` with what was asked. Raises InputError for a shape outside 8 to 4,096
    dies a side and ConfigError for an unknown class.
    """
    config = config or SynthConfig()
    grid = build_grid(_checked(shape) if shape else _draw_shape(rng, config), _outline(rng))
    wanted = _draw_classes(rng, config) if classes is None else tuple(classes)
    for name in wanted:
        config.taxonomy.channel(name)
    scene = Scene(
        grid=grid,
        present=draw_present(rng, grid, config),
        reticle=draw_reticle(rng, grid.shape),
        config=config,
        dense="random" in wanted,
    )
    density = draw_density(rng, grid, config, patterned=bool(wanted))
    for name in wanted:
        if name in _HIGHEST_DENSITY:
            density = min(density, rng.uniform(0, _HIGHEST_DENSITY[name]))
    background = draw_background(rng, grid, scene.present, density)
    placed = _place(rng, scene, background, wanted)
    fails = background.fails.copy()
    for layer in placed:
        fails |= layer.fails
    known = rng.random() < config.reticle_share
    return _finish(scene, placed, fails, scene.reticle if known else None)


@dataclass(frozen=True, eq=False)
class _Placed:
    """A layer that found its place, and the fails drawn from it."""

    layer: Layer
    fails: BoolGrid


def _place(
    rng: np.random.Generator, scene: Scene, background: Background, wanted: Sequence[str]
) -> list[_Placed]:
    """Return a layer per wanted class that a person could tell; gradients first, random last."""
    order = [name for name in rng.permutation(list(wanted)) if name in DRAWERS] if wanted else []
    order.sort(key=lambda name: name != "etching")
    placed: list[_Placed] = []
    for name in order:
        for _ in range(scene.config.tries):
            layer = DRAWERS[name](rng, scene)
            if layer is None or not _clear(layer, placed, background, scene.config):
                continue
            candidate = _Placed(layer, _sample(rng, layer.prob))
            if _visible(candidate, scene.config.taxonomy):
                placed.append(candidate)
                break
    if "random" in wanted:
        taken = np.zeros(scene.grid.shape, dtype=bool)
        for one in placed:
            taken |= one.layer.zone
        for _ in range(scene.config.tries):
            layer = draw_random(rng, scene, taken, 0.6 if placed else 1.0)
            candidate = _Placed(layer, _sample(rng, layer.prob))
            if not layer.zone.any() or candidate.fails[layer.zone].mean() < RANDOM_SHARE:
                continue
            if _none_hidden(layer, placed, background, scene.config):
                return [*placed, candidate]
    return placed


def _sample(rng: np.random.Generator, prob: FloatGrid) -> BoolGrid:
    fails: BoolGrid = rng.random(prob.shape, dtype=np.float32) < prob
    return fails


def _clear(
    layer: Layer, placed: Sequence[_Placed], background: Background, config: SynthConfig
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
    layer: Layer, placed: Sequence[_Placed], background: Background, config: SynthConfig
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


def _visible(candidate: _Placed, taxonomy: Taxonomy) -> bool:
    name = candidate.layer.name
    least = max(_LEAST_FAILS.get(name, 4), taxonomy.classes[taxonomy.channel(name)].min_dies)
    failing = int(np.count_nonzero(candidate.fails & candidate.layer.zone))
    share = failing / max(1, int(np.count_nonzero(candidate.layer.zone)))
    return failing >= least and (name == "etching" or share >= _LEAST_SHARE)


def _finish(
    scene: Scene, placed: Sequence[_Placed], fails: BoolGrid, reticle: Reticle | None
) -> SynthWafer:
    taxonomy = scene.config.taxonomy
    zones = np.zeros((len(taxonomy.classes), *scene.grid.shape), dtype=bool)
    for one in placed:
        zones[taxonomy.channel(one.layer.name)] = one.layer.zone
    dies = scene.present.astype(np.uint8) * PASS
    dies[fails & scene.present] = FAIL
    present = {one.layer.name for one in placed}
    classes = tuple(name for name in taxonomy.class_names if name in present)
    edge = zones[taxonomy.channel("edge")] if "edge" in present else None
    rate = float((dies == FAIL).sum() / max(1, scene.present.sum()))
    return SynthWafer(
        dies=dies,
        zones=zones,
        classes=classes,
        patterns=_labels(scene.grid, taxonomy, classes, edge, rate),
        reticle=reticle,
    )


def _labels(
    grid: Grid,
    taxonomy: Taxonomy,
    classes: Sequence[str],
    edge: BoolGrid | None,
    rate: float,
) -> tuple[str, ...]:
    """Return the image labels that go with the classes, in the taxonomy's order."""
    labels = {p for p, name in taxonomy.pattern_class.items() if name in classes}
    if edge is not None:
        closed = angular_cover(grid, edge) >= 270
        labels.discard("Edge-Loc" if closed else "Edge-Ring")
    if "random" in classes:
        labels.discard("Random" if rate >= _NEAR_FULL else "Near-full")
    return tuple(p for p in taxonomy.patterns if p in labels)


def _draw_classes(rng: np.random.Generator, config: SynthConfig) -> tuple[str, ...]:
    weights = np.asarray(config.count_weights, dtype=float)
    count = int(rng.choice(len(weights), p=weights / weights.sum()))
    names = [name for name, weight in config.class_weights.items() if weight > 0]
    shares = np.asarray([config.class_weights[name] for name in names], dtype=float)
    count = min(count, len(names))
    drawn = rng.choice(len(names), count, replace=False, p=shares / shares.sum())
    wanted = tuple(names[index] for index in drawn)
    if "random" not in wanted or count == 1 or rng.random() < config.random_mixed_share:
        return wanted
    if rng.random() < 1 / count:
        return ("random",)
    return tuple(name for name in wanted if name != "random")


def _draw_shape(rng: np.random.Generator, config: SynthConfig) -> tuple[int, int]:
    """Return a grid: mostly near square, some with dies up to 2.5 times longer than wide."""
    low, high = config.side_range
    if rng.random() < config.large_share:
        low, high = config.large_side_range
    side = np.exp(rng.uniform(np.log(low), np.log(high)))
    spread = 0.35 if rng.random() < 0.08 else 0.05
    stretch = np.exp(np.clip(rng.normal(0, spread), -0.9, 0.9) / 2)
    rows, cols = (int(np.clip(round(s), low, high)) for s in (side * stretch, side / stretch))
    return _checked((rows, cols))


def _outline(rng: np.random.Generator) -> int:
    return int(rng.integers(OUTLINES))


def _checked(shape: tuple[int, int]) -> tuple[int, int]:
    rows, cols = (int(side) for side in shape)
    if min(rows, cols) < MIN_SIDE or max(rows, cols) > MAX_SIDE:
        raise InputError(
            f"Expected a shape with sides of {MIN_SIDE} to {MAX_SIDE} dies, got {rows}x{cols}. "
            "Give a larger or smaller grid."
        )
    return rows, cols
