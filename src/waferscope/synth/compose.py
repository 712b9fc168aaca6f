"""Mixtures of real wafers: derived patterns laid over real backgrounds of the same grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import FAIL, PASS, DieGrid
from waferscope.errors import InputError
from waferscope.synth.derive import derive_masks, pattern_zone
from waferscope.synth.generate import SynthWafer

Mask = npt.NDArray[np.bool_]
Shape = tuple[int, int]

MOST_LAYERS: Final = 4
LAYER_SHARES: Final = (0.3, 0.4, 0.2, 0.1)
"""How often `Pool.draw` lays 1, 2, 3 and 4 patterns."""
MOST_OVERLAP: Final = 0.5
"""A pattern with more of its dies inside another than this cannot be told from it."""
TRIES: Final = 4
"""Mixtures drawn before fewer layers are tried."""
_ALONE: Final = "random"


@dataclass(frozen=True, eq=False)
class Donor:
    """A real single-pattern wafer: which of its failing dies, bool ``[rows, cols]``, are it.

    ``ignore`` marks the failing dies of which nobody can tell.
    """

    dies: DieGrid
    pattern: str
    mask: Mask
    ignore: Mask

    @property
    def class_name(self) -> str:
        """The defect class of the pattern."""
        return DEFAULT_TAXONOMY.pattern_class[self.pattern]

    def erased(self, rng: np.random.Generator) -> DieGrid:
        """Return the wafer without its pattern: those dies fail as often as all others do."""
        doubtful = self.mask | self.ignore
        rest = (self.dies > 0) & ~doubtful
        rate = float(np.mean(self.dies[rest] == FAIL)) if rest.any() else 0.0
        dies = self.dies.copy()
        chance = rng.random(np.count_nonzero(doubtful)) < rate
        dies[doubtful] = np.where(chance, FAIL, PASS)
        return dies


def build_donor(dies: DieGrid, pattern: str) -> Donor | None:
    """Return the donor that a labelled wafer makes, or None where its label is not believed."""
    masks, ignore = derive_masks(dies, pattern)
    mask: Mask = np.any(masks, axis=0)
    return Donor(dies, pattern, mask, ignore) if mask.any() else None


def compose(rng: np.random.Generator, background: DieGrid, layers: Sequence[Donor]) -> SynthWafer:
    """Lay the patterns of 1 to 4 donors over the dies of a wafer without a pattern.

    Each donor is mirrored or turned at random so that the shape stays. Its pattern's fails are
    added; its other fails, and those to ignore, are not; dies that ``background`` lacks stay
    away, and so does a layer that would lose more than half of its dies by that. A zone is where
    a donor's pattern is as dense as `derive_masks` asks of a real one, so a background fail in
    its midst belongs to it, and ``masks`` are exact.

    Raises InputError for no or too many layers, another grid shape, two donors of one class, or
    ``random`` beside others.
    """
    _check(background, layers)
    present = background > 0
    fails = background == FAIL
    zones = np.zeros((len(DEFAULT_TAXONOMY.classes), *background.shape), dtype=np.bool_)
    laid = set()
    for donor in layers:
        mask = _turned(rng, donor.mask) & present
        if 2 * np.count_nonzero(mask) < np.count_nonzero(donor.mask):
            continue
        laid.add(donor.pattern)
        fails |= mask
        zones[DEFAULT_TAXONOMY.channel(donor.class_name)] = _zone(mask, present, donor)
    names = DEFAULT_TAXONOMY.class_names
    return SynthWafer(
        dies=np.where(fails, np.uint8(FAIL), background),
        zones=zones,
        classes=tuple(name for name, zone in zip(names, zones, strict=True) if zone.any()),
        patterns=tuple(label for label in DEFAULT_TAXONOMY.patterns if label in laid),
    )


@dataclass(frozen=True)
class Pool:
    """Real wafers by grid shape: donors by pattern, and the dies of wafers without a pattern."""

    donors: Mapping[Shape, Mapping[str, tuple[Donor, ...]]]
    backgrounds: Mapping[Shape, tuple[DieGrid, ...]]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Grid shapes with a donor, sorted."""
        return tuple(sorted(self.donors))

    def draw(self, rng: np.random.Generator, shape: Shape | None = None) -> SynthWafer:
        """Return a mixture of 1 to 4 donors, patterns drawn evenly and classes never twice.

        Without a ``shape``, one is drawn by the square root of its donors. Where no wafer
        without a pattern has the shape, the background is that of another donor, its pattern
        erased. Mixtures in which one pattern hides another are drawn again. Raises InputError
        for a shape without donors.
        """
        shape = self._draw_shape(rng) if shape is None else shape
        if shape not in self.donors:
            raise InputError(
                f"Expected a grid shape that the pool has donors for, got {shape}. "
                "Draw one of Pool.shapes."
            )
        most = 1 + int(rng.choice(MOST_LAYERS, p=LAYER_SHARES))
        for count in range(most, 1, -1):
            for _ in range(TRIES):
                wafer = self._mixture(rng, shape, count)
                if _told_apart(wafer.masks):
                    return wafer
        return self._mixture(rng, shape, 1)

    def _draw_shape(self, rng: np.random.Generator) -> Shape:
        if not self.donors:
            raise InputError("Expected a pool with a donor, got none. Give it labelled wafers.")
        counts = [sum(map(len, self.donors[shape].values())) for shape in self.shapes]
        weight = np.sqrt(counts)
        return self.shapes[int(rng.choice(len(counts), p=weight / weight.sum()))]

    def _mixture(self, rng: np.random.Generator, shape: Shape, count: int) -> SynthWafer:
        layers: dict[str, Donor] = {}
        donors = self.donors[shape]
        for index in rng.permutation(len(donors)):
            pattern = tuple(donors)[index]
            name = DEFAULT_TAXONOMY.pattern_class[pattern]
            if name in layers or (name == _ALONE and layers):
                continue
            layers[name] = donors[pattern][int(rng.integers(len(donors[pattern])))]
            if len(layers) == count or name == _ALONE:
                break
        return compose(rng, self._background(rng, shape), tuple(layers.values()))

    def _background(self, rng: np.random.Generator, shape: Shape) -> DieGrid:
        plain = self.backgrounds.get(shape, ())
        if plain:
            return plain[int(rng.integers(len(plain)))]
        calm = [
            donor
            for pattern, donors in self.donors[shape].items()
            if DEFAULT_TAXONOMY.pattern_class[pattern] != _ALONE
            for donor in donors
        ]
        if not calm:
            first = next(iter(self.donors[shape].values()))[0]
            return np.where(first.dies > 0, np.uint8(PASS), np.uint8(0))
        return calm[int(rng.integers(len(calm)))].erased(rng)


