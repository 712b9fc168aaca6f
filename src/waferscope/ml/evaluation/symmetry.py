"""The eight symmetries of a square, as quarter turns and a mirror."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

SYMMETRIES: Final = 8


def turn(array: npt.NDArray[Any], symmetry: int) -> npt.NDArray[Any]:
    """Return the last two axes turned by ``symmetry`` quarters, mirrored first from 4 on; a view.

    >>> turn(np.array([[1, 2], [3, 4]]), 1).tolist()
    [[2, 4], [1, 3]]
    """
    mirrored = array[..., ::-1] if symmetry >= 4 else array
    return np.rot90(mirrored, symmetry % 4, axes=(-2, -1))


def turn_back(array: npt.NDArray[Any], symmetry: int) -> npt.NDArray[Any]:
    """Return what `turn` was given.

    >>> turn_back(turn(np.array([[1, 2], [3, 4]]), 6), 6).tolist()
    [[1, 2], [3, 4]]
    """
    turned = np.rot90(array, -symmetry % 4, axes=(-2, -1))
    return turned[..., ::-1] if symmetry >= 4 else turned
