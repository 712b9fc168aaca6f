"""Reading STDF V4: geometry, results, retests and grouping, on files made record by record."""

from __future__ import annotations

import bz2
import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.one_wafer import said
from tests.io.stdf_file import (
    BIG,
    LITTLE,
    bin_record,
    measurement,
    one_of,
    prr,
    record,
    wcr,
    whole,
    wir,
    wrr,
)
from waferscope.errors import FormatError
from waferscope.io import read

NOWHERE = -32768


@pytest.mark.parametrize(
    ("name", "parts", "passed"),
    [("lot2.stdf.gz", 1569, 1389), ("lot3.stdf.bz2", 1619, 1377)],
)
def test_real_lots(shared_data: Path, name: str, parts: int, passed: int) -> None:
    (wafer,) = read(shared_data / "formats" / "stdf" / name)
    assert wafer.die_count == 1456
    assert wafer.shape == (43, 42)
    corners = {wafer.frame.to_xy(0, 0), wafer.frame.to_xy(42, 41)}
    assert corners == {(4, -3), (45, -45)}
    assert wafer.die_count - wafer.fail_count == passed
    assert said(wafer, f"{parts - 1456} results retested")
    assert wafer.lot_id == "GAL-LOT"
    assert wafer.notch == "down"
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert (wafer.bins.hard > 0).sum() == 1456


@pytest.mark.parametrize("name", ["lot2.stdf.gz", "lot3.stdf.bz2"])
def test_a_real_lot_agrees_with_a_plain_walk(shared_data: Path, name: str) -> None:
    path = shared_data / "formats" / "stdf" / name
    data = (gzip if name.endswith("gz") else bz2).decompress(path.read_bytes())
    last: dict[tuple[int, int], tuple[int, int]] = {}
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        if data[at + 2 : at + 4] == b"\x05\x14":
            body = data[at + 4 : at + 4 + size]
            x, y = (int.from_bytes(body[n : n + 2], "big", signed=True) for n in (9, 11))
            last[x, y] = body[2] >> 3 & 1, int.from_bytes(body[5:7], "big")
        at += 4 + size
    (wafer,) = read(data)
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    for (x, y), (failed, number) in last.items():
        cell = wafer.frame.to_cell(x, y)
        assert wafer.dies[cell] == 1 + failed
        assert wafer.bins.hard[cell] == number


@pytest.mark.parametrize("endian", [LITTLE, BIG])
def test_byte_orders(endian: str) -> None:
    wafer = one_of(
        wcr(endian, sizes=(200, 5, 4), units=3),
        wir(endian, "W9", start=86400),
        measurement(endian),
        prr(-3, 300, endian=endian, hard=1, soft=258),
        prr(-2, 299, endian=endian, flag=8, hard=513),
        wrr(endian, "W9"),
        endian=endian,
    )
    assert wafer.dies.tolist() == [[1, 0], [0, 2]]
    assert wafer.frame.to_xy(0, 0) == (-3, 300)
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert wafer.bins.soft is not None
    assert wafer.bins.hard.tolist() == [[1, 0], [0, 513]]
    assert wafer.bins.soft[0, 0] == 258
    assert (wafer.wafer_id, wafer.lot_id, wafer.product, wafer.tester) == (
        "W9",
        "LOT",
        "PART",
        "NODE",
    )
    assert wafer.tested_at == datetime(1970, 1, 2, tzinfo=UTC)


RETESTED = (prr(0, 0, hard=1), prr(0, 0, flag=8, hard=5), prr(0, 0, hard=2), prr(1, 0))


@pytest.mark.parametrize(
    ("retests", "state", "number"), [("last", 1, 2), ("first", 1, 1), ("worst", 2, 5)]
)
def test_retests(retests: str, state: int, number: int) -> None:
    wafer = one_of(wir(), *RETESTED, retests=retests)
    assert wafer.dies.tolist() == [[state, 1]]
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert wafer.bins.hard[0, 0] == number
    assert said(wafer, f"2 results retested: the {retests} one")


def test_a_part_supersedes_the_one_of_its_name() -> None:
    parts = (
        prr(0, 0, flag=8, name="7"),
        prr(1, 0, name="8"),
        prr(NOWHERE, NOWHERE, flag=1, name="7"),  # takes over the place of part 7
        prr(3, 0, flag=1, name="8"),  # part 8 was booked at the wrong place
        prr(2, 0, flag=8 | 1),  # no name: supersedes nothing
    )
    assert one_of(wir(), *parts).dies.tolist() == [[1, 0, 2, 1]]
    assert one_of(wir(), *parts, retests="first").dies.tolist() == [[2, 1, 2, 1]]


def test_parts_without_a_place_are_counted() -> None:
    wafer = one_of(wir(), prr(0, 0), prr(NOWHERE, 3), prr(2, NOWHERE), prr(NOWHERE, NOWHERE))
    assert wafer.die_count == 1
    assert said(wafer, "3 parts without x and y left out")


