"""Exposure fields: how often the position of each die fails over all fields of the wafer.

A mask defect fails at the same position of every exposure field (reticle), far apart on the wafer.
`fold_rates` makes that long-range fact local: one number per die. The field comes from the wafer's
own reticle or is found here.

Finding it. ``residual`` is fail minus the local fail rate, so that blobs, rings and gradients
cannot fake a period. The residual is summed per field position for every candidate field of
2 x 2 to 16 x 16 dies at once, as two products with 0/1 matrices. The sum of squares over the
positions of one candidate equals the autocorrelation of the residual summed over that candidate's
whole lattice of shifts. Over the residual's energy it is 1 for fails without order, with a
standard deviation of sqrt(2 / positions): the largest excess in those units is the field, since it
beats its own multiples by sqrt(2). It counts when a position of it fails in most fields and
more often than chance allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc

from waferscope.domain.wafermap import FAIL, DieGrid, Reticle

FloatGrid = npt.NDArray[np.float32]

MIN_FIELD: Final = 2
MAX_FIELD: Final = 16
WINDOW: Final = 5
"""Side of the square of dies that the local fail rate is taken over."""
MIN_FIELDS: Final = 4
"""Fields that the hottest position needs before it can be called a repeat."""
MIN_REPEAT: Final = 0.45
"""Share of its fields in which the hottest position must fail, at least."""
MIN_EXCESS: Final = 3.0
"""Excess of a candidate field, in standard deviations, that is worth testing."""
MAX_CHANCE: Final = 0.01
"""Chance, over every candidate and position, that fails without order repeat this well."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Indicators of one side: ``positions`` [sum of periods, side] and their ``starts``."""

    periods: npt.NDArray[np.int64]
    positions: FloatGrid
    starts: npt.NDArray[np.int64]


@lru_cache(maxsize=4096)
def _candidates(side: int) -> _Candidates | None:
    """Return the periods that fit a side at least twice, or None where none does."""
    periods = np.arange(MIN_FIELD, min(MAX_FIELD, side // 2) + 1)
    if not periods.size:
        return None
    index = np.arange(side)
    positions = np.concatenate([index % p == np.arange(p)[:, None] for p in periods])
    starts = np.concatenate([[0], np.cumsum(periods)[:-1]])
    return _Candidates(periods, positions.astype(np.float32), starts)


def find_field(dies: DieGrid) -> Reticle | None:
    """Return the exposure field that the failing dies repeat in, or None.

    The offsets are 0: a repeat tells the field's size, not where it starts.

    >>> dies = np.ones((24, 24), np.uint8)
    >>> dies[2::4, 1::6] = 2
    >>> find_field(dies)
    Reticle(rows=4, cols=6, row_offset=0, col_offset=0)
    """
    down, across = _candidates(dies.shape[0]), _candidates(dies.shape[1])
    fails, tested = _layers(dies)
    if down is None or across is None or np.count_nonzero(fails) < MIN_FIELDS:
        return None
    residual = _residual(fails, tested)
    energy = float(np.vdot(residual, residual))
    if energy <= 0.0:
        return None
    sums = down.positions @ residual @ across.positions.T
    sums *= sums
    lattice = np.add.reduceat(np.add.reduceat(sums, down.starts, 0), across.starts, 1)
    sizes = np.multiply.outer(down.periods, across.periods)
    excess = (lattice / energy - 1.0) * np.sqrt(sizes / 2.0)
    row, col = np.unravel_index(int(np.argmax(excess)), excess.shape)
    if excess[row, col] < MIN_EXCESS:
        return None
    field = Reticle(int(down.periods[row]), int(across.periods[col]))
    trials = int(down.periods.sum() * across.periods.sum())
    return field if _repeats(fails, tested, field, trials) else None


def fold_rates(dies: DieGrid, reticle: Reticle | None = None) -> FloatGrid:
    """Return for each die the fail rate of its field position over all fields.

    ``dies`` is uint8 ``[rows, cols]``, the result float32 of that shape, 0 to 1, and 0 off the
    wafer. It is 0 everywhere when no field repeats its fails: when none is found, or when the
    given ``reticle`` shows no position failing more often than chance.

    >>> dies = np.ones((12, 12), np.uint8)
    >>> dies[::3, ::3] = 2
    >>> fold_rates(dies)[:2, :4]
    array([[1., 0., 0., 1.],
           [0., 0., 0., 0.]], dtype=float32)
    """
    if reticle is None:
        field = find_field(dies)
    else:
        field = Reticle(reticle.rows, reticle.cols)
        fails, tested = _layers(dies)
        if not _repeats(fails, tested, field, field.rows * field.cols):
            field = None
    if field is None:
        return np.zeros(dies.shape, np.float32)
    fails, tested = _layers(dies)
    count = np.maximum(_fold(tested, field), 1.0)
    rate = _fold(fails, field) / count
    repeats = (-(-dies.shape[0] // field.rows), -(-dies.shape[1] // field.cols))
    spread = np.tile(rate, repeats)[: dies.shape[0], : dies.shape[1]]
    return np.asarray(spread * tested, np.float32)


def fold_rates_batch(
    wafers: Iterable[DieGrid], reticles: Sequence[Reticle | None] | None = None
) -> list[FloatGrid]:
    """Return `fold_rates` of each die grid, in order; the grids may differ in shape."""
    grids = list(wafers)
    known = [None] * len(grids) if reticles is None else reticles
    return [fold_rates(dies, reticle) for dies, reticle in zip(grids, known, strict=True)]


def _layers(dies: DieGrid) -> tuple[FloatGrid, FloatGrid]:
    return (dies == FAIL).astype(np.float32), (dies > 0).astype(np.float32)


def _residual(fails: FloatGrid, tested: FloatGrid) -> FloatGrid:
    """Return fail minus the fail rate of the dies around, 0 off the wafer."""
    both = cv2.boxFilter(
        np.dstack([fails, tested]),
        cv2.CV_32F,
        (WINDOW, WINDOW),
        normalize=False,
        borderType=cv2.BORDER_CONSTANT,
    )
    local = both[..., 0] / np.maximum(both[..., 1], 1.0)
    return np.asarray((fails - local) * tested, np.float32)


def _fold(grid: FloatGrid, field: Reticle) -> FloatGrid:
    """Return the sum over all fields, ``[field.rows, field.cols]``."""
    rows, cols = grid.shape
    pad = ((0, -rows % field.rows), (0, -cols % field.cols))
    whole = np.pad(grid, pad)
    parts = whole.reshape(
        whole.shape[0] // field.rows, field.rows, whole.shape[1] // field.cols, field.cols
    )
    return np.asarray(parts.sum(axis=(0, 2)), np.float32)


def _repeats(fails: FloatGrid, tested: FloatGrid, field: Reticle, trials: int) -> bool:
    """Say whether a position fails in most fields, and too often for ``trials`` looks at chance.

    Chance is binomial at the fail rate of the rest of the wafer.
    """
    hits, fields = _fold(fails, field), _fold(tested, field)
    worth = (fields >= MIN_FIELDS) & (hits >= MIN_REPEAT * fields)
    if not worth.any():
        return False
    total_hits, total = float(hits.sum()), float(fields.sum())
    cold = ~worth
    rest = float(fields[cold].sum())
    base = float(hits[cold].sum()) / rest if rest else total_hits / total
    base = min(max(base, 1.0 / total), 1.0)
    chance = bdtrc(hits[worth] - 1.0, fields[worth], base)
    return bool(chance.min() * trials < MAX_CHANCE)
