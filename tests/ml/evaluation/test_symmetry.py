"""Eight ways to lay a wafer, each with its way back."""

from __future__ import annotations

import numpy as np

from waferscope.ml.evaluation.symmetry import SYMMETRIES, turn, turn_back


def test_the_eight_are_all_there_are() -> None:
    square = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    laid = {turn(square, k).tobytes() for k in range(SYMMETRIES)}
    assert len(laid) == 8
    assert square.T.copy().tobytes() in laid
    assert square[::-1].copy().tobytes() in laid
    np.testing.assert_array_equal(turn(square, 0), square)


def test_turning_back_undoes_any_of_them(rng: np.random.Generator) -> None:
    grids = rng.random((2, 3, 5))
    for k in range(SYMMETRIES):
        assert turn(grids, k).shape == ((2, 5, 3) if k % 2 else (2, 3, 5))
        np.testing.assert_array_equal(turn_back(turn(grids, k), k), grids)
