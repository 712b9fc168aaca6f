"""Patterns of the exposure field: repeating die positions, and whole fields out of focus."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from waferscope.domain.wafermap import Reticle
from waferscope.synth.grid import BoolGrid
from waferscope.synth.patterns.layer import Layer, Scene

FIELD_SIDES = (2, 16)
_MIN_FIELDS = 4


def draw_reticle(rng: np.random.Generator, shape: tuple[int, int]) -> Reticle:
    """Return an exposure field of 2 to 16 dies a side, at least three of them across the wafer."""
    low, high = FIELD_SIDES
    rows, cols = (int(rng.integers(low, max(low, min(high, side // 3)) + 1)) for side in shape)
    return Reticle(rows, cols, int(rng.integers(rows)), int(rng.integers(cols)))


def draw_lithography(rng: np.random.Generator, scene: Scene) -> Layer | None:
    """Return die positions that fail in nearly every field, or fields that fail as a whole."""
    zone = _repeater(rng, scene) if rng.random() < 0.65 else _whole_fields(rng, scene)
    if zone is None:
        return None
    zone &= scene.present
    share = float(zone.sum()) / max(1.0, float(scene.present.sum()))
    if share > 0.45:
        return None
    low = 0.92 if scene.dense else max(0.6, scene.config.faint_probability)
    prob = np.where(zone, np.float32(rng.uniform(low, 1.0)), np.float32(0))
    return Layer("lithography", zone, prob)


def _repeater(rng: np.random.Generator, scene: Scene) -> BoolGrid | None:
    """Return the same one to four die positions of every field, scattered or side by side."""
    field = scene.reticle
    at_row, at_col = (np.arange(side) for side in scene.grid.shape)
    at_row, at_col = (
        (at_row - field.row_offset) % field.rows,
        (at_col - field.col_offset) % (field.cols),
    )
    most = max(1, min(4, field.rows * field.cols // 4))
    count = int(rng.integers(1, most + 1))
    chosen = np.zeros((field.rows, field.cols), dtype=bool)
    if rng.random() < 0.6:
        chosen.flat[rng.choice(chosen.size, count, replace=False)] = True
    else:
        row, col = int(rng.integers(field.rows)), int(rng.integers(field.cols))
        if rng.random() < 0.5:
            chosen[row, col : col + count] = True
        else:
            chosen[row : row + count, col] = True
    zone: BoolGrid = chosen[np.ix_(at_row, at_col)]
    positions = int(np.count_nonzero(chosen))
    found = np.count_nonzero(zone & scene.present)
    return zone if found >= max(6, _MIN_FIELDS * positions) else None


def _whole_fields(rng: np.random.Generator, scene: Scene) -> BoolGrid | None:
    """Return several fields: near each other, scattered, or a part of those at the edge.

    They form groups of hardly more than two: one alone could not be told from a particle cluster
    or, at the rim, from an edge.
    """
    field = scene.reticle
    if field.rows * field.cols < 6:
        return None
    rows, cols = scene.grid.shape
    in_row = (np.arange(rows) - field.row_offset) // field.rows
    in_col = (np.arange(cols) - field.col_offset) // field.cols
    in_row, in_col = in_row - in_row[0], in_col - in_col[0]
    present = np.zeros((in_row[-1] + 1, in_col[-1] + 1), dtype=np.intp)
    np.add.at(present, np.ix_(in_row, in_col), scene.present)
    full = np.argwhere(present >= 0.9 * field.rows * field.cols)
    if len(full) < _MIN_FIELDS:
        return None
    chosen = np.zeros(present.shape, dtype=bool)
    kind = rng.random()
    if kind < 0.25 and min(present.shape) >= 5:
        edge = np.argwhere((present > 0.3 * field.rows * field.cols) & _outer(present > 0))
        picked = edge[rng.random(len(edge)) < rng.uniform(0.3, 0.7)]
    elif kind < 0.55:
        heart = full[rng.integers(len(full))]
        near = np.abs(full - heart).sum(axis=1).argsort(kind="stable")
        near = near[: max(3, min(9, len(full) // 2))]
        picked = full[near[rng.random(len(near)) < 0.6]]
    else:
        picked = full[rng.permutation(len(full))[: rng.integers(2, max(3, len(full) // 4 + 1))]]
    chosen[picked[:, 0], picked[:, 1]] = True
    zone: BoolGrid = chosen[np.ix_(in_row, in_col)]
    groups = ndimage.label(chosen)[1]
    return zone if groups >= max(2, 0.45 * len(picked)) else None


def _outer(fields: BoolGrid) -> BoolGrid:
    """Return the fields with a missing neighbour above, below, left or right."""
    padded = np.pad(fields, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    outer: BoolGrid = fields & ~inner
    return outer
