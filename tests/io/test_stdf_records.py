"""The record scanner: every way in which a file can end, break or hold more than is known."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.stdf_file import (
    BIG,
    LITTLE,
    far,
    measurement,
    mir,
    mrr,
    prr,
    record,
    text,
    wcr,
    whole,
    wir,
    wrr,
)
from waferscope.errors import FormatError
from waferscope.io import archive, read
from waferscope.io.stdf import records

SMALL = whole(wcr(), wir(), *(prr(n, n % 3, flag=8 * (n % 2)) for n in range(6)), wrr())


def boundaries(data: bytes) -> list[int]:
    at, found = 0, []
    while at < len(data):
        at += 4 + int.from_bytes(data[at : at + 2], "little")
        found.append(at)
    return found


def parts_before(data: bytes, cut: int) -> int:
    starts = [0, *boundaries(data)]
    return sum(data[a + 2 : a + 4] == b"\x05\x14" and b <= cut for a, b in pairwise(starts))


@pytest.mark.parametrize("cut", range(len(SMALL)))
def test_every_truncation_point(cut: int) -> None:
    whole_parts = parts_before(SMALL, cut)
    if not whole_parts:
        with pytest.raises(FormatError):
            read(SMALL[:cut])
        return
    (wafer,) = read(SMALL[:cut])
    assert wafer.die_count == whole_parts
    assert f"read to the last whole record ({whole_parts} parts)" in wafer.notes[0]
    assert ("inside the record" in wafer.notes[0]) == (cut not in boundaries(SMALL))
    with pytest.raises(FormatError, match="whole STDF file"):
        read(SMALL[:cut], strict=True)


def test_a_whole_file_is_not_damaged() -> None:
    (wafer,) = read(SMALL, strict=True)
    assert wafer.notes == ()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_cut_packing_gives_what_came_before(pack: object) -> None:
    data = whole(wir(), *(measurement(size=900) for _ in range(2000)), prr(0, 0), prr(1, 0))
    early = (
        far() + mir() + wir() + prr(0, 0) + b"".join(measurement(size=n % 997) for n in range(4000))
    )
    packed = gzip.compress(early, compresslevel=1)
    (wafer,) = read(packed[: len(packed) - 40])
    assert wafer.die_count == 1
    assert "packed data is damaged" in wafer.notes[0]
    with pytest.raises(FormatError):
        read(packed[: len(packed) - 40], strict=True)
    with pytest.raises(FormatError):
        read(pack(data)[:60])  # type: ignore[operator]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7, 64])
def test_chunks_may_part_records_anywhere(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = record(LITTLE, (220, 3), b"theirs")
    data = whole(wir(), prr(0, 0), measurement(), maker, prr(1, 0), measurement(size=300), wrr())
    plain = read(data)
    monkeypatch.setattr(archive, "CHUNK_BYTES", chunk)
    assert read(data) == plain
    assert plain[0].notes[0] == "records of unknown kinds passed over: (220, 3) 1 times"


def test_makers_own_records_are_passed_over_and_counted() -> None:
    maker = record(LITTLE, (220, 3), bytes(70))
    (wafer,) = read(whole(wir(), maker, maker, prr(0, 0), maker, prr(1, 0), wrr(), maker))
    assert wafer.die_count == 2
    assert "(220, 3) 4 times" in wafer.notes[0]


ADDED = [(1, sub) for sub in (*range(90, 98), *range(99, 103))] + [(15, 30), (15, 40)]
"""What V4-2007 and Memory:2010.1 add to V4, but VUR."""


@pytest.mark.parametrize("endian", [LITTLE, BIG])
def test_records_of_the_extensions_are_passed_over(endian: str) -> None:
    """None lies before a record that would vouch for it, and none is counted as a maker's own."""
    parts = [record(endian, kind, bytes([7] * 300)) for kind in ADDED for _ in range(2)]
    version = record(endian, (0, 30), text("V4-2007"))
    inner = (*parts, prr(1, 2, endian=endian), *parts, wrr(endian), mrr(endian))
    data = b"".join((far(endian), version, mir(endian), wir(endian), *inner))
    scan = records.scan_records(archive.Blob("lot.stdf", "", io.BytesIO(data)))
    assert (scan.damage, scan.strange) == ("", {})
    assert scan.parts[["x", "y"]].tolist() == [(1, 2)]


