"""The stack machine: plain values, and nothing else."""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.errors import FormatError
from waferscope.io.lswmd.frame import NAMES
from waferscope.io.lswmd.machine import Name, run

KEYS = st.text(max_size=5) | st.integers(-9, 9) | st.binary(max_size=3)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=12,
)


def load(data: bytes) -> Any:
    return run(io.BytesIO(data), NAMES, "test.pkl")


class Calls:
    """Pickles to a call of whatever it is given."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.parts = function, args

    def __reduce__(self) -> Any:
        return self.parts


@given(PLAIN, st.integers(2, 5))
def test_plain_values_come_back_as_pickle_gives_them(value: Any, protocol: int) -> None:
    assert load(pickle.dumps(value, protocol)) == value


def test_large_and_shared_values() -> None:
    shared = ["x" * 300, b"y" * (3 << 20)]
    value = [shared, shared, {"a": tuple(range(500))}]
    for protocol in range(2, 6):
        found = load(pickle.dumps(value, protocol))
        assert found == value
        assert found[0] is found[1]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_call_of_the_system_is_refused_and_never_made(
    protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(os, "system", made.append)
    for call in (
        Calls(eval, "1"),
        Calls(exec, "1"),
        Calls(getattr, "a", "b"),
        Calls(__import__, "os"),
        Calls(bytearray, 9),
        [Calls(print, "x")],
    ):
        with pytest.raises(FormatError, match="Nothing was run"):
            load(pickle.dumps(call, protocol))
    for text in (b"cos\nsystem\n", b"cposix\nsystem\n", b"cnumpy\nload\n", b"cpandas\nread_csv\n"):
        with pytest.raises(FormatError, match="Nothing was run"):
            load(b"\x80\x02" + text + b"X\x02\0\0\0ls\x85R.")
    assert made == []


@pytest.mark.parametrize(
    "stream",
    [
        b"X\x01\0\0\0aQ.",  # persistent id
        b"P1\n.",  # persistent id as text
        b"\x82\x01.",  # extension registry
        b"(i__main__\nA\n.",  # instance
        b"(cnumpy\ndtype\no.",  # object of a class on the stack
        b"\x97.",  # buffer from outside
        b"\x8f.",  # set
        b"cnumpy\ndtype\n)\x81}}\x86b)R.",  # what a call gave is called again
        b"cnumpy\ndtype\nX\x01\0\0\0a}bR.",  # a state for a name's text
        b"cnumpy\ndtype\n}b.",  # a state for a name
        b"cnumpy\ndtype\n)}X\x01\0\0\0aNs\x92.",  # keywords
        b"cnumpy" + b"y" * 300 + b"\ndtype\n.",  # an endless name
        b"X\x05\0\0\0numpyK\x01\x93.",  # a name that is no text
        b"X\x02\0\0\0osX\x06\0\0\0system\x93.",  # a name from the stack
        b"\x80\x09N.",  # a protocol to come
    ],
)
def test_tricks_are_refused(stream: bytes) -> None:
    with pytest.raises(FormatError):
        load(b"\x80\x04" + stream)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b".",
        b"0.",
        b"1.",
        b"t.",
        b"\x87.",
        b"K\x01\x86.",
        b"Na.",
        b"NNNs.",
        b"}(Nu.",
        b"}](Nu.",
        b"}]Ns.",
        b"}(K\x01t\x85Ns.",  # keys are names, so that no nest of tuples is hashed
        b"h\x07.",
        b"q\x07.",
        b"X\x02\0\0\0\xff\xff.",
        b"T" + struct.pack("<i", -1) + b".",
        b"\x8e" + struct.pack("<Q", 1 << 62) + b"few",
        b"\x8b" + struct.pack("<I", 1 << 31) + b"few",
        b"B" + struct.pack("<I", (1 << 32) - 1) + b"few",
    ],
)
def test_damage_is_one_error(stream: bytes) -> None:
    with pytest.raises(FormatError):
        load(b"\x80\x04" + stream)


def test_a_huge_memo_number_and_deep_nests_cost_nothing() -> None:
    assert load(b"\x80\x02Nr" + b"\xff" * 4 + b"0Nj" + b"\xff" * 4 + b".") is None
    deep = load(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".")
    assert len(deep) == 1


def test_a_name_builds_what_its_row_says() -> None:
    assert Name("x", lambda a: a + 1).build((1,)) == 2
    piece = Name("x").build((1, 2))
    assert (piece.kind, piece.args, piece.state) == ("x", (1, 2), None)
