"""Wafers as textbooks draw them: plain shapes over noise, one of a kind, alone and mixed.

`build_wafer` varies each mechanism as far as its definition goes, and asks where patterns hide each
other; other people's wafers are plainer. `LABELLED` keeps to the habits of MixedWM38, as its
training maps show them, though none of its wafers is used: dies that fail all over, thin rings
along the rim, closed (Edge-Ring) or up to 300 degrees (Edge-Loc), ragged clusters near it, long
thin scratches. `EVERY_CLASS` has shapes for all eight defect classes: the plain wafers of reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import FAIL, PASS
from waferscope.synth.generate import NEAR_FULL, SynthWafer
from waferscope.synth.grid import OUTLINES, BoolGrid, Grid, build_grid
from waferscope.synth.patterns.plain import SHAPES, Shape

SIDE: Final = 52
"""Rows of half of the wafers where no shape is given; those of the others lie within `SIDES`."""
SIDES: Final = (44, 60)


@dataclass(frozen=True, slots=True)
class Habits:
    """What is drawn, and how often.

    ``kinds`` are shares of wafers and the shapes of which such a wafer has one; each kind is drawn
    by itself. A wafer of the share ``excursions`` has an excursion and no other shape. A share
    ``noisy`` of all wafers fails at rates of 0 to 0.26, the rest at up to 0.06.
    """

    kinds: tuple[tuple[float, tuple[str, ...]], ...]
    noisy: float
    excursions: float = 0.0


LABELLED: Final = Habits(
    kinds=(
        (0.55, ("disc", "annulus")),
        (0.60, ("arc", "closed ring")),
        (0.42, ("ragged cluster",)),
        (0.45, ("line",)),
    ),
    noisy=0.8,
)
EVERY_CLASS: Final = Habits(
    kinds=(
        (0.24, ("disc", "annulus")),
        (0.24, ("arc", "closed ring", "chunk")),
        (0.20, ("clusters",)),
        (0.22, ("line",)),
        (0.16, ("repeater", "repeater", "fields")),
        (0.13, ("gradient",)),
    ),
    noisy=0.4,
    excursions=0.07,
)
_NOISE: Final = 0.26
_CALM: Final = 0.06
_TRIES: Final = 8
_FEWEST: Final = 8


def draw_textbook(
    rng: np.random.Generator, shape: tuple[int, int] | None = None, habits: Habits = LABELLED
) -> SynthWafer:
    """Return a wafer with at most one shape of each kind, and its exact zones.

    Without a ``shape`` it has 44 to 60 dies a side.
    """
    grid = build_grid(shape or _draw_shape(rng), int(rng.integers(OUTLINES)))
    highest = _NOISE if rng.random() < habits.noisy else _CALM
    fails: BoolGrid = rng.random(grid.shape) < rng.uniform(0.0, highest)
    zones = np.zeros((len(DEFAULT_TAXONOMY.classes), *grid.shape), dtype=bool)
    labels: set[str | None] = set()
    for drawn in _draw_shapes(rng, habits):
        layer = _lay(rng, grid, drawn)
        if layer is None:
            continue
        zone, hit = layer
        fails |= hit
        zones[DEFAULT_TAXONOMY.channel(drawn.class_name)] |= zone
        labels.add(drawn.label)
    dies = np.where(grid.on, np.where(fails, FAIL, PASS), 0).astype(np.uint8)
    if "Random" in labels and np.mean(dies[grid.on] == FAIL) >= NEAR_FULL:
        labels = {"Near-full"}
    names = DEFAULT_TAXONOMY.class_names
    return SynthWafer(
        dies=dies,
        zones=zones,
        classes=tuple(name for name, zone in zip(names, zones, strict=True) if zone.any()),
        patterns=tuple(label for label in DEFAULT_TAXONOMY.patterns if label in labels),
    )


def _draw_shapes(rng: np.random.Generator, habits: Habits) -> list[Shape]:
    if habits.excursions and rng.random() < habits.excursions:
        return [SHAPES["excursion"]]
    return [
        SHAPES[names[int(rng.integers(len(names)))]]
        for share, names in habits.kinds
        if rng.random() < share
    ]


def _draw_shape(rng: np.random.Generator) -> tuple[int, int]:
    rows = SIDE if rng.random() < 0.5 else int(rng.integers(SIDES[0], SIDES[1] + 1))
    cols = rows if rng.random() < 0.7 else int(np.clip(rows + rng.integers(-6, 7), *SIDES))
    return rows, cols


def _lay(rng: np.random.Generator, grid: Grid, shape: Shape) -> tuple[BoolGrid, BoolGrid] | None:
    """Return the zone of a shape and the dies that fail by it, or None where it has no room."""
    for _ in range(_TRIES):
        zone, chance = shape.draw(rng, grid)
        zone &= grid.on
        hit: BoolGrid = (rng.random(grid.shape) < chance) & grid.on
        if np.count_nonzero(hit & zone) >= min(_FEWEST, max(5, round(0.35 / grid.pitch))):
            return zone, hit
    return None
