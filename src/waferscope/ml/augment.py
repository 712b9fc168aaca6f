"""What may happen to a wafer without changing what it shows: symmetries and strong noise.

Pure functions of dies and a generator. Whatever moves dies says from where, as flat indices, so
that targets and pseudo-masks are carried by the very same map. Shapes: C classes, P patterns,
rows and cols the die grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.grid import rho_theta, unit_axes
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.domain.wafermap import FAIL, NO_DIE, PASS, DieGrid
from waferscope.infer.fold import find_field
from waferscope.ml.data import Sample, Targets

Source = npt.NDArray[np.int64]

THINNED: Final = 0.2
"""Share of wafers that lose some dies."""
MOST_THINNED: Final = 0.04
UNKNOWN: Final = -1
INWARDS: Final = (1.0, 0.95, 0.9, 0.8)
"""Radii tried, in shares of a die's own, where turning the wafer would look off its stepped rim."""
FEWEST_PASTED: Final = 3
MOST_FAILING: Final = 0.35
"""Fail rate from which a wafer counts as `random`, over which no pattern is laid."""
ALIKE: Final = 1.5
"""Most by which the sides of two wafers may differ for one's pattern to be laid on the other."""
_ALONE: Final = "random"
_LATTICE: Final = "lithography"


@dataclass(frozen=True, slots=True)
class StrongConfig:
    """How wafers are changed strongly: shares are of wafers, rates of dies.

    ``share`` of the wafers are changed at all. Of these, ``turned`` are turned by any angle
    (never one whose fails repeat by exposure field), ``dropped`` lose up to ``most_dropped`` of
    their dies, ``noisy`` have up to ``most_false`` of their passing dies fail and up to
    ``most_missed`` of their failing ones pass, and ``pasted`` get a pattern of another wafer.
    """

    share: float = 1.0
    turned: float = 0.4
    dropped: float = 0.5
    most_dropped: float = 0.15
    noisy: float = 0.5
    most_false: float = 0.06
    most_missed: float = 0.2
    pasted: float = 0.3


@dataclass(frozen=True, eq=False)
class View:
    """A wafer changed, and what that does to anything known of the original's dies.

    ``source`` [rows, cols] is the flat index of the original's die whose zones hold here.
    ``laid`` int8 [C, rows, cols] is 1 in the zone of a pattern laid on top, else -1; ``labels``
    int8 [P] is 1 for its label, else 0.
    """

    dies: DieGrid
    source: Source
    laid: Targets
    labels: Targets

    @property
    def moved(self) -> bool:
        """Whether any die lies elsewhere than in the original."""
        return not np.array_equal(self.source.ravel(), np.arange(self.source.size))


def turn(array: npt.NDArray[Any], turns: int, mirror: bool) -> npt.NDArray[Any]:
    """Return the last two axes mirrored left to right, then turned by quarters.

    >>> turn(np.array([[1, 2], [3, 4]]), 1, False).tolist()
    [[2, 4], [1, 3]]
    """
    turned = array[..., ::-1] if mirror else array
    return np.rot90(turned, turns, axes=(-2, -1))


def augment(sample: Sample, rng: np.random.Generator) -> Sample:
    """Turn or mirror the wafer (8 symmetries) and sometimes take dies away."""
    turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
    dies, target = (turn(array, turns, mirror) for array in (sample.dies, sample.target))
    reticle = sample.reticle
    if turns or mirror:
        reticle = None
    if rng.random() < THINNED:
        gone = rng.random(dies.shape) < rng.uniform(0.0, MOST_THINNED)
        dies = np.where(gone, np.uint8(0), dies)
        target = np.where(gone, np.int8(-1), target)
    return replace(sample, dies=dies, target=target, reticle=reticle)


def strengthen(
    sample: Sample, rng: np.random.Generator, config: StrongConfig, donor: Sample | None = None
) -> Sample:
    """Return the sample changed strongly, its targets carried along; dies taken away are unknown.

    ``donor`` may lend one of its patterns.
    """
    if rng.random() >= config.share:
        return sample
    lattice = DEFAULT_TAXONOMY.channel(_LATTICE)
    view = strong_view(
        sample.dies, rng, config, donor, may_turn=not (sample.target[lattice] == 1).any()
    )
    target = carry(sample.target, view.source)
    target = np.where(view.laid >= 0, view.laid, target)
    target[:, view.dies == NO_DIE] = UNKNOWN
    return replace(
        sample,
        dies=view.dies,
        target=target,
        patterns=np.where(view.labels == 1, np.int8(1), sample.patterns),
        reticle=None if view.moved else sample.reticle,
    )


def strong_view(
    dies: DieGrid,
    rng: np.random.Generator,
    config: StrongConfig,
    donor: Sample | None = None,
    *,
    may_turn: bool = True,
) -> View:
    """Return a strongly changed wafer: turned, with a pattern laid on it, noisy and thinned."""
    source = np.arange(dies.size, dtype=np.int64).reshape(dies.shape)
    if rng.random() < config.turned and may_turn and find_field(dies) is None:
        source = rotation(dies, float(rng.uniform(0.0, 2.0 * np.pi)))
    changed = dies.ravel()[source]
    laid = np.full((len(DEFAULT_TAXONOMY.classes), *dies.shape), UNKNOWN, np.int8)
    labels = np.zeros(len(DEFAULT_TAXONOMY.patterns), np.int8)
    if donor is not None and rng.random() < config.pasted:
        changed, laid, labels = paste(changed, donor, rng)
    if rng.random() < config.noisy:
        rates = rng.uniform(0.0, (config.most_false, config.most_missed))
        changed = flip(changed, rng, float(rates[0]), float(rates[1]))
    if rng.random() < config.dropped:
        changed = drop(changed, rng, float(rng.uniform(0.0, config.most_dropped)))
    return View(changed, source, laid, labels)