def build_pool(wafers: Iterable[tuple[DieGrid, str]]) -> Pool:
    """Derive masks of labelled wafers, ``(dies, pattern)`` or ``(dies, "none")``, and index them.

    Wafers whose label is not believed are left out. Raises ConfigError for an unknown label.
    """
    donors: dict[Shape, dict[str, list[Donor]]] = {}
    backgrounds: dict[Shape, list[DieGrid]] = {}
    for dies, pattern in wafers:
        shape = (dies.shape[0], dies.shape[1])
        if pattern == "none":
            backgrounds.setdefault(shape, []).append(dies)
            continue
        donor = build_donor(dies, pattern)
        if donor is not None:
            donors.setdefault(shape, {}).setdefault(pattern, []).append(donor)
    return Pool(
        {s: {p: tuple(found) for p, found in kinds.items()} for s, kinds in donors.items()},
        {s: tuple(found) for s, found in backgrounds.items()},
    )


def _check(background: DieGrid, layers: Sequence[Donor]) -> None:
    if not 1 <= len(layers) <= MOST_LAYERS:
        raise InputError(
            f"Expected 1 to {MOST_LAYERS} layers, got {len(layers)}. Give fewer donors."
        )
    other = [donor.dies.shape for donor in layers if donor.dies.shape != background.shape]
    if other:
        raise InputError(
            f"Expected donors of the background's grid {background.shape}, got {other[0]}. "
            "Draw them from one shape of a pool."
        )
    names = [donor.class_name for donor in layers]
    if len(set(names)) < len(names) or (_ALONE in names and len(names) > 1):
        raise InputError(
            f"Expected each class once and {_ALONE} alone, got {', '.join(names)}. "
            "Give donors of different classes."
        )


def _turned(rng: np.random.Generator, mask: Mask) -> Mask:
    """One of the symmetries that keep the shape: 8 of a square, 4 of another rectangle."""
    if rng.random() < 0.5:
        mask = mask[::-1]
    if rng.random() < 0.5:
        mask = mask[:, ::-1]
    if mask.shape[0] == mask.shape[1] and rng.random() < 0.5:
        mask = mask.T
    return mask


def _zone(mask: Mask, present: Mask, donor: Donor) -> Mask:
    if donor.class_name == _ALONE:
        return present
    return pattern_zone(mask, present)


def _told_apart(masks: Mask) -> bool:
    """Whether no pattern lies mostly inside another."""
    there = [mask for mask in masks if mask.any()]
    return all(
        np.count_nonzero(one & two)
        <= MOST_OVERLAP * min(np.count_nonzero(one), np.count_nonzero(two))
        for one, two in combinations(there, 2)
    )
