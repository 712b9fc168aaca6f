from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tests.synth.measure import wafers_with


def thickness(zone: np.ndarray) -> int:
    """Return the side of the largest square of dies inside a zone."""
    side = 0
    while ndimage.binary_erosion(zone, np.ones((side + 1, side + 1))).any():
        side += 1
    return side


@pytest.mark.parametrize("shape", [(20, 22), (38, 36), (72, 72), (150, 110)])
def test_scratches_are_thin_and_long(shape: tuple[int, int]) -> None:
    slopes = []
    for wafer, zone in wafers_with("scratch", 30, shape=shape):
        count = ndimage.label(zone, np.ones((3, 3)))[1]
        if count == 1 and thickness(zone) <= 3:
            at = np.argwhere(zone) * (2.0 / np.asarray(shape))
            reach = np.linalg.norm(at - at[0], axis=1).max()
            assert 0.15 < reach <= 2.1
            along = np.linalg.svd(at - at.mean(axis=0))[2][0]
            slopes.append(np.degrees(np.arctan2(along[0], along[1])) % 180)
        assert thickness(zone) <= 6  # where two of three dies cross
        assert zone.sum() >= 5
        assert zone.sum() < 0.2 * (wafer.dies > 0).sum()
        assert wafer.patterns == ("Scratch",)
    assert np.unique(np.asarray(slopes) // 45).size == 4  # at every angle


def test_most_scratches_are_at_most_three_dies_wide() -> None:
    widths = [thickness(zone) for _, zone in wafers_with("scratch", 60, shape=(64, 64))]
    assert np.mean([width <= 3 for width in widths]) > 0.9
    assert {1, 2, 3} <= set(widths)


def test_some_scratches_have_gaps() -> None:
    drawn = wafers_with("scratch", 40, shape=(64, 64))
    full = [(wafer.dies[zone] == 2).mean() for wafer, zone in drawn]
    assert max(full) == 1.0
    assert np.mean([share < 0.9 for share in full]) > 0.2