def carry(planes: npt.NDArray[np.int8], source: Source) -> npt.NDArray[np.int8]:
    """Return int8 ``[..., rows, cols]`` taken from where ``source`` says, -1 where it is negative.

    >>> carry(np.array([[[0, 1]]], np.int8), np.array([[1, -1]])).tolist()
    [[[1, -1]]]
    """
    flat = planes.reshape(*planes.shape[:-2], -1)
    taken = flat[..., np.maximum(source, 0)]
    return np.where(source < 0, np.int8(UNKNOWN), taken)


def rotation(dies: DieGrid, angle: float) -> Source:
    """Return from which die each takes its state when the wafer is turned by ``angle`` radians.

    The wafer is turned as the unit disc that it is, counter-clockwise; its outline and missing
    dies stay. A die whose origin is off the stepped rim looks further inwards, and a die that
    finds none, or is none, keeps its own place.
    """
    rows, cols = dies.shape
    source = np.arange(dies.size, dtype=np.int64).reshape(dies.shape)
    if min(rows, cols) < 2:
        return source
    up, right = unit_axes(dies)
    rho, theta = rho_theta(dies)
    searching = dies > 0
    for inwards in INWARDS:
        y, x = (rho * inwards * f(theta - angle) for f in (np.sin, np.cos))
        row = np.rint((up[0] - y) / (up[0] - up[1])).astype(np.int64)
        col = np.rint((x - right[0]) / (right[1] - right[0])).astype(np.int64)
        inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
        row, col = np.clip(row, 0, rows - 1), np.clip(col, 0, cols - 1)
        found = searching & inside & (dies[row, col] > 0)
        source[found] = (row * cols + col)[found]
        searching &= ~found
    return source


def drop(dies: DieGrid, rng: np.random.Generator, rate: float) -> DieGrid:
    """Take each die away with a chance of ``rate``."""
    return np.where(rng.random(dies.shape) < rate, np.uint8(NO_DIE), dies)


def flip(dies: DieGrid, rng: np.random.Generator, false: float, missed: float) -> DieGrid:
    """Let passing dies fail with a chance of ``false`` and failing ones pass with ``missed``."""
    draw = rng.random(dies.shape)
    fails = (dies == PASS) & (draw < false)
    passes = (dies == FAIL) & (draw < missed)
    return np.where(fails, np.uint8(FAIL), np.where(passes, np.uint8(PASS), dies))


def paste(
    dies: DieGrid,
    donor: Sample,
    rng: np.random.Generator,
    taxonomy: Taxonomy = DEFAULT_TAXONOMY,
) -> tuple[DieGrid, Targets, Targets]:
    """Lay one class of ``donor`` over a wafer: CutMix by mask instead of by box.

    Returns the dies, what is known of them, int8 [C, rows, cols] (1 in the zone laid, else -1),
    and the donor's labels of that class, int8 [P]. The donor's grid is stretched to the wafer's.
    Nothing is laid when the grids are unlike, when too few failing dies would be, or over a wafer
    that fails all over; `random` is never laid, and a lattice of fields is not stretched.
    """
    laid = np.full((len(taxonomy.classes), *dies.shape), UNKNOWN, np.int8)
    labels = np.zeros(len(taxonomy.patterns), np.int8)
    channels = _lendable(donor, dies.shape, taxonomy)
    failing = np.count_nonzero(dies == FAIL) > MOST_FAILING * np.count_nonzero(dies)
    if failing or not len(channels):
        return dies, laid, labels
    channel = int(rng.choice(channels))
    sides = zip(dies.shape, donor.dies.shape, strict=True)
    cells = np.ix_(*(_stretch(own, other) for own, other in sides))
    zone = (donor.target[channel][cells] == 1) & (dies > 0)
    fails = zone & (donor.dies[cells] == FAIL)
    if np.count_nonzero(fails) < FEWEST_PASTED:
        return dies, laid, labels
    laid[channel][zone] = 1
    name = taxonomy.class_names[channel]
    own = [taxonomy.pattern_class.get(p) == name for p in taxonomy.patterns]
    labels[own] = donor.patterns[own] == 1
    return np.where(fails, np.uint8(FAIL), dies), laid, labels


def _lendable(donor: Sample, shape: tuple[int, ...], taxonomy: Taxonomy) -> npt.NDArray[np.intp]:
    """Return the channels of a donor that may be laid on a wafer of a shape."""
    ratios = [a / b for a, b in zip(shape, donor.dies.shape, strict=True)]
    if max(*ratios, *(1.0 / r for r in ratios)) > ALIKE:
        return np.zeros(0, np.intp)
    there = (donor.target == 1).any(axis=(1, 2))
    barred = {_ALONE} if donor.dies.shape == shape else {_ALONE, _LATTICE}
    for channel, name in enumerate(taxonomy.class_names):
        there[channel] &= name not in barred
    return np.flatnonzero(there)


def _stretch(own: int, other: int) -> npt.NDArray[np.intp]:
    """Return for each of ``own`` cells the nearest of ``other`` cells along the same side."""
    return ((np.arange(own) + 0.5) * other / own).astype(np.intp)
