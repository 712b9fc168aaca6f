"""Which failing dies of a real wafer belong to the pattern that its label names.

The one label of a single-pattern wafer says what to look for; the zone is where fails are denser
than the wafer's own background, found by hysteresis, and its connected regions are chosen by the
geometry of the label. Scratches are followed as lines (`lines.py`). What is neither clearly in
nor clearly out is set aside. Constants were chosen on hand-checked masks of WM-811K wafers.

Axes: R rows, C columns, N regions (0 is the outside), L depth layers, S sectors of the rim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from waferscope.domain.grid import rho_theta
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import FAIL, DieGrid
from waferscope.errors import ConfigError
from waferscope.synth.lines import find_lines
from waferscope.synth.neighbourhood import fail_density, rim_depth

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.intp]
Vector = npt.NDArray[np.float64]

SIGMA: Final = 1.0
"""Scale of the fail density, in dies: narrow enough for a cluster of seven dies."""
GROW: Final = 0.20
"""A zone ends where the density falls below this share of the way from background to 1."""
SEED: Final = 0.40
"""A zone must reach this share of the way somewhere."""
EVIDENCE: Final[Mapping[str, float]] = {
    "Center": 5.0,
    "Donut": 10.0,
    "Edge-Loc": 12.0,
    "Edge-Ring": 40.0,
    "Loc": 8.0,
    "Scratch": 6.0,
}
"""Least `evidence`, in nats, to believe a label. Hand-checked wafers lie above. Of wafers labelled
none, nine in ten stay below, but only half do for Loc and Edge-Loc: many clusters are real and
never labelled, and both labels look for what stands out most."""
RIM_SECTOR: Final = 5.0
"""Rim dies per angular sector."""
RIM_LAYERS: Final = 8
"""Deepest layer a rim pattern is followed to; layer 1 touches the outside."""
RIM_CLOSED: Final = 0.4
"""Share of the rim's sectors that must fail before an Edge-Ring label is believed."""


def derive_masks(dies: DieGrid, pattern: str) -> tuple[Mask, Mask]:
    """Return ``(masks, ignore)`` of a real wafer that carries one pattern label, or ``none``.

    ``masks`` is bool ``[classes, rows, cols]`` in the default taxonomy's order with at most the
    label's own channel set, ``ignore`` bool ``[rows, cols]``: failing dies in the band around the
    zone and in second structures. Both are subsets of the failing dies and never overlap. Where
    nothing credible is found the masks are empty and every failing die is ignored.

    Raises ConfigError for a label that is neither a pattern of the default taxonomy nor ``none``.

    >>> dies = np.ones((21, 21), dtype=np.uint8)
    >>> dies[8:13, 8:13] = 2
    >>> masks, ignore = derive_masks(dies, "Center")
    >>> masks.sum(axis=(1, 2)).tolist(), int(ignore.sum())
    ([0, 25, 0, 0, 0, 0, 0, 0], 0)
    """
    if pattern not in ("none", *DEFAULT_TAXONOMY.patterns):
        raise ConfigError(
            f"Expected a pattern of {', '.join(DEFAULT_TAXONOMY.patterns)} or none, "
            f"got {pattern!r}. Derive masks from single-pattern labels only."
        )
    fails = dies == FAIL
    masks = np.zeros((len(DEFAULT_TAXONOMY.classes), *dies.shape), dtype=np.bool_)
    if pattern == "none":
        return masks, np.zeros(dies.shape, dtype=np.bool_)
    zone, unsure = _ZONES[pattern](_Scene(dies))
    mask = fails & zone
    if pattern in EVIDENCE and evidence(dies, mask) < EVIDENCE[pattern]:
        return masks, fails
    masks[DEFAULT_TAXONOMY.channel(DEFAULT_TAXONOMY.pattern_class[pattern])] = mask
    return masks, unsure & fails & ~mask


def pattern_zone(mask: Mask, present: Mask) -> Mask:
    """Return the zone of a pattern's failing dies: where they alone are dense enough for one.

    This is the zone `derive_masks` would find, were no other die failing.
    """
    return mask | (present & (fail_density(mask, present, SIGMA) >= GROW))


def evidence(dies: DieGrid, mask: Mask) -> float:
    """Return how much better two fail rates, in the zone and outside, explain it than one.

    Poisson log likelihood ratio, in nats: ``n log(n / m) - (n - m)`` for ``n`` fails in the zone
    where the rate outside leads one to expect ``m``; 0 for an empty mask or fewer than expected.
    """
    zone = pattern_zone(mask, dies > 0)
    inside, outside = dies[zone], dies[~zone & (dies > 0)]
    rate = (np.count_nonzero(outside == FAIL) + 1) / (outside.size + 2)
    found, expected = int(np.count_nonzero(inside == FAIL)), rate * inside.size
    if found <= expected:
        return 0.0
    return float(found * np.log(found / expected) - (found - expected))


class _Scene:
    """One wafer and what the zone finders ask of it, computed when asked for."""

    def __init__(self, dies: DieGrid) -> None:
        self.dies = dies
        self.fails: Mask = dies == FAIL
        self.present: Mask = dies > 0
        self.rho, self.theta = rho_theta(dies)

    @cached_property
    def background(self) -> float:
        """Fail share of the quiet part: a low quantile, as a pattern may fill half the wafer."""
        if not self.present.any():
            return 0.0
        smooth = fail_density(self.fails, self.present, 2.0)
        return min(float(np.quantile(smooth[self.present], 0.4)), 0.9)

    @cached_property
    def depth(self) -> npt.NDArray[np.int32]:
        return rim_depth(self.present)

    @cached_property
    def regions(self) -> _Regions:
        base = self.background
        density = fail_density(self.fails, self.present, SIGMA)
        dense = self.present & (density >= base + GROW * (1 - base))
        _, labels = cv2.connectedComponents(dense.astype(np.uint8), connectivity=8)
        flat = labels.ravel().astype(np.intp)
        count = int(flat.max()) + 1
        peak = np.zeros(count)
        np.maximum.at(peak, flat, density.ravel())
        seeded = peak >= base + SEED * (1 - base)
        seeded[0] = False
        return _Regions(labels.astype(np.intp), seeded)


