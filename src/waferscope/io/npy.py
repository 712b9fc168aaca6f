"""The header of an .npy member and the text in its array, trusted no further than checked."""

from __future__ import annotations

import sys
from tokenize import TokenError
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

# What numpy raises on a header that is not the dict it should be; SyntaxError covers indentation.
_DAMAGE: Final = (
    AttributeError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    SyntaxError,
    TokenError,
    TypeError,
)


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether the array lies by columns, and type; raise ValueError for others.

    Arrays of objects, which would be pickles, are refused.
    """
    try:
        version = np.lib.format.read_magic(stream)
        reader = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if reader is None:
            raise ValueError(f"an array of unknown version {version}")
        shape, by_column, kind = reader(stream)
    except _DAMAGE as error:
        raise ValueError(f"an array with a damaged header ({type(error).__name__})") from error
    if kind.hasobject:
        raise ValueError("a pickled array")
    if any(side < 0 for side in shape):
        raise ValueError("an array with a negative side")
    return shape, by_column, kind


def check_text(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array; raise ValueError for text of no Unicode, which numpy cannot hand out.

    >>> check_text(np.array(["W1"])).tolist()
    ['W1']
    """
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        flat = np.ascontiguousarray(array).reshape(-1)
        codes = flat.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if codes.max() > sys.maxunicode:
            raise ValueError("text that is not Unicode")
    return array
