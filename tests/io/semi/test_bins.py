"""What bin codes mean: qualities, habits of files that do not say, and product or not."""

from __future__ import annotations

import pytest

from waferscope.domain.wafermap import Bins
from waferscope.errors import FormatError
from waferscope.io.bin_rows import read_rows
from waferscope.io.formats import ReadOptions
from waferscope.io.semi.bins import (
    WIDTHS,
    BinDefinition,
    bin_type,
    code_width,
    dies_and_bins,
    read_definitions,
)
from waferscope.io.semi.xml import Node

Found = tuple[list[list[int]], Bins, list[str]]


def meant(row: str, kind: str, null: str | None, *defined: BinDefinition, **how: object) -> Found:
    options = ReadOptions(**how)  # type: ignore[arg-type]
    codes = read_rows([row], WIDTHS[kind], null or "")
    dies, bins, notes = dies_and_bins(codes, kind, null, defined, options)
    return dies.tolist(), bins, notes


def test_definitions_of_elements() -> None:
    node = Node(
        "bin", {"bincode": "01", "binquality": " Pass ", "bindescription": "a", "bincount": "x"}
    )
    counted = Node("bin", {"bincode": " ", "bincount": "12"})
    assert read_definitions([node, counted]) == [
        BinDefinition("01", "Pass", "a", None),
        BinDefinition(" ", "", "", 12),
    ]


def test_bin_types() -> None:
    spelled = ["ASCII", "Ascii", "Decimal", "HexaDecimal", "Hexadecimal", "Integer2", "INTEGER2"]
    assert [bin_type(text) for text in spelled] == [
        *("ascii", "ascii", "decimal", "hexadecimal", "hexadecimal", "integer2", "integer2")
    ]
    with pytest.raises(FormatError, match="BinType"):
        bin_type("octal")


def test_pass_fail_and_no_die() -> None:
    dies, bins, notes = meant(
        "01FF0A",
        "hexadecimal",
        "FF",
        BinDefinition("01", "Pass", "good", 1),
        BinDefinition("0A", "Fail", "short", 1),
    )
    assert dies == [[1, 0, 2]]
    assert bins.hard is not None
    assert bins.hard.tolist() == [[1, 0, 10]]
    assert bins.hard_names == {1: "good", 10: "short"}
    assert notes == []


@pytest.mark.parametrize(
    ("quality", "about", "state"),
    [
        ("Mirror", "", 0),
        ("Skip", "", 0),
        ("UGLY", "", 0),
        ("Reference", "", 0),
        ("Ref Die", "", 0),
        ("Null", "", 0),
        ("Fail", "Reference die", 0),
        ("Fail", "edge", 2),
        ("Fail", "Test", 2),
        ("Fail", "reference voltage", 2),
        ("Pass", "Edge", 1),
        ("Good", "", 1),
        ("Reject", "", 2),
        ("P", "", 1),
        ("f", "", 2),
    ],
)
def test_qualities(quality: str, about: str, state: int) -> None:
    dies, bins, notes = meant(
        "12", "ascii", ".", BinDefinition("1", "Pass"), BinDefinition("2", quality, about)
    )
    assert dies == [[1, state]]
    what = (about if quality == "Fail" else quality).lower().split()[:1]
    expected = [] if state else [f"1 {what[0]} dies taken as no die"]
    assert [note for note in notes if "no die" in note] == expected
    assert (bins.hard is not None and bins.hard[0, 1] > 0) == bool(state)


def test_bins_without_a_quality() -> None:
    dies, _, notes = meant("123", "ascii", ".", BinDefinition("1", "BIN1"), pass_bins=(2,))
    assert dies == [[2, 1, 2]]
    assert notes == ["bins of no known quality taken as pass if 2, else fail: 1, 2, 3"]
    dies, _, notes = meant("123", "ascii", ".", BinDefinition("3", "Pass"))
    assert dies == [[2, 2, 1]]
    assert notes == ["bins of no known quality taken as fail: 1, 2"]


def test_a_null_bin_that_is_not_said() -> None:
    dies, _, notes = meant("001255", "decimal", None, BinDefinition("1", "Pass"))
    assert dies == [[1, 0]]
    assert notes == ["no NullBin: 255 taken as no die"]
    dies, _, notes = meant("001255", "decimal", None, BinDefinition("255", "Fail"))
    assert dies == [[1, 2]]
    assert not any("NullBin" in note for note in notes)


def test_spellings_of_one_number() -> None:
    dies, bins, _ = meant("1 001 01", "decimal", "255", BinDefinition("1", "Pass", "", 3))
    assert dies == [[1, 1, 1]]
    assert bins.hard is not None
    assert bins.hard.tolist() == [[1, 1, 1]]


def test_letters_as_bins() -> None:
    dies, bins, _ = meant(
        "1X.", "ascii", ".", BinDefinition("1", "Pass"), BinDefinition("X", "Fail")
    )
    assert dies == [[1, 2, 0]]
    assert bins.hard is not None
    assert bins.hard.tolist() == [[1, ord("X"), 0]]


def test_bin_zero_and_counts_that_differ() -> None:
    dies, bins, notes = meant(
        "000", "ascii", ".", BinDefinition("0", "Pass", "", 4), BinDefinition("7", "Fail", "", 0)
    )
    assert dies == [[1, 1, 1]]
    assert bins.hard is None
    assert notes == [
        "bin 0 is a bin of tested dies in this file; in a map 0 stands for none",
        "BinCount differs from the map's count: bins 0",
    ]


def test_codes_of_another_type() -> None:
    with pytest.raises(FormatError, match="decimal"):
        meant("0A1", "decimal", "255")


@pytest.mark.parametrize(
    ("kind", "null", "codes", "width"),
    [
        ("ascii", None, ("1", "A"), 1),
        ("ascii", None, ("01", "FF"), 2),
        ("ascii", None, ("1", "10"), 1),
        ("ascii", "___", ("01",), 3),
        ("ascii", None, (), 1),
        ("ascii", None, ("DEFAULT",), 1),
        ("decimal", None, ("1",), 3),
        ("hexadecimal", "FF", ("001",), 2),
    ],
)
def test_signs_per_die(kind: str, null: str | None, codes: tuple[str, ...], width: int) -> None:
    assert code_width(kind, null, [BinDefinition(code) for code in codes]) == width
