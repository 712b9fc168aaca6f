"""G85 files as real tools write them, and what breaks them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, sniff

BINS = """<ReferenceDevice ReferenceDeviceX="1" ReferenceDeviceY="0"/>
<Bin BinCode="000" BinQuality="Fail" BinCount="1" BinDescription=""/>
<Bin BinCode="001" BinQuality="Pass" BinCount="2" BinDescription="good"/>
<Bin BinCode="009" BinQuality="Reference" BinCount="1"/>"""
ROWS = (
    "<Row><![CDATA[255 001 255 ]]></Row>",
    "<Row><![CDATA[009 000 001 ]]></Row>",
)
USUAL = {
    "ProductId": "D1",
    "LotId": "L1",
    "CreateDate": "2009022511532100",
    "Rows": "2",
    "Columns": "3",
    "Orientation": "270",
    "OriginLocation": "3",
    "BinType": "Decimal",
    "NullBin": "255",
    "DeviceSizeX": "2500",
    "DeviceSizeY": "2400",
    "WaferSize": "200",
}


def file_of(rows: tuple[str, ...] = ROWS, bins: str = BINS, **attrs: str | None) -> bytes:
    pairs = "".join(f' {k}="{v}"' for k, v in (USUAL | attrs).items() if v is not None)
    data = f'<Data MapName="M" MapVersion="6">{"".join(rows)}</Data>'
    head = '<Map xmlns:semi="http://www.semi.org" WaferId="W1" FormatRevision="G85-1101">'
    return (
        f'<?xml version="1.0"?>\n<Maps>{head}<Device{pairs}>{bins}{data}</Device></Map></Maps>'
    ).encode()


def found(rows: tuple[str, ...] = ROWS, bins: str = BINS, **attrs: str | None) -> WaferMap:
    (wafer,) = read(file_of(rows, bins, **attrs))
    return wafer


def test_a_usual_file() -> None:
    assert sniff(file_of()) == "g85"
    wafer = found()
    assert wafer.dies.tolist() == [[0, 1, 0], [0, 2, 1]]
    assert (wafer.wafer_id, wafer.lot_id, wafer.product, wafer.notch) == ("W1", "L1", "D1", "right")
    assert (wafer.die_width_mm, wafer.die_height_mm, wafer.diameter_mm) == (2.5, 2.4, 200)
    assert wafer.tested_at == datetime(2009, 2, 25, 11, 53, 21, tzinfo=UTC)
    assert wafer.bins is not None
    assert wafer.bins.hard_names == {1: "good"}
    assert wafer.notes == (
        "1 reference dies taken as no die",
        "bin 0 is a bin of tested dies in this file; in a map 0 stands for none",
        "CreateDate taken as the time of the test, in UTC",
        "reference devices at 1,0",
    )


@pytest.mark.parametrize(
    ("place", "corner", "right", "down"),
    [
        ("0", (1, 1), 1, 1),
        ("1", (0, 2), -1, 1),
        ("2", (0, 0), 1, 1),
        ("3", (1, 0), 1, -1),
        ("4", (1, 2), -1, -1),
        ("UpperRight", (0, 2), 1, -1),
        ("9", (0, 0), 1, 1),
        (None, (0, 0), 1, 1),
    ],
)
def test_origins(place: str | None, corner: tuple[int, int], right: int, down: int) -> None:
    frame = found(OriginLocation=place).frame
    assert frame.to_cell(0, 0) == corner
    assert (frame.dx, frame.dy) == (right, down)


def test_an_own_axis_direction() -> None:
    frame = found(OriginLocation="3", AxisDirection="DownLeft").frame
    assert (frame.to_cell(0, 0), frame.dx, frame.dy) == ((1, 0), -1, 1)


def test_sizes_in_other_units() -> None:
    inches = found(WaferSize="8")
    assert inches.diameter_mm == 200
    assert "WaferSize 8 taken as inches" in inches.notes
    assert found(WaferSize="300000").diameter_mm == 300
    millimetres = found(DeviceSizeX="2.5", DeviceSizeY="2.4")
    assert (millimetres.die_width_mm, millimetres.die_height_mm) == (2.5, 2.4)
    assert any("DeviceSize taken as mm" in note for note in millimetres.notes)
    assert found(DeviceSizeX="", WaferSize="x").die_width_mm is None


@pytest.mark.parametrize(
    "rows",
    [
        ("<Row>255001255</Row>", "<Row>009000001</Row>"),
        ("<Row>255 1 255</Row>", "<Row>9 0 1</Row>"),
        ("<Row>\n255001\n255</Row>", "<Row>009000001</Row>"),
    ],
)
def test_other_ways_to_write_rows(rows: tuple[str, ...]) -> None:
    assert found(rows).dies.tolist() == [[0, 1, 0], [0, 2, 1]]


def test_letters_and_a_code_of_one_sign() -> None:
    bins = '<Bin BinCode="1" BinQuality="Pass"/><Bin BinCode="X" BinQuality="Fail"/>'
    bins += '<Bin BinCode="F" BinQuality="NULL"/>'
    wafer = found(("<Row>F1F</Row>", "<Row>FX1</Row>"), bins, BinType="Ascii", NullBin="")
    assert wafer.dies.tolist() == [[0, 1, 0], [0, 2, 1]]
    assert "3 null dies taken as no die" in wafer.notes


@pytest.mark.parametrize("gap", ["", " "])
def test_codes_of_two_signs_called_ascii(gap: str) -> None:
    rows = tuple(f"<Row>{gap.join(row)}</Row>" for row in (("FF", "01", "FF"), ("01", "12", "01")))
    bins = "".join(
        f'<Bin BinCode="{code}" BinQuality="{quality}"/>'
        for code, quality in (("01", "P"), ("12", "F"), ("FF", "Null"))
    )
    wafer = found(rows, bins, BinType="ASCII", NullBin=None)
    assert wafer.dies.tolist() == [[0, 1, 0], [1, 2, 1]]
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert wafer.bins.hard.tolist() == [[0, 1, 0], [1, 12, 1]]
    assert not any("no known quality" in note for note in wafer.notes)


def test_a_map_alone_with_a_namespace() -> None:
    data = file_of().replace(b"<Maps>", b"").replace(b"</Maps>", b"")
    data = data.replace(b"<Map xmlns:semi=", b"<Map xmlns=")
    assert sniff(data) == "g85"
    assert read(data)[0] == found() or read(data)[0].dies.tolist() == found().dies.tolist()


def test_many_maps_and_the_newest_data() -> None:
    text = file_of().decode()
    start, end = text.index("<Map "), text.index("</Maps>")
    both = text[:end] + text[start:end].replace("W1", "W2") + text[end:]
    assert [wafer.wafer_id for wafer in read(both.encode())] == ["W1", "W2"]
    newer = text.replace("</Device>", '<Data MapVersion="7"><Row>255001001</Row></Data></Device>')
    (wafer,) = read(newer.encode())
    assert wafer.dies.tolist() == [[0, 1, 1]]
    assert "the newest of 2 maps of the device read" in wafer.notes
    assert "the device says 2x3 dies, the map 1x3" in wafer.notes


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (file_of(()), "got none"),
        (file_of(("<Row></Row>",)), "empty ones alone"),
        (file_of(("<Row>0010</Row>",)), "no multiple of"),
        (file_of(BinType="Base64"), "BinType"),
        (file_of(("<Row>xyz001001</Row>",)), "type decimal"),
        (file_of(("<Row>255</Row>",) * 5000), "1 to 4096 rows"),
        (b"<Maps><Map/></Maps>", "got none"),
    ],
)
def test_broken(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(data, format="g85")


def test_sizes_that_a_header_claims_cost_nothing() -> None:
    assert found(Rows="999999999", Columns="999999999").shape == (2, 3)


def test_every_truncation_is_refused() -> None:
    data = file_of()
    for end in range(0, len(data) - 1, 5):
        with pytest.raises(FormatError):
            read(data[:end], format="g85")


@settings(max_examples=80)
@given(st.data())
def test_damage_is_a_format_error_or_a_map(data: st.DataObject) -> None:
    raw = bytearray(file_of())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.sampled_from(b'<>"/0F9\0\xff&= A'))
    try:
        wafers = read(bytes(raw), format="g85")
    except FormatError:
        return
    assert all(np.isin(wafer.dies, [0, 1, 2]).all() for wafer in wafers)
