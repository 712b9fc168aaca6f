"""The common form of all versions."""

from __future__ import annotations

import pytest

from waferscope.errors import FormatError
from waferscope.io.klarf import records
from waferscope.io.klarf.records import KlarfFile, Records, Table, line_of


def test_wafers_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_WAFERS", 2)
    made = Records("1.2", 1000.0)
    first, second = made.add_wafer({}), made.add_wafer({"slot": [b"1"]})
    assert made.wafers == [first, second]
    with pytest.raises(FormatError, match="at most 2 wafers"):
        made.add_wafer({})
    assert first.tables == 0
    first.plans.append(Table((), 0, 0))
    assert first.tables == 1


def test_the_bytes_are_not_printed() -> None:
    assert repr(KlarfFile(b"x" * 1000)) == "KlarfFile()"
    assert KlarfFile(b"a") == KlarfFile(b"a") != KlarfFile(b"b")


def test_lines_count_from_one() -> None:
    assert [line_of(b"a\nb\nc", place) for place in (0, 2, 4)] == [1, 2, 3]
