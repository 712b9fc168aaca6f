"""E142 files as real tools write them, and what breaks them."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope.domain.wafermap import Frame, WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, sniff

SPACE = ' xmlns="urn:semi-org:xsd.E142-1.V1005.SubstrateMap"'
LAYOUTS = """<Layouts>
  <Layout LayoutId="WaferLayout" DefaultUnits="mm" TopLevel="true"><Dimension X="1" Y="1"/>
    <DeviceSize X="200" Y="200"/>
    <ChildLayouts><ChildLayout LayoutId="Dies"/></ChildLayouts></Layout>
  <Layout LayoutId="Dies" DefaultUnits="micron"><Dimension X="3" Y="2"/>
    <LowerLeft X="1" Y="1"/><DeviceSize X="2400" Y="2500"/><StepSize X="2500" Y="2600"/>
    <ProductId>P1</ProductId></Layout></Layouts>
<Substrates><Substrate SubstrateType="Wafer" SubstrateId="W1"><LotId> L1 </LotId>
  <SlotNumber>3</SlotNumber></Substrate></Substrates>"""
DEFINED = """<BinDefinitions>
  <BinDefinition BinCode="01" BinCount="2" BinQuality="Pass" BinDescription="Good die"/>
  <BinDefinition BinCode="0a" BinCount="2" BinQuality="Fail"/>
  <BinDefinition BinCode="0B" BinCount="1" BinQuality="Mirror"/></BinDefinitions>"""
ROWS = "<BinCode>01FF0A</BinCode>\n<BinCode>0B010A</BinCode>"
PATH = 'LayoutSpecifier="WaferLayout/Dies"'


BREAKS = "\n" * 200_000
FAR = '<BinCode X="1" Y="1">1</BinCode><BinCode X="99999" Y="1">1</BinCode>'


def one_map(
    attrs: str = 'Orientation="90" OriginLocation="UpperRight" AxisDirection="DownLeft"',
    inner: str | None = None,
    path: str = PATH,
) -> str:
    bins = f'<BinCodeMap BinType="HexaDecimal" NullBin="FF">{DEFINED}{ROWS}</BinCodeMap>'
    overlay = f'<Overlay MapName="SortGrade" MapVersion="1">{inner or bins}</Overlay>'
    names = 'SubstrateType="Wafer" SubstrateId="W1"'
    return f"<SubstrateMap {names} {attrs} {path}>{overlay}</SubstrateMap>"


def file_of(maps: str, layouts: str = LAYOUTS, space: str = SPACE) -> bytes:
    text = f"<MapData{space}>{layouts}<SubstrateMaps>{maps}</SubstrateMaps></MapData>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def found(maps: str, layouts: str = LAYOUTS, space: str = SPACE) -> WaferMap:
    (wafer,) = read(file_of(maps, layouts, space))
    return wafer


def bin_map(kind: str, null: str, rows: str) -> str:
    return f'<BinCodeMap BinType="{kind}" NullBin="{null}">{rows}</BinCodeMap>'


def test_a_usual_file() -> None:
    assert sniff(file_of(one_map())) == "e142"
    wafer = found(one_map())
    assert wafer.dies.tolist() == [[1, 0, 2], [0, 1, 2]]
    assert (wafer.wafer_id, wafer.lot_id, wafer.product, wafer.slot) == ("W1", "L1", "P1", 3)
    assert (wafer.die_width_mm, wafer.die_height_mm, wafer.diameter_mm) == (2.5, 2.6, 200)
    assert (wafer.notch, wafer.frame) == ("left", Frame(2, 0, -1, 1))
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert wafer.bins.hard.tolist() == [[1, 0, 10], [0, 1, 10]]
    assert wafer.bins.hard_names == {1: "Good die"}
    assert wafer.notes == ("1 mirror dies taken as no die",)


@pytest.mark.parametrize(
    "space",
    ["", ' xmlns="urn:semiorg:xsd.E142-1.V0105.SubstrateMap"', ' xmlns:xsi="http://x"'],
)
def test_any_namespace(space: str) -> None:
    assert found(one_map(), space=space).dies.tolist() == [[1, 0, 2], [0, 1, 2]]
    prefixed = file_of(one_map()).replace(b"<MapData xmlns=", b"<m:MapData xmlns:m=")
    prefixed = prefixed.replace(b"</MapData>", b"</m:MapData>")
    assert sniff(prefixed) == "e142"
    assert read(prefixed)[0].die_count == 4


@pytest.mark.parametrize(
    ("origin", "axes"),
    list(
        product(
            ["UpperLeft", "UpperRight", "LowerLeft", "LowerRight", "Center"],
            ["DownRight", "UpRight", "DownLeft", "UpLeft"],
        )
    ),
)
def test_the_origin_does_not_move_the_dies(origin: str, axes: str) -> None:
    wafer = found(one_map(f'OriginLocation="{origin}" AxisDirection="{axes}" Orientation="0"'))
    assert wafer.dies.tolist() == [[1, 0, 2], [0, 1, 2]]
    row = {"U": 0, "L": 1, "C": 1}[origin[0]]
    col = 1 if origin == "Center" else 2 if origin.endswith("Right") else 0
    assert wafer.frame.to_cell(0, 0) == (row, col)
    assert wafer.frame.to_cell(1, 1) == (
        row + (1 if axes.startswith("Down") else -1),
        col + (1 if axes.endswith("Right") else -1),
    )


@pytest.mark.parametrize(
    ("kind", "null", "rows"),
    [
        ("ASCII", ".", ["1.2", "..1"]),
        ("ASCII", " ", ["1 2", "  1"]),
        ("Decimal", "255", ["001255002", "255 255 001"]),
        ("HexaDecimal", "FF", ["01ff02", "FF FF 01"]),
        ("Integer2", "FFFF", ["0001FFFF0002", "FFFF FFFF 0001"]),
    ],
)
def test_bin_types(kind: str, null: str, rows: list[str]) -> None:
    inner = bin_map(kind, null, "".join(f"<BinCode>{row}</BinCode>" for row in rows))
    wafer = found(one_map("", inner))
    assert wafer.dies.tolist() == [[1, 0, 2], [0, 0, 1]]
    assert any("taken as pass if 1" in note for note in wafer.notes)


def test_a_whole_map_in_one_element() -> None:
    for text in ("01FF0AFFFF01", "\n01FF0A\n  FFFF01\n"):
        inner = bin_map("HexaDecimal", "FF", f"<BinCode>{text}</BinCode>")
        assert found(one_map("", inner)).dies.tolist() == [[1, 0, 2], [0, 0, 1]]


def test_a_list_of_places() -> None:
    places = [("1", 5, -1), ("7", 6, -1), ("1", 6, -2), ("7", 6, -2)]
    inner = "".join(f'<BinCode X="{x}" Y="{y}">{b}</BinCode>' for b, x, y in places)
    attrs = 'OriginLocation="LowerLeft" AxisDirection="UpRight"'
    wafer = found(one_map(attrs, bin_map("Ascii", ".", inner)))
    assert wafer.dies.tolist() == [[1, 2], [0, 2]]
    assert wafer.frame.to_xy(row=0, col=0) == (5, -1)


@pytest.mark.parametrize(("kind", "null", "width"), [("Ascii", ".", 1), ("HexaDecimal", "FF", 2)])
@pytest.mark.parametrize(("axes", "first"), [("UpRight", (5, 6)), ("UpLeft", (9, 8))])
def test_rows_that_begin_at_a_place(
    kind: str, null: str, width: int, axes: str, first: Any
) -> None:
    rows = [(first[0], -1, "1271"), (first[1], -2, "12")]
    inner = "".join(
        f'<BinCode X="{x}" Y="{y}">{"".join(code.zfill(width) for code in codes)}</BinCode>'
        for x, y, codes in rows
    )
    wafer = found(
        one_map(f'OriginLocation="LowerLeft" AxisDirection="{axes}"', bin_map(kind, null, inner))
    )
    assert wafer.dies.tolist() == [[1, 2, 2, 1], [0, 1, 2, 0]]
    assert wafer.frame.to_xy(row=0, col=0) == (first[0], -1)
    assert "rows that begin at an X and Y taken as running to the right" in wafer.notes


def test_long_codes_of_places_side_by_side_are_no_rows() -> None:
    inner = "".join(f'<BinCode X="{x}" Y="0">000{x}</BinCode>' for x in (1, 2, 3))
    wafer = found(one_map("", bin_map("HexaDecimal", "FF", inner)))
    assert wafer.dies.tolist() == [[1, 2, 2]]


def test_several_layouts_and_wafers() -> None:
    other = '<Layout LayoutId="B" DefaultUnits="mm"><Dimension X="3" Y="2"/></Layout></Layouts>'
    two = one_map(path='LayoutSpecifier="WaferLayout/B"')
    strip = one_map().replace('SubstrateType="Wafer"', 'SubstrateType="Strip"')
    one, more = read(file_of(one_map() + two + strip, LAYOUTS.replace("</Layouts>", other)))
    assert (one.product, more.product) == ("P1", None)
    assert (one.die_width_mm, more.die_width_mm) == (2.5, None)
    assert one.dies.tolist() == more.dies.tolist()


def test_nested_layouts_multiply() -> None:
    layouts = LAYOUTS.replace('<Dimension X="1" Y="1"/>', '<Dimension X="3" Y="1"/>')
    layouts = layouts.replace('<Dimension X="3" Y="2"/>', '<Dimension X="1" Y="2"/>')
    assert not any("layout" in note for note in found(one_map(), layouts).notes)
    wrong = LAYOUTS.replace('X="3"', 'X="4"')
    assert "the layout says 2x4 dies, the map 2x3" in found(one_map(), wrong).notes


def test_the_newest_overlay_counts() -> None:
    old = f'<Overlay MapName="Old" MapVersion="0">{bin_map("ASCII", ".", "<BinCode>2</BinCode>")}'
    node = one_map().replace("<Overlay", f"{old}</Overlay><Overlay", 1)
    wafer = found(node)
    assert wafer.shape == (2, 3)
    assert "bin map SortGrade read, left out: Old" in wafer.notes


def test_reference_devices_are_named() -> None:
    device = '<ReferenceDevice Name="Ref"><Coordinates X="1" Y="0"/></ReferenceDevice>'
    node = one_map().replace(
        "<BinCodeMap", f"<ReferenceDevices>{device}</ReferenceDevices><BinCodeMap"
    )
    assert "reference devices: Ref at 1,0" in found(node).notes


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ("", "maps of nothing"),
        (one_map().replace('"Wafer"', '"Strip"'), "maps of Strip"),
        (one_map("", bin_map("ASCII", ".", "")), "1 to 4096 rows"),
        (one_map("", bin_map("Roman", ".", "<BinCode>1</BinCode>")), "BinType"),
        (one_map("", bin_map("Decimal", "255", "<BinCode>0011</BinCode>")), "no multiple of 3"),
        (one_map("", bin_map("ASCII", ".", '<BinCode X="1" Y="a">1</BinCode>')), "whole numbers"),
        (one_map("", bin_map("ASCII", ".", FAR)), "4096"),
        (one_map("", bin_map("ASCII", ".", f"<BinCode>1{BREAKS}1</BinCode>")), "characters"),
    ],
)
def test_broken(maps: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(file_of(maps))


def test_every_truncation_is_refused() -> None:
    data = file_of(one_map())
    for end in range(0, len(data) - 1, 7):
        with pytest.raises(FormatError):
            read(data[:end], format="e142")


@settings(max_examples=80)
@given(st.data())
def test_damage_is_a_format_error_or_a_map(data: st.DataObject) -> None:
    raw = bytearray(file_of(one_map()))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.sampled_from(b'<>"/0F9\0\xff&= A'))
    try:
        wafers = read(bytes(raw), format="e142")
    except FormatError:
        return
    assert all(np.isin(wafer.dies, [0, 1, 2]).all() for wafer in wafers)