def test_a_lost_place_stops_the_walk() -> None:
    good = whole(wir(), prr(0, 0), prr(1, 0), wrr())
    at = good.index(prr(1, 0))
    longer = good[:at] + struct.pack("<H", 14) + good[at + 2 :]  # one byte too long
    (wafer,) = read(longer)
    assert wafer.die_count == 2
    assert "unknown kind" in wafer.notes[0] or "inside the record" in wafer.notes[0]
    with pytest.raises(FormatError):
        read(longer, strict=True)


@pytest.mark.parametrize(
    "broken",
    [
        record(LITTLE, (5, 20), bytes(3)),
        record(LITTLE, (5, 20), bytes(900)),
        record(LITTLE, (2, 10), bytes(1)),
        record(LITTLE, (1, 40), bytes(4)),
        record(LITTLE, (0, 10), bytes(9)),
    ],
)
def test_records_of_impossible_length_stop_the_walk(broken: bytes) -> None:
    (wafer,) = read(whole(wir(), prr(0, 0), broken, prr(1, 0)))
    assert wafer.die_count == 1
    assert "which cannot be, at byte" in wafer.notes[0]


def test_padding_after_the_end_is_no_damage() -> None:
    (wafer,) = read(SMALL + bytes(512), strict=True)
    assert wafer.notes == ()


def test_files_joined_end_to_end() -> None:
    both = whole(wir(name="A"), prr(0, 0), wrr(name="A")) + whole(
        wir(name="B"), prr(0, 0), wrr(name="B")
    )
    assert [w.wafer_id for w in read(both)] == ["A", "B"]


def test_a_wafer_sort_file_without_mrr_says_so() -> None:
    (wafer,) = read(far() + mir() + wir() + prr(0, 0) + wrr())
    assert "without its last record (MRR)" in wafer.notes[0]


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (far(cpu=0), "VAX"),
        (far(version=3), "version 3"),
        (far(BIG, cpu=0), "VAX"),
    ],
)
def test_what_is_refused(head: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(head + SMALL[6:])


@pytest.mark.parametrize("data", [b"", b"\x02\x00\x00\x0a", b"STDF", bytes(40)])
def test_what_is_not_stdf(data: bytes) -> None:
    with pytest.raises(FormatError, match="starts with a FAR record"):
        read(data, "stdf")


def test_too_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_PARTS", 5)
    with pytest.raises(FormatError, match="at most 5 part results"):
        read(SMALL)


def test_fields_past_the_end_have_their_missing_value() -> None:
    fields = records.Fields(b"\x05\x03ab", "<")
    assert fields.number("B") == 5
    assert fields.text() == "ab"  # its length says 3
    assert fields.text() == ""
    assert fields.char() == " "
    assert fields.number("H", 0xFFFF) == 0xFFFF


def test_text_is_cleaned() -> None:
    raw = "  Ä\x00\x1b[31m ".encode("latin-1")
    assert records.Fields(bytes([len(raw)]) + raw, "<").text() == "Ä[31m"


@settings(max_examples=150)
@given(st.data())
def test_a_broken_file_raises_only_format_error(data: st.DataObject) -> None:
    broken = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(broken)))
    with suppress(FormatError):
        read(bytes(broken[:cut]), "stdf")


@settings(max_examples=60)
@given(st.binary(max_size=200), st.integers(0, 250), st.sampled_from([LITTLE, BIG]))
def test_headers_are_followed_as_by_a_plain_walk(data: bytes, start: int, endian: str) -> None:
    places, at = [], start
    while at + 4 <= len(data):
        places.append(at)
        at += 4 + struct.unpack_from(f"{endian}H", data, at)[0]
    found, after = records.follow_headers(data, start, endian)
    assert (found.tolist(), after) == (places, at)
