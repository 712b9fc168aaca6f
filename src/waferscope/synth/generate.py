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
from waferscope.synth.grid import OUTLINES, BoolGrid, Grid, build_grid, draw_present
from waferscope.synth.patterns import Scene, angular_cover, draw_reticle
from waferscope.synth.place import Placed, place

MIN_SIDE: Final = 8
"""Smallest side of a synthetic wafer, in dies; below it no pattern has room."""
_HIGHEST_DENSITY: Final = {"etching": 0.12, "random": 0.12, "lithography": 0.2}
"""Background under which a class can still be told; lower ones are drawn up to it."""
NEAR_FULL: Final = 0.8
"""Fail rate from which a wafer that fails all over is Near-full."""


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


@dataclass(frozen=True, eq=False)
class Drawn:
    """A synthetic wafer with what it was drawn from: its background and the layers over it."""

    wafer: SynthWafer
    background: Background
    placed: tuple[Placed, ...]


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
    return draw_wafer(rng, config, shape=shape, classes=classes).wafer


def draw_wafer(
    rng: np.random.Generator,
    config: SynthConfig | None = None,
    *,
    shape: tuple[int, int] | None = None,
    classes: Sequence[str] | None = None,
) -> Drawn:
    """Return the wafer that `build_wafer` returns, and what it was drawn from."""
    config = config or SynthConfig()
    grid = build_grid(_checked(shape) if shape else _draw_shape(rng, config), _outline(rng))
    wanted = _draw_classes(rng, config) if classes is None else tuple(dict.fromkeys(classes))
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
    placed = place(rng, scene, background, wanted)
    fails = background.fails.copy()
    for layer in placed:
        fails |= layer.fails
    known = rng.random() < config.reticle_share
    wafer = _finish(scene, placed, fails, scene.reticle if known else None)
    return Drawn(wafer, background, tuple(placed))


def _finish(
    scene: Scene, placed: Sequence[Placed], fails: BoolGrid, reticle: Reticle | None
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
        labels.discard("Random" if rate >= NEAR_FULL else "Near-full")
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