ROUND = [(x, y) for x in range(-9, 10) for y in range(-9, 10) if x * x + y * y < 91]


@pytest.mark.parametrize(
    ("centre", "dies", "words", "found"),
    [
        ((0, 0), [die for die in ROUND if die[0] > 0], "not in the middle of the tested", (0, 0)),
        ((0, 0), ROUND, "", None),
        ((1, -1), ROUND, "", None),  # the middle of the dies is nearer the truth
        ((128, 128), ROUND, "not used", None),
        ((NOWHERE, NOWHERE), [die for die in ROUND if die[0] > 0], "", None),
    ],
)
def test_the_centre_of_a_wafer_tested_in_part(
    centre: tuple[int, int], dies: list[tuple[int, int]], words: str, found: tuple[int, int] | None
) -> None:
    parts = [prr(x, y) for x, y in dies]
    wafer = one_of(wcr(sizes=(200, 10, 10), units=3, centre=centre), wir(), *parts)
    assert wafer.centre == (found and wafer.frame.to_cell(*found))
    assert said(wafer, "the WCR has the wafer's centre") == bool(words)
    assert not words or said(wafer, words)
    unsized = one_of(wcr(centre=centre), wir(), *parts)
    assert unsized.centre is None


def test_bin_zero_is_noted() -> None:
    wafer = one_of(wir(), prr(0, 0, hard=0, soft=1), prr(1, 0, flag=8, hard=5, soft=0))
    assert wafer.dies.tolist() == [[1, 2]]
    assert said(wafer, "hard and soft bin 0 is a bin of tested dies")
    assert said(one_of(wir(), prr(0, 0, soft=0)), "soft bin 0 is a bin of tested dies")
    assert not said(one_of(wir(), prr(0, 0)), "bin 0")


def test_verdict_falls_back_to_the_bins() -> None:
    unsure = 0x10
    wafer = one_of(
        wir(),
        prr(0, 0, flag=unsure, hard=4),  # HBR says pass
        prr(1, 0, flag=unsure | 8, hard=5),  # HBR says fail
        prr(2, 0, flag=unsure, hard=6, soft=70),  # SBR says pass
        prr(3, 0, flag=unsure, hard=1, soft=99),  # nobody says: bin 1
        prr(4, 0, flag=unsure, hard=9, soft=99),  # nobody says: another bin
        bin_record(4, "P", "good too"),
        bin_record(5, "F", "open"),
        bin_record(70, "P", "fast", soft=True),
        bin_record(4, "P", "a second name"),
    )
    assert wafer.dies.tolist() == [[1, 2, 1, 1, 2]]
    assert said(wafer, "2 parts without a verdict")
    assert wafer.bins is not None
    assert wafer.bins.hard_names == {4: "good too", 5: "open"}
    assert wafer.bins.soft_names == {70: "fast"}


def test_missing_soft_bin_is_none() -> None:
    wafer = one_of(wir(), prr(0, 0, soft=0xFFFF), prr(1, 0, soft=0xFFFF))
    assert wafer.bins is not None
    assert wafer.bins.soft is None


def test_short_parts_have_no_place() -> None:
    short = record(LITTLE, (5, 20), bytes([1, 0, 0, 0, 0, 1, 0]))
    wafer = one_of(wir(), prr(0, 0), short)
    assert wafer.die_count == 1
    assert said(wafer, "1 parts without x and y")


def test_wafers_without_a_placed_part_are_left_out() -> None:
    (wafer,) = read(whole(wir(name="A"), wrr(name="A"), wir(name="B"), prr(0, 0)))
    assert wafer.wafer_id == "B"
    assert said(wafer, "left out: A")


def test_final_test_has_no_map() -> None:
    with pytest.raises(FormatError, match=r"2 parts and none placed.*final-test"):
        read(whole(prr(NOWHERE, NOWHERE), prr(NOWHERE, NOWHERE)))


def test_places_that_stand_for_none_are_left_out() -> None:
    placed = [prr(x, y) for x in range(6) for y in range(6)]
    wafer = one_of(wir(), *placed, prr(32767, 32767))
    assert wafer.shape == (6, 6)
    assert said(wafer, "1 results far from all others left out: 32767,32767")


def test_dies_too_far_apart() -> None:
    with pytest.raises(FormatError, match="x from -32767 to 32767"):
        read(whole(wir(), prr(-32767, 0), prr(32767, 0)))


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.tuples(st.integers(-60, 60), st.integers(-60, 60)),
        st.booleans(),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from(["RU", "RD", "LU", "LD"]),
)
def test_every_part_is_where_the_frame_says(parts: dict[tuple[int, int], bool], axes: str) -> None:
    wafer = one_of(
        wcr(axes=axes), wir(), *(prr(x, y, flag=8 * bad) for (x, y), bad in parts.items())
    )
    found = {
        wafer.frame.to_xy(int(row), int(col)): bool(wafer.dies[row, col] == 2)
        for row, col in np.argwhere(wafer.dies)
    }
    assert found == parts
