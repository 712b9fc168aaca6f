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

from tests.io.stdf_file import (
    BIG,
    LITTLE,
    bin_record,
    far,
    measurement,
    mir,
    mrr,
    prr,
    record,
    wcr,
    whole,
    wir,
    wrr,
)
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io import read

NOWHERE = -32768


def one(*parts: bytes, endian: str = LITTLE, **options: str) -> WaferMap:
    (wafer,) = read(whole(*parts, endian=endian), **options)  # type: ignore[arg-type]
    return wafer


def said(wafer: WaferMap, words: str) -> bool:
    return any(words in note for note in wafer.notes)


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
    wafer = one(
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


@pytest.mark.parametrize(
    ("units", "factor"), [(1, 25.4), (2, 10.0), (3, 1.0), (4, 0.0254), (0, None), (9, None)]
)
def test_units(units: int, factor: float | None) -> None:
    wafer = one(wcr(sizes=(7.9, 0.3, 0.2), units=units), wir(), prr(0, 0))
    sizes = wafer.diameter_mm, wafer.die_height_mm, wafer.die_width_mm
    if factor is None:
        assert sizes == (None, None, None)
        assert said(wafer, "unknown units")
    else:
        assert sizes == pytest.approx((7.9 * factor, 0.3 * factor, 0.2 * factor), rel=1e-9)


@pytest.mark.parametrize("axes", ["RU", "RD", "LU", "LD"])
@pytest.mark.parametrize(
    ("flat", "notch"), [("U", "up"), ("D", "down"), ("L", "left"), ("R", "right")]
)
def test_orientation(axes: str, flat: str, notch: str) -> None:
    wafer = one(wcr(flat=flat, axes=axes), wir(), prr(10, 20, flag=8), prr(12, 20), prr(10, 23))
    row, col = wafer.frame.to_cell(10, 20)
    assert wafer.dies[row, col] == 2
    assert col == (0 if axes[0] == "R" else 2)
    assert row == (3 if axes[1] == "U" else 0)
    assert wafer.notch == notch
    assert not wafer.notes


def test_what_the_file_does_not_say_is_noted() -> None:
    assert said(one(wir(), prr(0, 0)), "no WCR record")
    wafer = one(wcr(flat=" ", axes="  "), wir(), prr(0, 0), prr(0, 1, flag=8))
    assert said(wafer, "x taken as growing right, y taken as growing down, the notch taken as down")
    assert wafer.dies.tolist() == [[1], [2]]


def test_sizes_of_nonsense_are_left_out() -> None:
    wafer = one(wcr(sizes=(float("nan"), float("inf"), -4.0), units=3), wir(), prr(0, 0))
    assert wafer.diameter_mm is None
    assert wafer.die_height_mm is None
    assert wafer.die_width_mm is None


RETESTED = (prr(0, 0, hard=1), prr(0, 0, flag=8, hard=5), prr(0, 0, hard=2), prr(1, 0))


@pytest.mark.parametrize(
    ("retests", "state", "number"), [("last", 1, 2), ("first", 1, 1), ("worst", 2, 5)]
)
def test_retests(retests: str, state: int, number: int) -> None:
    wafer = one(wir(), *RETESTED, retests=retests)
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
    assert one(wir(), *parts).dies.tolist() == [[1, 0, 2, 1]]
    assert one(wir(), *parts, retests="first").dies.tolist() == [[2, 1, 2, 1]]


def test_parts_without_a_place_are_counted() -> None:
    wafer = one(wir(), prr(0, 0), prr(NOWHERE, 3), prr(2, NOWHERE), prr(NOWHERE, NOWHERE))
    assert wafer.die_count == 1
    assert said(wafer, "3 parts without x and y left out")


def test_verdict_falls_back_to_the_bins() -> None:
    unsure = 0x10
    wafer = one(
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
    wafer = one(wir(), prr(0, 0, soft=0xFFFF), prr(1, 0, soft=0xFFFF))
    assert wafer.bins is not None
    assert wafer.bins.soft is None


def test_short_parts_have_no_place() -> None:
    short = record(LITTLE, (5, 20), bytes([1, 0, 0, 0, 0, 1, 0]))
    wafer = one(wir(), prr(0, 0), short)
    assert wafer.die_count == 1
    assert said(wafer, "1 parts without x and y")


def test_many_wafers_and_concurrent_heads() -> None:
    wafers = read(
        whole(
            wir(name="A", head=1),
            wir(name="B", head=2),
            prr(0, 0, head=1),
            prr(0, 0, head=2, flag=8),
            prr(1, 0, head=2),
            wrr(name="A", head=1),
            prr(2, 0, head=2),
            wrr(name="B", head=2),
            wir(name="", head=1),
            prr(5, 5, head=1),
            wrr(name="C", head=1),  # the name comes at the end
        )
    )
    assert [(w.wafer_id, w.dies.tolist()) for w in wafers] == [
        ("A", [[1]]),
        ("B", [[2, 1, 1]]),
        ("C", [[1]]),
    ]


def test_a_wafer_left_open_ends_where_the_next_begins() -> None:
    wafers = read(whole(wir(name="A"), prr(0, 0), wir(name="B"), prr(1, 1), prr(1, 2)))
    assert [w.die_count for w in wafers] == [1, 2]


def test_without_wafer_records_parts_are_grouped_by_head() -> None:
    (wafer,) = read(whole(prr(0, 0), prr(1, 0, flag=8)))
    assert wafer.dies.tolist() == [[1, 2]]
    assert said(wafer, "no wafer records")
    two = read(whole(prr(0, 0, head=1), prr(0, 0, head=2, flag=8)))
    assert [(w.wafer_id, w.dies.tolist()) for w in two] == [("head 1", [[1]]), ("head 2", [[2]])]


def test_a_wrr_alone_ends_a_wafer() -> None:
    first, second = read(whole(prr(0, 0), wrr(name="A"), prr(1, 0), prr(2, 0), wrr(name="B")))
    assert (first.wafer_id, first.die_count) == ("A", 1)
    assert (second.wafer_id, second.die_count) == ("B", 2)
    assert said(first, "no WIR record")


def test_parts_after_the_last_wrr_are_not_lost() -> None:
    first, rest = read(whole(wir(name="A"), prr(0, 0), wrr(name="A"), prr(1, 0)))
    assert first.wafer_id == "A"
    assert said(rest, "outside every wafer record")


def test_a_second_run_of_some_dies_is_a_retest() -> None:
    first = (wir(name="A"), prr(0, 0, flag=8), prr(1, 0), wrr(name="A"))
    (wafer,) = read(whole(*first, wir(name="A"), prr(0, 0), wrr(name="A")))
    assert wafer.dies.tolist() == [[1, 1]]
    assert said(wafer, "second run of 1 of its dies")
    apart = read(whole(*first, *first))
    assert len(apart) == 2
    assert said(apart[1], "is named 'A' too")


def test_wafers_without_a_placed_part_are_left_out() -> None:
    (wafer,) = read(whole(wir(name="A"), wrr(name="A"), wir(name="B"), prr(0, 0)))
    assert wafer.wafer_id == "B"
    assert said(wafer, "left out: A")


def test_final_test_has_no_map() -> None:
    with pytest.raises(FormatError, match=r"2 parts and none placed.*final-test"):
        read(whole(prr(NOWHERE, NOWHERE), prr(NOWHERE, NOWHERE)))


def test_dies_too_far_apart() -> None:
    with pytest.raises(FormatError, match="x from -32767 to 32767"):
        read(whole(wir(), prr(-32767, 0), prr(32767, 0)))


def test_two_lots_in_one_file_are_noted() -> None:
    data = far() + mir(names=("L1",)) + wir() + prr(0, 0) + mir(names=("L2",)) + mrr()
    (wafer,) = read(data)
    assert wafer.lot_id == "L1"
    assert said(wafer, "2 MIR records")


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
    wafer = one(wcr(axes=axes), wir(), *(prr(x, y, flag=8 * bad) for (x, y), bad in parts.items()))
    found = {
        wafer.frame.to_xy(int(row), int(col)): bool(wafer.dies[row, col] == 2)
        for row, col in np.argwhere(wafer.dies)
    }
    assert found == parts
