"""Frames out of pickles: arrays checked part by part."""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.io.lswmd.pickles import LAYOUTS, NAMES, frame_bytes
from waferscope.errors import FormatError
from waferscope.io.lswmd import frame
from waferscope.io.lswmd.frame import as_array, as_text, read_frame
from waferscope.io.lswmd.machine import Piece, run

TYPES = st.sampled_from(["u1", "<i8", ">i4", "<f8", "?", "<U4", "S3", "f4"])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def load(data: bytes) -> Any:
    return run(io.BytesIO(data), frame.NAMES, "test.pkl")


@given(TYPES.flatmap(lambda t: hnp.arrays(t, SHAPES)), st.integers(2, 5), st.booleans())
def test_arrays_are_those_numpy_pickled(array: Any, protocol: int, by_column: bool) -> None:
    given_array = np.asfortranarray(array) if by_column else array
    found = as_array(load(pickle.dumps(given_array, protocol)))
    assert found.dtype == array.dtype
    assert found.tobytes() == array.tobytes()
    assert found.shape == given_array.shape


def test_object_arrays_keep_their_order() -> None:
    array = np.empty((2, 3), dtype=object)
    array[:] = [["a", 1, None], [b"d", 2.5, ["e"]]]
    for one in (array, np.asfortranarray(array)):
        assert as_array(load(pickle.dumps(one, 4))).tolist() == array.tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_columns_are_named_and_placed(layout: str) -> None:
    maps = [np.ones((2, 2), dtype=np.uint8)] * 3
    data = frame_bytes(maps, ["Loc"] * 3, [None] * 3, layout)
    columns = read_frame(io.BytesIO(data), "x")
    assert sorted(columns) == sorted(NAMES)
    assert list(columns["dieSize"]) == [4.0, 4.0, 4.0]
    assert list(columns["waferIndex"]) == [1.0, 2.0, 3.0]
    assert columns["lotName"] == ["lot1", "lot1", "lot2"]
    assert as_text(columns["failureType"][0]) == "Loc"
    assert as_text(columns["trianTestLabel"][0]) is None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_that_are_not_called_are_refused(layout: str) -> None:
    data = frame_bytes([np.ones((2, 2), dtype=np.uint8)] * 3, ["Loc"] * 3, [None] * 3, layout)
    calls = [at for code, _, at in pickletools.genops(data) if code.name == "REDUCE" and at]
    outcomes: list[object] = []
    for at in calls:  # the arguments are dropped, and the name is left where its object belongs
        bare = data[:at] + pickle.POP + data[at + 1 :]
        try:
            outcomes.append(sorted(read_frame(io.BytesIO(bare), "x")))
        except FormatError as error:
            outcomes.append(str(error)[:8])
    # What is never looked at, the index of the rows, may be anything.
    assert outcomes.count("Expected") >= len(outcomes) // 2 > 0
    assert all(one in ("Expected", sorted(NAMES)) for one in outcomes)


def dtype(code: Any = "u1", order: str = "|", fields: Any = None) -> Piece:
    return Piece("dtype", (code, False, True), (3, order, None, fields, None, -1, -1, 0))


@pytest.mark.parametrize(
    ("shape", "kind", "data"),
    [
        ((3,), dtype(), b"12"),
        ((1 << 20, 1 << 20), dtype(), b"12"),
        ((-2,), dtype(), b"12"),
        ((1, 1, 1, 1, 2), dtype(), b"12"),
        ([2], dtype(), b"12"),
        ((2,), dtype("V2"), b"12"),
        ((2,), dtype("u1,u1"), b"12"),
        ((2,), dtype(order="x"), b"12"),
        ((2,), dtype(fields={"a": 1}), b"12"),
        ((2,), "u1", b"12"),
        ((2,), dtype(), "12"),
        ((2,), dtype("O8"), [1]),
        ((1 << 30,), dtype("U0"), b""),
    ],
)
def test_parts_that_do_not_fit_are_refused(shape: Any, kind: Any, data: Any) -> None:
    piece = Piece("array", (), (1, shape, kind, False, data))
    with pytest.raises((ValueError, TypeError)):
        as_array(piece)


@pytest.mark.parametrize("value", [None, 3, Piece("dtype"), Piece("frame", (), {})])
def test_only_arrays_are_arrays(value: Any) -> None:
    with pytest.raises(ValueError, match="array"):
        as_array(value)


def test_texts_are_dug_out() -> None:
    for value in ("Loc", b"Loc", ["Loc"], [[" Loc "]], (["Loc"],)):
        assert as_text(value) == "Loc"
    for other in (None, 1, [], [1], ["a", "b"], [[[[["deep"]]]]]):
        assert as_text(other) is None


@pytest.mark.parametrize(("old", "new"), [(b"_data", b"_beta"), (b"0.14.1", b"0.14.2")])
def test_another_build_is_refused(old: bytes, new: bytes) -> None:
    data = frame_bytes([np.ones((1, 1), dtype=np.uint8)], [None], [None])
    with pytest.raises(FormatError, match="another build"):
        read_frame(io.BytesIO(data.replace(old, new)), "x")


def test_other_encodings_are_refused() -> None:
    with pytest.raises(FormatError):
        load(b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x05\0\0\0rot13\x86R.")
    with pytest.raises(FormatError):
        load(b"\x80\x02c__builtin__\nbytes\nK\x09\x85R.")
