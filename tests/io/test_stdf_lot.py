"""What an STDF file says of all its wafers: names, sizes, axes, notch and bins."""

from __future__ import annotations

import io
import struct

import pytest

from tests.io.one_wafer import one, said
from tests.io.stdf_file import (
    BIG,
    LITTLE,
    bin_record,
    far,
    mir,
    mrr,
    one_of,
    prr,
    record,
    text,
    wcr,
    whole,
    wir,
)
from waferscope.io import read
from waferscope.io.archive import Blob
from waferscope.io.stdf.lot import Lot, read_lot
from waferscope.io.stdf.records import scan_records


def lot_of(data: bytes) -> Lot:
    return read_lot(scan_records(Blob("lot.stdf", "", io.BytesIO(data))))


@pytest.mark.parametrize(
    ("units", "factor"), [(1, 25.4), (2, 10.0), (3, 1.0), (4, 0.0254), (0, None), (9, None)]
)
def test_units(units: int, factor: float | None) -> None:
    wafer = one_of(wcr(sizes=(7.9, 0.3, 0.2), units=units), wir(), prr(0, 0))
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
    wafer = one_of(wcr(flat=flat, axes=axes), wir(), prr(10, 20, flag=8), prr(12, 20), prr(10, 23))
    row, col = wafer.frame.to_cell(10, 20)
    assert wafer.dies[row, col] == 2
    assert col == (0 if axes[0] == "R" else 2)
    assert row == (3 if axes[1] == "U" else 0)
    assert wafer.notch == notch
    assert not wafer.notes


def test_what_the_file_does_not_say_is_noted() -> None:
    assert said(one_of(wir(), prr(0, 0)), "no WCR record")
    wafer = one_of(wcr(flat=" ", axes="  "), wir(), prr(0, 0), prr(0, 1, flag=8))
    assert said(wafer, "x taken as growing right, y taken as growing down, the notch taken as down")
    assert wafer.dies.tolist() == [[1], [2]]


def test_sizes_of_nonsense_are_left_out() -> None:
    wafer = one_of(wcr(sizes=(float("nan"), float("inf"), -4.0), units=3), wir(), prr(0, 0))
    assert wafer.diameter_mm is None
    assert wafer.die_height_mm is None
    assert wafer.die_width_mm is None


def test_two_lots_in_one_file_are_noted() -> None:
    data = far() + mir(names=("L1",)) + wir() + prr(0, 0) + mir(names=("L2",)) + mrr()
    (wafer,) = read(data)
    assert wafer.lot_id == "L1"
    assert said(wafer, "2 MIR records")


NAMES = ("L1", "P", "N", "T", "JOB", "REV", "SUB", "OPER", "EXEC", "VER", "CP1")


@pytest.mark.parametrize("endian", [LITTLE, BIG])
def test_names_of_the_lot(endian: str) -> None:
    lot = lot_of(far(endian) + mir(endian, NAMES) + wir(endian) + prr(0, 0, endian=endian))
    assert lot.fields == {"lot_id": "L1", "product": "P", "tester": "N", "step": "CP1"}


def test_names_that_are_empty_or_missing_stay_out() -> None:
    data = far() + mir(names=("", "P")) + wcr() + wir() + prr(0, 0) + mrr()
    assert lot_of(data).fields == {"product": "P", "notch": "down"}


def test_of_two_wafer_configurations_the_first_counts() -> None:
    lot = lot_of(whole(wcr(flat="U", axes="LU"), wcr(flat="R", axes="RD"), prr(0, 0)))
    assert (lot.right, lot.up, lot.fields["notch"]) == (False, True, "up")
    assert lot.notes == []


def test_sizes_are_the_shortest_decimals() -> None:
    fields = lot_of(whole(wcr(sizes=(300, 5.1, 0.1), units=3), prr(0, 0))).fields
    assert struct.unpack("<f", struct.pack("<f", 5.1))[0] != 5.1
    assert (fields["diameter_mm"], fields["die_height_mm"], fields["die_width_mm"]) == (
        300.0,
        5.1,
        0.1,
    )


def test_bins_hard_and_soft_are_kept_apart() -> None:
    lot = lot_of(
        whole(
            prr(0, 0),
            bin_record(1, "P", "good"),
            bin_record(1, "F", "second"),
            bin_record(2, " ", "unsaid"),
            bin_record(3, "F", ""),
            bin_record(1, "F", "soft one", soft=True),
        )
    )
    assert lot.hard_names == {1: "good", 2: "unsaid"}
    assert lot.hard_pass == {1: True, 3: False}
    assert lot.soft_names == {1: "soft one"}
    assert lot.soft_pass == {1: False}


def test_a_record_that_ends_early_says_what_it_can() -> None:
    sizes = record(LITTLE, (2, 30), struct.pack("<fff", 200, 4, 5))
    lot = lot_of(
        whole(sizes, record(LITTLE, (1, 40), struct.pack("<BBHI", 255, 0, 7, 1)), prr(0, 0))
    )
    assert "diameter_mm" not in lot.fields
    assert any("unknown units" in note for note in lot.notes)
    assert (lot.right, lot.up) == (True, False)
    assert lot.hard_names == {}
    assert lot.hard_pass == {}


@pytest.mark.parametrize("length", range(21))
def test_a_wafer_configuration_may_leave_out_its_last_fields(length: int) -> None:
    body = struct.pack("<fffB", 200, 4, 5, 3) + b"L" + struct.pack("<hh", 1, 1) + b"LU"
    wafer = one_of(record(LITTLE, (2, 30), body[:length]), wir(), prr(0, 0), prr(1, 0, flag=8))
    assert wafer.die_count == 2
    assert wafer.diameter_mm == (200.0 if length > 12 else None)
    assert not said(wafer, "read to the last whole record")


@pytest.mark.parametrize(
    "bodies",
    [
        [text("V4-2007"), text("Scan:2007.1")],  # by the standard, one record per extension
        [b"\x02" + text("V4-2007") + text("Scan:2007.1")],  # as the V93000 writes it
    ],
)
def test_extensions_are_named(bodies: list[bytes]) -> None:
    records = [record(LITTLE, (0, 30), body) for body in bodies]
    wafer = one(far() + b"".join(records) + mir() + wir() + prr(0, 0) + mrr())
    assert said(wafer, "STDF V4 with the extensions V4-2007, Scan:2007.1")
