"""Masks against a loop over dies, run lengths against pycocotools."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from tests.domain.test_regions import flood_fill
from waferscope.domain.masks import build_masks, mask_to_rle, rle_to_mask
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.errors import InputError

Mask = npt.NDArray[np.bool_]
THRESHOLDS = (0.5, 0.4, 0.6, 0.5, 0.5, 0.3, 0.7, 0.5)


def slow_masks(probs: npt.NDArray[np.float32], dies: npt.NDArray[np.uint8]) -> Mask:
    masks = np.zeros(probs.shape, dtype=bool)
    for channel, rule in enumerate(DEFAULT_TAXONOMY.classes):
        marked = np.zeros(dies.shape, dtype=bool)
        for row, col in np.ndindex(dies.shape):
            high = probs[channel, row, col] >= np.float32(THRESHOLDS[channel])
            marked[row, col] = dies[row, col] == 2 and high
        reach = max(dies.shape) if rule.grouping == "whole" else rule.closing + 1
        for region in flood_fill(marked, reach):
            if len(region) >= rule.min_dies:
                masks[channel][tuple(zip(*region, strict=True))] = True
    return masks


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.floats(0.1, 1))
def test_masks_are_those_of_a_loop_over_dies(
    rows: int, cols: int, seed: int, density: float
) -> None:
    rng = np.random.default_rng(seed)
    dies = np.where(rng.random((rows, cols)) < density, 2, rng.integers(0, 2, (rows, cols)))
    probs = rng.random((8, rows, cols), dtype=np.float32) ** 2
    masks = build_masks(probs, dies.astype(np.uint8), THRESHOLDS, DEFAULT_TAXONOMY)
    assert masks.dtype == np.bool_
    np.testing.assert_array_equal(masks, slow_masks(probs, dies.astype(np.uint8)))


def test_a_scratch_one_die_wide_survives_with_its_gaps() -> None:
    dies = np.ones((30, 30), dtype=np.uint8)
    along = np.array([i for i in range(30) if i % 3])  # every third die passes
    dies[along, along] = 2
    probs = np.ones((8, 30, 30), dtype=np.float32)
    masks = build_masks(probs, dies, (0.5,) * 8, DEFAULT_TAXONOMY)
    scratch = masks[DEFAULT_TAXONOMY.channel("scratch")]
    np.testing.assert_array_equal(scratch, dies == 2)
    assert not masks[DEFAULT_TAXONOMY.channel("particle")].any()  # pairs, and no gap is bridged


def test_a_threshold_is_met_by_its_equal() -> None:
    probs = np.full((8, 2, 2), 0.3, dtype=np.float32)
    dies = np.full((2, 2), 2, dtype=np.uint8)
    assert build_masks(probs, dies, (0.3,) * 8, DEFAULT_TAXONOMY).all()


@pytest.mark.parametrize("fill", [0, 1])
def test_a_wafer_without_a_failing_die_has_no_mask(fill: int) -> None:
    probs = np.ones((8, 1, 1), dtype=np.float32)
    dies = np.full((1, 1), fill, dtype=np.uint8)
    assert not build_masks(probs, dies, (0.0,) * 8, DEFAULT_TAXONOMY).any()


def test_a_class_may_keep_single_dies() -> None:
    loose = replace(
        DEFAULT_TAXONOMY, classes=tuple(replace(c, min_dies=1) for c in DEFAULT_TAXONOMY.classes)
    )
    dies = np.array([[2, 0, 1]], dtype=np.uint8)
    masks = build_masks(np.ones((8, 1, 3), dtype=np.float32), dies, (0.5,) * 8, loose)
    assert masks.sum() == 8


def test_shapes_that_do_not_fit_are_refused() -> None:
    dies = np.ones((3, 4), dtype=np.uint8)
    with pytest.raises(InputError, match=r"\(8, 3, 4\).*got \(8, 4, 3\)"):
        build_masks(np.ones((8, 4, 3), dtype=np.float32), dies, (0.5,) * 8, DEFAULT_TAXONOMY)
    with pytest.raises(InputError, match=r"8 thresholds, got .* and 7"):
        build_masks(np.ones((8, 3, 4), dtype=np.float32), dies, (0.5,) * 7, DEFAULT_TAXONOMY)


@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_run_lengths_are_those_of_pycocotools(mask: Mask) -> None:
    rle = mask_to_rle(mask)
    packed = coco.frPyObjects(rle, *mask.shape)
    np.testing.assert_array_equal(coco.decode(packed), mask)
    assert packed["counts"] == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    assert int(coco.area(packed)) == mask.sum()
    np.testing.assert_array_equal(rle_to_mask(rle), mask)


@pytest.mark.parametrize(
    "rle",
    [
        {"size": [2, 2]},
        {"size": [2], "counts": [4]},
        {"size": [2, 2], "counts": [3]},
        {"size": [2, 2], "counts": [5, -1]},
        {"size": [2, 2], "counts": "04"},
    ],
)
def test_damaged_run_lengths_are_refused(rle: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="Expected"):
        rle_to_mask(rle)
