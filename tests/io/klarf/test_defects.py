"""Where items stand in the rows of a list, against the rows as they were put together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.errors import FormatError
from waferscope.io.klarf import defects
from waferscope.io.klarf.defects import locate, numbers
from waferscope.io.klarf.records import Table

NAMES = ("A", "B", "C", "D", "IMAGECOUNT", "IMAGELIST", "E")
GAPS = st.sampled_from([" ", "\n", "\t ", "\r\n  "])


def found(data: bytes, table: Table, wanted: tuple[str, ...]) -> list[list[bytes]]:
    spans = locate(data, table, wanted)
    return [[data[start:end] for start, end in row] for row in spans.tolist()]


@given(st.data(), st.permutations(NAMES), st.sampled_from(["counted", "agreed", "bare"]))
def test_items_are_found_behind_images_of_any_length(
    draw: st.DataObject, columns: list[str], rule: str
) -> None:
    if rule == "bare" and columns.index("IMAGECOUNT") > columns.index("IMAGELIST"):
        columns = columns[::-1]
    rows, parts = [], []
    for number in range(draw.draw(st.integers(1, 6))):
        count = draw.draw(st.integers(1, 3))
        row = {name: f"{name}{number}" for name in NAMES}
        images = [f"{n}" for n in range(100, 100 + 2 * count)]
        row["IMAGECOUNT"] = "2" if rule == "counted" else str(count)
        row["IMAGELIST"] = " ".join([*([str(count)] if rule != "bare" else []), *images])
        rows.append(row)
        parts += [" ".join(row[name] for name in columns).replace(" ", draw.draw(GAPS))]
    data = ("\n".join(parts) + "\n").encode()
    wanted = ("D", "A", "E")
    expected = [[row[name].encode() for name in wanted] for row in rows]
    assert found(data, Table(tuple(columns), 0, len(data)), wanted) == expected


def test_strings_and_images_of_records() -> None:
    data = b'1 "a; }" N; 2 "" Images 2 { "x;" "y}" };\n 3 z N ;'
    table = Table(("A", "B", "IMAGEINFO"), 0, len(data), ends=True)
    assert found(data, table, ("B", "A")) == [[b'"a; }"', b"1"], [b'""', b"2"], [b"z", b"3"]]


@pytest.mark.parametrize("ends", [True, False])
def test_another_number_of_values_is_refused_with_its_line(ends: bool) -> None:
    data = b"1 2;\n3;\n4 5;" if ends else b"1 2\n3\n4 5"
    with pytest.raises(FormatError, match=r"line [123]"):
        locate(data, Table(("A", "B"), 0, len(data), ends=ends), ("A",))


def test_a_cut_list_gives_its_whole_rows() -> None:
    data = b"1 2\n3 4\n5 66"
    assert found(data, Table(("A", "B"), 0, len(data), cut=True), ("B",)) == [[b"2"], [b"4"]]


@pytest.mark.parametrize("count", [b"-1", b"1.5", b"x", b"1001", b"1e9"])
def test_images_are_counted_in_whole_numbers(count: bytes) -> None:
    data = b"7 " + count + b" 1 1"
    with pytest.raises(FormatError, match="another number of values"):
        locate(data, Table(("A", "IMAGELIST"), 0, len(data)), ("A",))


def test_rows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defects, "MAX_ROWS", 3)
    with pytest.raises(FormatError, match="at most 3 rows"):
        locate(b"1 2 3 4", Table(("A",), 0, 7), ("A",))


def test_numbers_that_are_none() -> None:
    data = b'1 "2" NA 1e3 inf'
    spans = locate(data, Table(("A",), 0, len(data)), ("A",))[:, 0]
    assert np.array_equal(numbers(data, spans), [1, 2, np.nan, 1000, np.nan], equal_nan=True)
    assert numbers(data, spans[:1]).tolist() == [1]
