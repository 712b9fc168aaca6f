"""Headers and text of .npy members."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.io.npy import check_text, read_header


def saved(array: Any) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


@pytest.mark.parametrize(
    "array", [np.zeros((2, 3), ">i4"), np.asfortranarray(np.ones((2, 3))), np.array(["a", "bc"])]
)
def test_headers_are_those_numpy_wrote(array: Any) -> None:
    by_column = array.ndim > 1 and not array.flags.c_contiguous
    assert read_header(io.BytesIO(saved(array))) == (array.shape, by_column, array.dtype)


@given(st.binary(max_size=90))
def test_other_headers_are_a_value_error(text: bytes) -> None:
    head = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    with pytest.raises(ValueError, match=r".*"):
        read_header(io.BytesIO(head))


@pytest.mark.parametrize(
    "text",
    [
        "(" * 300,
        "{[]: 1}",
        "{'descr': [], 1: 2}",
        "{'descr': [('a', (1, (2,)))], 'fortran_order': False, 'shape': (1,)}",
        "{'descr': 'O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': 'i4', 'fortran_order': False, 'shape': (-1,)}",
        "'''",
        "   a\n b",
        "-" * 9000 + "1",
    ],
)
def test_tricks_in_a_header_are_a_value_error(text: str) -> None:
    head = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    with pytest.raises(ValueError, match=r".*"):
        read_header(io.BytesIO(head))


@pytest.mark.parametrize("order", ["<", ">"])
def test_text_beyond_unicode_is_refused(order: str) -> None:
    good = np.array(["W1", "", "\U0010ffff"], dtype=f"{order}U3")
    assert check_text(good).tolist() == ["W1", "", "\U0010ffff"]
    bad = np.frombuffer(np.array([0x110000], dtype=f"{order}u4").tobytes(), f"{order}U1")
    with pytest.raises(ValueError, match="not Unicode"):
        check_text(bad)
    assert check_text(np.ones(2)).size == 2
