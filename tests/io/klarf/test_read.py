"""KLARF in: real files against counts made by hand, generated ones against what was put in."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.klarf.klarf_text import COLUMNS, Part, Spot, flat, nested
from waferscope.domain.wafermap import Frame, WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, sniff

DIES = [(x, y) for x in range(-4, 5) for y in range(-9, 10) if (x / 4.5) ** 2 + (y / 9.5) ** 2 < 1]

# Counted with awk: dies that exist, defective ones, and where these lie.
Counted = tuple[int | None, int, tuple[int, int] | None, tuple[int, int] | None]
REAL: dict[str, list[Counted]] = {
    "QUU_NUU.000": [(4306, 37, (-31, 34), (-32, 31)), (4306, 22, (-30, 34), (-26, 27)),
                    (4306, 58, (-26, 38), (-33, 33))],
    "LARGE_KLARF.000": [(None, 120, (-26, 28), (-20, 27))],
    "LAA_FAA_LAA-01.000": [(None, 17, (-19, 20), (-20, 19))],
    "klarf_no_defect.000": [(1038, 0, None, None)],
    "simple12.klarf": [(1, 1, (0, 0), (0, 0))],
    "klarf12Example.klarf": [(2, 2, (-1, 1), (-1, 1))],
    "klarf12DefectListExample.klarf": [(5, 2, (1, 1), (11, 12))],
    "klarfWithImagelist.klarf": [(5, 4, (-2, -2), (-9, 8))],
    "simple18.klarf": [(12, 3, (-3, 2), (-27, 24)), (1, 1, (-14, -14), (13, 13))],
    "wierdKlarfWithNAs.klarf": [(12, 3, (-3, 2), (-27, 24)), (1, 1, (-14, -14), (13, 13))],
}  # fmt: skip


def states(wafer: WaferMap) -> dict[tuple[int, int], int]:
    """The state of each die by the coordinates of the file."""
    rows, cols = np.nonzero(wafer.dies)
    return {
        wafer.frame.to_xy(r, c): int(wafer.dies[r, c])
        for r, c in zip(rows.tolist(), cols.tolist(), strict=True)
    }


@pytest.mark.parametrize("name", REAL)
def test_real_files(shared_data: Path, name: str) -> None:
    wafers = read(shared_data / "formats" / "klarf" / name)
    assert len(wafers) == len(REAL[name])
    for wafer, (dies, fails, xs, ys) in zip(wafers, REAL[name], strict=True):
        assert wafer.die_count == dies or dies is None
        failing = [place for place, state in states(wafer).items() if state == 2]
        assert wafer.fail_count == len(failing) == fails
        if xs is not None:
            assert (min(x for x, _ in failing), max(x for x, _ in failing)) == xs
            assert (min(y for _, y in failing), max(y for _, y in failing)) == ys


def test_a_real_lot_has_its_names_and_sizes(shared_data: Path) -> None:
    wafers = read(shared_data / "formats" / "klarf" / "QUU_NUU.000")
    assert [(w.wafer_id, w.slot) for w in wafers] == [("02", 1), ("06", 5), ("01", 25)]
    for wafer in wafers:
        assert (wafer.lot_id, wafer.product, wafer.step) == ("QUU", "WUU", "NUU")
        sizes = wafer.die_width_mm, wafer.die_height_mm, wafer.diameter_mm
        assert sizes == (2.459878, 2.659947, 200.0)
        assert "laid out from pitch" in " ".join(wafer.notes)
        assert wafer.source is not None
    first, second = (w.source.extra["klarf"] for w in wafers[:2] if w.source)
    assert first is second  # the bytes are kept once


@pytest.mark.parametrize(
    ("name", "words"),
    [("bad12.klarf", "anotherWafer"), ("bad12DefectList.klarf", "line 29")],
)
def test_malformed_real_files_say_why(shared_data: Path, name: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(shared_data / "formats" / "klarf" / name)


spots = st.builds(
    Spot,
    st.integers(-4, 4),
    st.integers(-9, 9),
    st.integers(0, 9),
    st.integers(0, 5),
    st.sampled_from([0.2, 1.0, 5.0]),
    st.integers(0, 3),
)
parts = st.lists(
    st.builds(
        Part,
        st.sampled_from(["W1", "02", "a b"]),
        st.lists(spots, max_size=8),
        st.lists(st.sampled_from(DIES), unique=True, min_size=1, max_size=30),
        st.integers(1, 25),
    ),
    min_size=1,
    max_size=3,
)


def expected(part: Part, counts: list[Spot]) -> dict[tuple[int, int], int]:
    found = dict.fromkeys(part.plan, 1)
    return found | dict.fromkeys(((spot.x, spot.y) for spot in counts), 2)


@settings(max_examples=25)
@given(
    parts,
    st.permutations([*COLUMNS, "IMAGELIST", "REMARK"]),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(0, 5),
)
def test_statements_are_read_whatever_their_layout(
    made: list[Part], columns: list[str], eol: str, wrap: int
) -> None:
    wafers = read(flat(made, columns, eol=eol, wrap=wrap))
    for wafer, part in zip(wafers, made, strict=True):
        assert states(wafer) == expected(part, list(part.spots))
        assert (wafer.wafer_id, wafer.slot, wafer.lot_id) == (part.name, part.slot, "LOT;7")


@settings(max_examples=20)
@given(parts)
def test_records_are_read_as_statements_are(made: list[Part]) -> None:
    for one, other in zip(read(nested(made)), read(flat(made)), strict=True):
        assert states(one) == states(other)
        for name in ("wafer_id", "lot_id", "slot", "product", "step", "tester", "tested_at",
                     "die_width_mm", "die_height_mm", "diameter_mm", "notch", "frame"):  # fmt: skip
            assert getattr(one, name) == getattr(other, name)


@given(st.lists(spots, min_size=1, max_size=12), st.sets(st.integers(0, 9)), st.booleans())
@settings(max_examples=30)
def test_class_and_size_filters(made: list[Spot], classes: set[int], records: bool) -> None:
    part = Part("W", made, DIES)
    data = nested([part]) if records else flat([part])
    wanted = tuple(sorted(classes))
    (wafer,) = read(data, klarf_classes=wanted, min_defect_um=1.0)
    counts = [spot for spot in made if spot.number in classes and spot.size >= 1.0]
    assert states(wafer) == expected(part, counts)


def test_every_field() -> None:
    (wafer,) = read(flat([Part("W;1", [Spot(0, 0)], DIES, 7)]))
    assert (wafer.wafer_id, wafer.slot, wafer.product) == ("W;1", 7, "DEV")
    assert (wafer.step, wafer.tester) == ("STEP", "KLA 2930 T1")
    assert wafer.tested_at == datetime(2024, 11, 22, 13, 14, 15, tzinfo=UTC)
    assert (wafer.die_width_mm, wafer.die_height_mm, wafer.diameter_mm) == (10.0, 5.0, 100.0)
    assert wafer.frame == Frame(-4, 9, 1, -1)  # y grows up
    assert any("zone" in note for note in wafer.notes)


@pytest.mark.parametrize(
    ("said", "notch"),
    [("UP", "up"), ('"left"', "left"), ("RIGHT", "right"), ("180", "up"), ("sideways", "down")],
)
def test_orientation(said: str, notch: str) -> None:
    data = flat([Part("W", [Spot(0, 0)], DIES)]).replace(
        b"Location DOWN", f"Location {said}".encode()
    )
    (wafer,) = read(data)
    assert wafer.notch == notch
    assert any("OrientationMark" in n for n in wafer.notes) == (said in ("180", "sideways"))


def test_mirrored_coordinates_turn_the_map_over() -> None:
    plan = [(0, 0), (1, 0), (1, 1)]
    (plain,) = read(flat([Part("W", [Spot(0, 0)], plan)]))
    (turned,) = read(flat([Part("W", [Spot(0, 0)], plan)], extra="CoordinatesMirrored YES;"))
    assert np.array_equal(turned.dies, plain.dies[:, ::-1])
    assert states(turned) == states(plain)


def test_latin_1_and_missing_semicolons() -> None:
    data = flat([Part("W", [Spot(1, 1)], DIES)])
    data = data.replace(b'"LOT;7";', b'"M\xfcnchen"').replace(b"AreaPerTest 1.0e+010;\n", b"")
    (wafer,) = read(data)
    assert wafer.lot_id == "München"
    assert any("semicolon" in note for note in wafer.notes)


def test_each_defect_may_end_with_a_semicolon() -> None:
    made = [Spot(0, 0), Spot(1, 1), Spot(2, 2)]
    data = flat([Part("W", made, DIES)])
    head, body = data.split(b"DefectList\n")
    rows, tail = body.split(b";", 1)
    (wafer,) = read(head + b"DefectList\n" + rows.replace(b"\n", b";\n") + b";" + tail)
    assert wafer.fail_count == 3


def test_defects_without_a_die_are_counted_and_left_out() -> None:
    data = flat([Part("W", [Spot(0, 0), Spot(3, 3)], DIES)]).replace(b" 3 3 1.000", b" NA NA 1.000")
    (wafer,) = read(data)
    assert wafer.fail_count == 1
    assert any("1 defects without a die index" in note for note in wafer.notes)


def test_a_cut_file_keeps_its_whole_defects() -> None:
    made = [Spot(x, 0) for x in range(-4, 5)]
    data = flat([Part("W", made, DIES)])
    cut = data[: data.index(b"\n 6 10.5") + 12]
    (wafer,) = read(cut)
    assert wafer.fail_count == 5
    assert any("cut short" in note for note in wafer.notes)
    with pytest.raises(FormatError, match="whole KLARF"):
        read(cut, strict=True)


TWO = Part("W", [Spot(0, 0, images=1), Spot(1, 2)], DIES[:4])


@pytest.mark.parametrize("data", [flat([TWO], [*COLUMNS, "IMAGELIST"]), nested([TWO])])
def test_every_truncation_is_read_or_refused(data: bytes) -> None:
    found = Counter[str]()
    for end in range(len(data)):
        try:
            wafers = read(data[:end], "klarf")
        except FormatError:
            found["refused"] += 1
        else:
            assert all(wafer.fail_count <= 2 for wafer in wafers)
            found["read"] += 1
    assert found["read"] > 20
    assert found["refused"] > 20


@settings(max_examples=100)
@given(st.data())
def test_broken_files_raise_nothing_else(draw: st.DataObject) -> None:
    made = draw.draw(st.sampled_from([flat([Part("W", [Spot(0, 0, images=2)], DIES[:5])],
                                           [*COLUMNS, "IMAGELIST"]),
                                      nested([Part("W", [Spot(0, 0)], DIES[:5])])]))  # fmt: skip
    junk = st.binary(max_size=6) | st.sampled_from(
        [b"{", b"}", b'"', b";", b"1e999", b"nan", b"-99999999999", b"9" * 40, b"\0", b"Images 9 {"]
    )
    data = bytearray(made)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(data)))
        data[at : at + draw.draw(st.integers(0, 5))] = draw.draw(junk)
    try:
        wafers = read(bytes(data), "klarf")
    except FormatError:
        return
    assert all(wafer.die_count for wafer in wafers)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"FileVersion 1 2", b"FileVersion 2 0", "1.1, 1.2 or 1.8"),
        (b" 0 0 1.000", b" 0 99999999 1.000", "rows and columns"),
        (b" 0 0 1.000", b" 0.5 0 1.000", "whole numbers"),
        (b" 0 0 1.000", b" 1e300 0 1.000", "whole numbers"),
        (b"XINDEX YINDEX", b"XPOS YPOS", "XINDEX and YINDEX"),
        (b"DefectRecordSpec", b"DefectSpec", "DefectRecordSpec"),
    ],
)
def test_refusals_name_the_fault(old: bytes, new: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(flat([Part("W", [Spot(0, 0)], DIES)]).replace(old, new))


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"FileVersion 1 2;\r\n", "klarf"), (b'\xef\xbb\xbfRecord FileRecord  "1.8"', "klarf"),
     (b"File;Version\n1;2", None)],
)  # fmt: skip
def test_told_by_content(head: bytes, name: str | None) -> None:
    assert sniff(head) == name or name is None
    assert (sniff(head) == "klarf") == (name == "klarf")
