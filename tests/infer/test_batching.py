"""Canvases and batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.infer.batching import (
    CELLS_PER_BATCH,
    canvas_shape,
    crop,
    crop_cells,
    offset,
    plan_batches,
    stack,
)

shapes = st.tuples(st.integers(1, 400), st.integers(1, 400))


@given(shapes)
def test_canvas_is_the_smallest_that_fits(shape: tuple[int, int]) -> None:
    for side, canvas in zip(shape, canvas_shape(shape), strict=True):
        assert canvas % 32 == 0
        assert canvas - 32 < side <= canvas


@given(st.lists(shapes, max_size=200))
def test_plan_takes_each_wafer_once_and_in_order(wafers: list[tuple[int, int]]) -> None:
    plan = plan_batches(wafers)
    assert sorted(i for batch in plan for i in batch.indices) == list(range(len(wafers)))
    for batch in plan:
        assert list(batch.indices) == sorted(batch.indices)
        assert {canvas_shape(wafers[i]) for i in batch.indices} == {batch.canvas}
        cells = batch.canvas[0] * batch.canvas[1] * len(batch.indices)
        assert cells <= CELLS_PER_BATCH or len(batch.indices) == 1


def test_batch_sizes_follow_the_cells() -> None:
    assert len(plan_batches([(64, 64)] * 8)) == 1
    assert len(plan_batches([(64, 64)] * 9)) == 2
    assert len(plan_batches([(160, 160)] * 3)) == 3
    assert plan_batches([]) == []


@given(st.lists(st.tuples(st.integers(33, 64), st.integers(1, 32)), min_size=1, max_size=5))
def test_crop_undoes_stack(wafers: list[tuple[int, int]]) -> None:
    grids = [np.full(shape, i + 1, np.uint8) for i, shape in enumerate(wafers)]
    batch = stack(grids, (64, 32))
    assert batch.dtype == np.uint8
    for grid, placed in zip(grids, batch, strict=True):
        np.testing.assert_array_equal(crop(placed, (grid.shape[0], grid.shape[1])), grid)
        assert np.count_nonzero(placed) == grid.size


@pytest.mark.parametrize(
    ("shape", "start"), [((32, 32), (0, 0)), ((31, 30), (0, 1)), ((33, 1), (15, 15))]
)
def test_wafer_is_centred(shape: tuple[int, int], start: tuple[int, int]) -> None:
    assert offset(shape, canvas_shape(shape)) == start


@given(shapes, st.sampled_from([4, 8, 32]))
def test_cells_are_those_over_the_middle_of_their_dies(shape: tuple[int, int], stride: int) -> None:
    canvas = canvas_shape(shape)
    numbers = np.arange((canvas[0] // stride) * (canvas[1] // stride)).reshape(
        1, canvas[0] // stride, canvas[1] // stride
    )
    cut = crop_cells(numbers, shape, stride)
    per_die = crop(numbers.repeat(stride, 1).repeat(stride, 2), shape)[0]
    assert cut.shape == (1, -(-shape[0] // stride), -(-shape[1] // stride))
    for row in range(cut.shape[1]):
        for col in (0, cut.shape[2] - 1):
            middle = (
                min(row * stride + stride // 2, shape[0] - 1),
                min(col * stride + stride // 2, shape[1] - 1),
            )
            assert cut[0, row, col] == per_die[middle]
