"""Wafer maps as SEMI E142 and G85 files.

Kept: names of lot, wafer, product, step and tester, slot, time to the millisecond, sizes, notch,
frame, hard bins with their names, pass and fail. Lost: soft bins, patterns, reticle, notes. A map
without hard bins gets bin 1 for pass and 2 for fail; one that is swapped is turned by a quarter.
What has no element of its own (step, tester, the offset of the coordinates) stands in AliasId
elements of E142, and in the SupplierData of G85.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io.bin_map import BinCode, BinMap, build_bin_map, highest_bin
from waferscope.io.semi.e142 import ALIASES, OFFSETS
from waferscope.io.semi.geometry import DEGREES, G85_ORIGINS, write_frame
from waferscope.io.semi.times import write_time
from waferscope.io.semi.xml import tag, xml_text

_NAMESPACE: Final = "urn:semi-org:xsd.E142-1.V1005.SubstrateMap"
_PLACES: Final = {names: place for place, names in G85_ORIGINS.items()}
_LAYOUT: Final = "WaferLayout"


@dataclass(frozen=True, slots=True)
class E142Row:
    """One wafer of an E142 file: what its layouts hold, and the lines of its own elements."""

    substrate: str
    layout: tuple[int, int, float | None, float | None, float | None, str | None]
    about: list[str]
    attrs: dict[str, object]
    bins: list[str]


def e142_row(wafer: WaferMap) -> E142Row:
    """Return what an E142 file needs of one wafer."""
    wafer = wafer.turn() if wafer.frame.swapped else wafer
    origin, axes, *shift = write_frame(wafer.frame, wafer.shape)
    kind, bin_map = _bin_map(wafer)
    named = {**_more(wafer), ALIASES["tested_at"]: write_time(wafer.tested_at)}
    named |= {name: offset or None for name, offset in zip(OFFSETS, shift, strict=True)}
    aliases = [
        tag("AliasId", {"Type": name, "Value": value})[0] for name, value in named.items() if value
    ]
    about = [
        *([f"<LotId>{xml_text(wafer.lot_id)}</LotId>"] if wafer.lot_id else []),
        *(tag("AliasIds", {}, aliases) if aliases else []),
        *([f"<SlotNumber>{wafer.slot}</SlotNumber>"] if wafer.slot is not None else []),
        f"<GoodDevices>{wafer.die_count - wafer.fail_count}</GoodDevices>",
    ]
    definitions = [line for one in bin_map.bins for line in tag("BinDefinition", _definition(one))]
    rows = [f"<BinCode>{row}</BinCode>" for row in bin_map.rows]
    sizes = wafer.die_width_mm, wafer.die_height_mm, wafer.diameter_mm
    return E142Row(
        wafer.wafer_id,
        (*wafer.shape, *sizes, wafer.product),
        about,
        {
            "Orientation": DEGREES[wafer.notch],
            "OriginLocation": origin,
            "AxisDirection": axes,
        },
        tag(
            "BinCodeMap",
            {"BinType": kind, "NullBin": bin_map.null},
            [*tag("BinDefinitions", {}, definitions), *rows],
        ),
    )


def e142_bytes(rows: Sequence[E142Row]) -> bytes:
    """Return an E142 file of the wafers; raise FormatError for none, and for one name twice."""
    names = [row.substrate for row in rows]
    if not rows or len(set(names)) < len(names):
        raise FormatError(
            f"Expected wafers with names of their own in an E142 file, got {len(rows)} wafers and "
            f"{len(set(names))} names. Write wafers of one name into files of their own."
        )
    layouts = list(dict.fromkeys(row.layout for row in rows))
    layout_lines, substrates, maps = [], [], []
    for number, layout in enumerate(layouts, 1):
        layout_lines += _layout_lines(layout, "" if len(layouts) == 1 else f"-{number}")
    for row in rows:
        number = layouts.index(row.layout) + 1
        suffix = "" if len(layouts) == 1 else f"-{number}"
        key = {"SubstrateType": "Wafer", "SubstrateId": row.substrate}
        path = {"LayoutSpecifier": f"{_LAYOUT}{suffix}/DieLayout{suffix}"}
        substrates += tag("Substrate", key, row.about)
        overlay = tag("Overlay", {"MapName": "BinMap", "MapVersion": 1}, row.bins)
        maps += tag("SubstrateMap", {**key, **path, **row.attrs}, overlay)
    inner = [
        *tag("Layouts", {}, layout_lines),
        *tag("Substrates", {}, substrates),
        *tag("SubstrateMaps", {}, maps),
    ]
    return _document(tag("MapData", {"xmlns": _NAMESPACE}, inner))


def g85_row(wafer: WaferMap) -> list[str]:
    """Return the lines of one wafer in a G85 file."""
    wafer = wafer.turn() if wafer.frame.swapped else wafer
    origin, axes, *shift = write_frame(wafer.frame, wafer.shape)
    kind, bin_map = _bin_map(wafer)
    rows, cols = wafer.shape
    width, height = (
        None if size is None else round(size * 1000, 6)
        for size in (wafer.die_width_mm, wafer.die_height_mm)
    )
    supplier = {name: value for name, value in zip(OFFSETS, shift, strict=True) if value}
    supplier_data = {**_more(wafer), **supplier}
    lines = [line for one in bin_map.bins for line in tag("Bin", _definition(one))]
    data = [f"<Row><![CDATA[{row}]]></Row>" for row in bin_map.rows]
    device = {
        "ProductId": wafer.product,
        "LotId": wafer.lot_id,
        "SlotNumber": wafer.slot,
        "WaferSize": None if wafer.diameter_mm is None else float(wafer.diameter_mm),
        "DeviceSizeX": width,
        "DeviceSizeY": height,
        "CreateDate": write_time(wafer.tested_at),
        "Rows": rows,
        "Columns": cols,
        "Orientation": DEGREES[wafer.notch],
        "OriginLocation": _PLACES[origin, axes],
        "BinType": kind,
        "NullBin": bin_map.null,
        "MapType": "Array",
    }
    inner = [
        *lines,
        *(tag("SupplierData", supplier_data) if supplier_data else []),
        *tag("Data", {"MapName": "BinMap", "MapVersion": 1}, data),
    ]
    names = {"WaferId": wafer.wafer_id, "SubstrateId": wafer.wafer_id, "SubstrateType": "Wafer"}
    head = {"xmlns": "http://www.semi.org", **names, "FormatRevision": "SEMI G85-0703"}
    return tag("Map", head, tag("Device", device, inner))


def g85_bytes(rows: Sequence[Sequence[str]]) -> bytes:
    """Return a G85 file of the wafers; raise FormatError for none."""
    if not rows:
        raise FormatError("Expected at least one wafer for a G85 file, got none. Give some.")
    return _document(tag("Maps", {}, [line for row in rows for line in row]))


def _bin_map(wafer: WaferMap) -> tuple[str, BinMap]:
    """Return the BinType and the map: two hexadecimal digits, four where bins need them."""
    if highest_bin(wafer) < 0xFF:
        return "HexaDecimal", build_bin_map(wafer, 2)
    return "Integer2", build_bin_map(wafer, 4)


def _definition(one: BinCode) -> dict[str, object]:
    return {
        "BinCode": one.code,
        "BinCount": one.count,
        "BinQuality": "Pass" if one.passes else "Fail",
        "BinDescription": one.name,
    }


def _more(wafer: WaferMap) -> dict[str, object]:
    """Return what the formats have no element for; the time stands elsewhere in G85."""
    found = {ALIASES["step"]: wafer.step, ALIASES["tester"]: wafer.tester}
    return {name: value for name, value in found.items() if value}


def _layout_lines(
    layout: tuple[int, int, float | None, float | None, float | None, str | None], suffix: str
) -> list[str]:
    rows, cols, width, height, diameter, product = layout
    child = tag("ChildLayout", {"LayoutId": f"DieLayout{suffix}"})
    top = [
        *tag("Dimension", {"X": 1, "Y": 1}),
        *(tag("DeviceSize", {"X": diameter, "Y": diameter}) if diameter else []),
        *tag("ChildLayouts", {}, child),
    ]
    inner = [
        *tag("Dimension", {"X": cols, "Y": rows}),
        *(tag("StepSize", {"X": width or 0, "Y": height or 0}) if width or height else []),
        *([f"<ProductId>{xml_text(product)}</ProductId>"] if product else []),
    ]
    units = {"DefaultUnits": "mm"}
    return [
        *tag("Layout", {"LayoutId": f"{_LAYOUT}{suffix}", **units, "TopLevel": "true"}, top),
        *tag("Layout", {"LayoutId": f"DieLayout{suffix}", **units}, inner),
    ]


def _document(lines: Sequence[str]) -> bytes:
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *lines, ""]).encode()
