"""JSON that would eat memory or the stack is refused."""

from __future__ import annotations

from typing import Any

import pytest

from waferscope.errors import FormatError
from waferscope.io import json_text
from waferscope.io.archive import open_blobs
from waferscope.io.json_text import load_json


def load(data: bytes) -> Any:
    (found,) = [load_json(blob) for blob in open_blobs(data, lambda head: True)]
    return found


def test_json_is_read() -> None:
    assert load(b'{"a": [1, 2.5, null, "\\u00e4"]}') == {"a": [1, 2.5, None, "ä"]}
    assert load(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[NaN]", b"[-Infinity]", b"[" * 100_000, b'"\xff"', b"[1]\0", b"9" * 9999],
)
def test_what_is_no_json(data: bytes) -> None:
    with pytest.raises(FormatError, match="Expected JSON"):
        load(data)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "MOST_VALUES", 10)
    monkeypatch.setattr(json_text, "LARGEST_ASCII", 100)
    monkeypatch.setattr(json_text, "LARGEST_OTHER", 20)
    assert load(b"[1,2,3]") == [1, 2, 3]
    for data in (b"[" + b"[]," * 9 + b"[]]", b'"%s"' % (b"a" * 99), '"ääääääääää"'.encode()):
        with pytest.raises(FormatError, match="Split it"):
            load(data)
