"""Which wafers share a batch, and where each lies on its canvas.

The canvas of a wafer depends on its own shape alone: each side rounded up to a multiple of 32, the
wafer centred, 0 around it. Only wafers of the same canvas share a batch, and none is put on a
larger one, so a wafer meets the same numbers alone and in company.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SIDE_STEP: Final = 32
CELLS_PER_BATCH: Final = 8 * 64 * 64
"""Most cells in a batch of several wafers: 8 at 64 x 64, one from 160 x 160 on.

Larger batches are not faster (64 x 64, 1 thread: 3.3 ms a wafer by 2, 3.1 by 7, 3.0 by 28, 32 x 32:
1.2 by 7, 1.1 by 14 to 112) and share out worse.
"""

Shape = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """Wafers that run together: their ``canvas`` and their places in the input order."""

    canvas: Shape
    indices: tuple[int, ...]


def canvas_shape(shape: Shape) -> Shape:
    """Return the smallest canvas that holds a wafer.

    >>> canvas_shape((27, 64))
    (32, 64)
    """
    rows, cols = shape
    return -(-rows // SIDE_STEP) * SIDE_STEP, -(-cols // SIDE_STEP) * SIDE_STEP


def offset(shape: Shape, canvas: Shape) -> Shape:
    """Return the canvas cell of the wafer's first row and column.

    >>> offset((27, 64), (32, 64))
    (2, 0)
    """
    return (canvas[0] - shape[0]) // 2, (canvas[1] - shape[1]) // 2


def plan_batches(shapes: Sequence[Shape]) -> list[Batch]:
    """Group wafers by canvas into batches of bounded size; each index occurs once.

    >>> [batch.indices for batch in plan_batches([(20, 20), (70, 70), (32, 9)])]
    [(0, 2), (1,)]
    """
    groups: dict[Shape, list[int]] = {}
    for index, shape in enumerate(shapes):
        groups.setdefault(canvas_shape(shape), []).append(index)
    return [
        Batch(canvas, part)
        for canvas, indices in groups.items()
        for part in _parts(indices, canvas)
    ]


def _parts(indices: Sequence[int], canvas: Shape) -> Iterator[tuple[int, ...]]:
    size = max(1, CELLS_PER_BATCH // (canvas[0] * canvas[1]))
    for start in range(0, len(indices), size):
        yield tuple(indices[start : start + size])


def stack(grids: Sequence[npt.NDArray[Any]], canvas: Shape) -> npt.NDArray[Any]:
    """Return the grids centred on one canvas each, ``[batch, *canvas]`` of their type."""
    batch = np.zeros((len(grids), *canvas), grids[0].dtype)
    for place, grid in zip(batch, grids, strict=True):
        top, left = offset((grid.shape[0], grid.shape[1]), canvas)
        place[top : top + grid.shape[0], left : left + grid.shape[1]] = grid
    return batch


def crop(planes: npt.NDArray[Any], shape: Shape) -> npt.NDArray[Any]:
    """Return the wafer's part of ``[..., *canvas]``: a view of ``[..., *shape]``."""
    canvas = (planes.shape[-2], planes.shape[-1])
    top, left = offset(shape, canvas)
    return planes[..., top : top + shape[0], left : left + shape[1]]


def crop_cells(cells: npt.NDArray[Any], shape: Shape, stride: int) -> npt.NDArray[Any]:
    """Return coarse ``[P, canvas / stride]`` cells on the wafer's own grid, a copy.

    Cell (i, j) of the result stands for the dies from (i * stride, j * stride) on; it is the
    canvas cell that holds the middle of those dies, since the offset need not be a multiple.
    """
    canvas = (cells.shape[-2] * stride, cells.shape[-1] * stride)
    picks = [
        (start + np.minimum(np.arange(0, side, stride) + stride // 2, side - 1)) // stride
        for start, side in zip(offset(shape, canvas), shape, strict=True)
    ]
    return np.ascontiguousarray(cells[..., picks[0][:, None], picks[1]])