@dataclass(frozen=True)
class _Regions:
    """Connected dense regions: ``labels`` ``[R, C]`` and whether each was ``seeded`` ``[N]``."""

    labels: Labels
    seeded: Mask

    def total(self, values: npt.NDArray[np.generic]) -> Vector:
        """Sum of ``values`` ``[R, C]`` over each region, ``[N]``."""
        weights = values.ravel().astype(np.float64)
        return np.bincount(self.labels.ravel(), weights, self.seeded.size).astype(np.float64)

    def excess(self, scene: _Scene) -> Vector:
        """Failing dies above what the background explains, 0 for regions without a seed."""
        surplus = np.where(scene.fails, 1.0, 0.0) - scene.background * scene.present
        return np.where(self.seeded, self.total(surplus), 0.0)

    def share(self, scene: _Scene, where: Mask) -> Vector:
        """Share of each region's failing dies that lie in ``where``."""
        return self.total(scene.fails & where) / np.maximum(self.total(scene.fails), 1)

    def pick(self, weight: Vector, share: float) -> tuple[Mask, Mask]:
        """Return the zone of regions within ``share`` of the heaviest, and what is unsure.

        Unsure are the dies next to the zone and the other seeded regions.
        """
        keep = self.seeded & (weight > 0) & (weight >= share * weight.max())
        zone = keep[self.labels]
        near = cv2.dilate(zone.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        return zone, near | self.seeded[self.labels]


def _center(scene: _Scene) -> tuple[Mask, Mask]:
    regions = scene.regions
    weight = regions.excess(scene) * regions.share(scene, scene.rho < 0.45)
    return regions.pick(weight, 0.4)


def _donut(scene: _Scene) -> tuple[Mask, Mask]:
    regions = scene.regions
    weight = regions.excess(scene) * regions.share(scene, scene.rho < 0.75)
    return regions.pick(weight, 0.2)


def _loc(scene: _Scene) -> tuple[Mask, Mask]:
    regions = scene.regions
    rim = regions.share(scene, scene.depth <= 2)
    weight = regions.excess(scene) * np.clip(1.3 - rim, 0.05, 1.0)
    return regions.pick(weight, 0.5)


def _edge_loc(scene: _Scene) -> tuple[Mask, Mask]:
    regions = scene.regions
    touching = regions.total(scene.fails & (scene.depth == 1)) >= 2
    return regions.pick(regions.excess(scene) * touching, 0.3)


def _edge_ring(scene: _Scene) -> tuple[Mask, Mask]:
    """Follow the rim by sectors: each has the depth down to which its layers are dense."""
    fails, present, depth = scene.fails, scene.present, scene.depth
    sectors = int(np.clip(np.count_nonzero(depth == 1) / RIM_SECTOR, 12, 180))
    turn = ((scene.theta + np.pi) / (2 * np.pi) * sectors).astype(np.intp)
    sector = np.minimum(turn, sectors - 1)
    near = present & (depth <= RIM_LAYERS)
    cell = (depth[near] - 1) * sectors + sector[near]
    size = RIM_LAYERS * sectors
    dies = np.bincount(cell, minlength=size).reshape(RIM_LAYERS, sectors)
    hits = np.bincount(cell, fails[near], size).reshape(RIM_LAYERS, sectors)
    rate = _spread(hits) / np.maximum(_spread(dies), 1)
    base = scene.background
    reach = np.cumprod(rate >= base + GROW * (1 - base), axis=0).sum(axis=0)
    nothing = np.zeros_like(fails)
    if np.mean(reach > 0) < RIM_CLOSED:
        return nothing, nothing
    core = fails & (depth <= reach[sector])
    step = fails & (depth <= reach[sector] + 1) & (reach[sector] > 0)
    _, labels = cv2.connectedComponents(step.astype(np.uint8), connectivity=8)
    attached = np.zeros(int(labels.max()) + 1, dtype=np.bool_)
    attached[labels[core]] = True
    zone = core | (step & attached[labels])
    return zone, (depth <= 2) | scene.regions.seeded[scene.regions.labels]


def _spread(layers: npt.NDArray[np.generic]) -> Vector:
    counts: Vector = layers.astype(np.float64)
    return np.add(counts, np.roll(counts, 1, axis=1) + np.roll(counts, -1, axis=1))


def _scratch(scene: _Scene) -> tuple[Mask, Mask]:
    return find_lines(scene.dies)


def _everywhere(scene: _Scene) -> tuple[Mask, Mask]:
    return scene.present, np.zeros_like(scene.present)


_ZONES: Final[dict[str, Callable[[_Scene], tuple[Mask, Mask]]]] = {
    "Center": _center,
    "Donut": _donut,
    "Edge-Loc": _edge_loc,
    "Edge-Ring": _edge_ring,
    "Loc": _loc,
    "Scratch": _scratch,
    "Random": _everywhere,
    "Near-full": _everywhere,
}
