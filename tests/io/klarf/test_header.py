"""Names, sizes and orientation from fields as files write them."""

from __future__ import annotations

import pytest

from waferscope.io.klarf.header import read_names, read_notch, read_pair, read_sizes, read_word


def test_names() -> None:
    notes: list[str] = []
    fields = {"lotid": [b'" L 1 "'], "slot": [b"7"], "inspectionstationid": [b'"KLA"', b'""'],
              "resulttimestamp": [b"soon"], "stepid": [b'""']}  # fmt: skip
    found = read_names(fields, notes)
    assert found == {"lot_id": "L 1", "product": None, "step": None, "tester": "KLA", "slot": 7,
                     "tested_at": None}  # fmt: skip
    assert notes == ["ResultTimestamp not understood: 'soon'"]


@pytest.mark.parametrize("slot", [b"x", b"1.5", b"1e99", b""])
def test_a_slot_is_a_whole_number(slot: bytes) -> None:
    assert read_names({"slot": [slot]}, [])["slot"] is None


@pytest.mark.parametrize(
    ("size", "per_mm", "expected"),
    [([b"1", b"200"], 1000.0, 200.0), ([b"2", b"100", b"50"], 1000.0, None),
     ([b"300000000", b"0"], 1e6, 300.0), ([b"1000", b"2000"], 1e6, None), ([], 1000.0, None)],
)  # fmt: skip
def test_diameter(size: list[bytes], per_mm: float, expected: float | None) -> None:
    notes: list[str] = []
    assert read_sizes({"samplesize": size}, per_mm, notes)["diameter_mm"] == expected
    assert bool(notes) == (expected is None and bool(size))


@pytest.mark.parametrize("pitch", [[b"-5e3", b"6e3"], [b"5e3", b"6e3"], [b"NA", b"NA"]])
def test_a_pitch_that_is_none_is_noted(pitch: list[bytes]) -> None:
    notes: list[str] = []
    read_sizes({"diepitch": pitch}, 1000.0, notes)
    bad = pitch[0] != b"5e3"
    assert any("is no size of a die" in note for note in notes) == bad


def test_die_size() -> None:
    found = read_sizes({"diepitch": [b"2.4598780000e+03", b"-1"]}, 1000.0, [])
    assert (found["die_width_mm"], found["die_height_mm"]) == (2.459878, None)
    assert read_sizes({"diepitch": [b"5100000", b"NA"]}, 1e6, [])["die_width_mm"] is None


@pytest.mark.parametrize(
    ("said", "notch"),
    [(b"DOWN", "down"), (b'"Bottom"', "down"), (b"90", "left"), (b"180", "up"), (b"-90", "right")],
)
def test_notch(said: bytes, notch: str) -> None:
    assert read_notch({"orientationmarklocation": [said]}, []) == notch


def test_a_flat_and_a_missing_place_are_noted() -> None:
    notes: list[str] = []
    assert read_notch({"sampleorientationmarktype": [b'"FLAT"']}, notes) == "down"
    assert len(notes) == 2


def test_pairs_and_words() -> None:
    fields = {"a": [b"1", b"2", b"3"], "b": [b"1"], "c": [b"1", b"inf"]}
    assert [read_pair(fields, name) for name in "abcd"] == [(1.0, 2.0), None, None, None]
    assert read_word({"a": [b'"yes"']}, "a") == "YES"
