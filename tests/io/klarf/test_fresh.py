"""New KLARF files: what a map holds is read back, what KLARF cannot hold is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.klarf.klarf_text import predicted
from tests.io.wafers import wafers
from waferscope.domain.millimetres import middle_of
from waferscope.domain.wafermap import FAIL, Frame, WaferMap
from waferscope.errors import FormatError
from waferscope.io import read
from waferscope.io.klarf import klarf_bytes, klarf_marked_row, klarf_row


def kept(wafer: WaferMap) -> WaferMap:
    """The wafer as a new KLARF file holds it: x right, y up, without bins, reticle and patterns."""
    wafer = wafer.turn() if wafer.frame.swapped else wafer
    own = wafer.frame
    frame = Frame(own.dx * own.x0, -own.dy * own.y0, 1, -1)
    return replace(
        wafer, frame=frame, bins=None, patterns=None, reticle=None, source=None, notes=()
    )


def is_plain(wafer: WaferMap) -> bool:
    names = wafer.wafer_id, wafer.lot_id, wafer.product, wafer.step, wafer.tester
    return not any('"' in (name or "") for name in names)


@settings(max_examples=20)
@given(st.lists(wafers().filter(is_plain), min_size=1, max_size=3))
def test_wafers_from_elsewhere_come_back(made: list[WaferMap]) -> None:
    found = read(klarf_bytes([klarf_row(wafer) for wafer in made]), strict=True)
    plain = [replace(w, source=None, notes=(), centre=None) for w in found]
    assert plain == [replace(kept(w), centre=None) for w in made]
    for one, back in zip(map(kept, made), found, strict=True):
        if one.die_width_mm and one.die_height_mm:
            assert back.centre == pytest.approx(one.centre or middle_of(one), abs=1e-3)


def test_predictions_from_elsewhere_make_a_file_with_classes() -> None:
    dies = np.ones((9, 9), np.uint8)
    dies[2:4, 3:6] = FAIL
    dies[8, 8] = FAIL
    wafer = WaferMap(dies, wafer_id="W", die_width_mm=2.0, die_height_mm=3.0)
    zone = np.zeros((9, 9), bool)
    zone[:5] = True
    data = klarf_bytes([klarf_marked_row(predicted(wafer, {4: zone}))])
    listed = data.split(b"DefectList\n")[1].split(b";")[0].split(b"\n")
    assert [(row.split()[9], row.split()[11]) for row in listed] == [(b"5", b"1")] * 6 + [
        (b"0", b"0")
    ]
    assert b'5 "particle"' in data
    assert read(data, klarf_classes=(5,))[0].fail_count == 6


@pytest.mark.parametrize("name", ['a"b', "a\nb", "x" * 201])
def test_names_that_klarf_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(FormatError, match="printable"):
        klarf_bytes([klarf_row(WaferMap(np.ones((2, 2), np.uint8), wafer_id=name))])


def test_sizes_and_centre_are_in_um() -> None:
    wafer = WaferMap(
        np.array([[0, 1], [2, 1]]), wafer_id="W", die_width_mm=2.0, die_height_mm=3.0,
        diameter_mm=200.0, slot=3, frame=Frame(4, 7, 1, -1),
    )  # fmt: skip
    lines = klarf_bytes([klarf_row(wafer)]).decode().split("\n")
    assert "SampleSize 1 200.0;" in lines
    assert "DiePitch 2000.0 3000.0;" in lines
    assert "SampleCenterLocation 10000.0000 21000.0000;" in lines  # dies 4, 5 and 6, 7
    assert " 1 1000.0000 1500.0000 4 6 0 0 0 0 0 1 0 0;" in lines
    assert f"AreaPerTest {3 * 2000 * 3000:.10e};" in lines
