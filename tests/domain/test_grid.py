"""Normalised coordinates against a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.domain.grid import rho_theta


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 3), st.integers(0, 3))
def test_coordinates_follow_the_bounding_box(rows: int, cols: int, top: int, left: int) -> None:
    dies = np.zeros((rows + top + 1, cols + left + 2), dtype=np.uint8)
    dies[top : top + rows, left : left + cols] = 1
    rho, theta = rho_theta(dies)
    assert rho.dtype == theta.dtype == np.float32
    for row in range(dies.shape[0]):
        for col in range(dies.shape[1]):
            y = -(row - top - (rows - 1) / 2) / (rows / 2)
            x = (col - left - (cols - 1) / 2) / (cols / 2)
            assert rho[row, col] == pytest.approx(math.hypot(x, y), abs=1e-5)
            assert math.cos(theta[row, col] - math.atan2(y, x)) == pytest.approx(1, abs=1e-5)


def test_angles_grow_counter_clockwise_from_the_right() -> None:
    _, theta = rho_theta(np.ones((3, 3), dtype=np.uint8))
    right, top, left, bottom = theta[1, 2], theta[0, 1], theta[1, 0], theta[2, 1]
    quarters = [right, top, abs(left), bottom]
    assert quarters == pytest.approx([0, math.pi / 2, math.pi, -math.pi / 2])


def test_a_map_without_a_die_uses_the_array_as_its_box() -> None:
    empty, full = np.zeros((4, 6), dtype=np.uint8), np.ones((4, 6), dtype=np.uint8)
    np.testing.assert_array_equal(rho_theta(empty)[0], rho_theta(full)[0])
