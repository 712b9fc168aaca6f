"""SEMI G85 wafer maps (XML): Map, Device, Bin and rows of bin codes in.

Kept: names of lot, wafer and product, slot, time, sizes, notch, frame, bins with their names, pass
and fail. A file may hold many maps, a map several devices: each becomes a wafer map of its own.
"""

from __future__ import annotations

import re
from typing import Final

from waferscope.domain.wafermap import Frame, Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io.archive import Blob
from waferscope.io.bin_rows import LONGEST_ROW, read_rows
from waferscope.io.files import file_stem
from waferscope.io.formats import ReadOptions
from waferscope.io.semi.bins import bin_type, code_width, dies_and_bins, read_definitions
from waferscope.io.semi.e142 import ALIASES, OFFSETS
from waferscope.io.semi.geometry import G85_ORIGINS, number, read_frame, read_notch, to_mm, whole
from waferscope.io.semi.times import read_time
from waferscope.io.semi.xml import Node, read_xml

_INCHES: Final = ("2", "3", "4", "5", "6", "8", "12", "18")
_LARGEST_DIE_MM: Final = 60.0


def is_g85(head: bytes) -> bool:
    """Tell a G85 file by its elements: a Map with a Device that has bins."""
    start = head[:16384].replace(b"\0", b"")
    name = rb"([\w.-]{1,80}:)?"
    device = re.search(rb"<" + name + rb"Device\s", start, re.IGNORECASE)
    rows = re.search(rb"\b(BinType|NullBin|OriginLocation)\s*=", start, re.IGNORECASE)
    xml = re.search(rb"<(\?xml|" + name + rb"(Maps?|Device))[\s>]", start, re.IGNORECASE)
    return bool(device and rows and xml)


def read_g85(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of a G85 file, one per device of a map; raise FormatError for none."""
    root = read_xml(blob)
    maps = list(root.walk("Map")) or [root]
    devices = [(node, device) for node in maps for device in node.walk("Device")]
    found = [_read_device(*pair, blob, options) for pair in devices if _rows(pair[1])[0]]
    if not found:
        raise FormatError(
            f"Expected a Map with a Device and rows of bins in {blob.name} (G85), got none. "
            "Check what wrote the file."
        )
    return found


def _rows(device: Node) -> tuple[list[Node], list[str]]:
    """Return the rows of the newest map of a device, and a note on the others."""
    data = [node for node in device.walk("Data") if node.first("Row") is not None]
    if not data:
        return device.all("Row"), []
    newest = max(data, key=lambda node: number(node.get("MapVersion", "Version")) or 0.0)
    notes = [f"the newest of {len(data)} maps of the device read"] if len(data) > 1 else []
    return newest.all("Row"), notes


def _read_device(node: Node, device: Node, blob: Blob, options: ReadOptions) -> WaferMap:
    rows, notes = _rows(device)
    kind = bin_type(device.get("BinType"))
    null = device.attrs.get("nullbin") or None
    definitions = read_definitions(list(device.walk("Bin")))
    width = code_width(kind, null, definitions)
    columns = whole(device.get("Columns")) or 0
    texts = [row.text for row in rows]
    first = texts[0][:LONGEST_ROW].strip()
    dense = len(first) if first and len(first.split(maxsplit=1)) == 1 else 0
    if columns and dense % columns == 0 and 1 <= dense // columns <= 4 and kind != "ascii":
        width = dense // columns  # NullBin="255" beside rows of 0255..., or "0" beside 000
    codes = read_rows(texts, width, null or "")
    dies, bins, more = dies_and_bins(codes, kind, null, definitions, options)
    said = whole(device.get("Rows")) or 0, columns
    if said != dies.shape and all(said):
        notes.append(
            f"the device says {said[0]}x{said[1]} dies, the map {dies.shape[0]}x{dies.shape[1]}"
        )
    notes += more
    diameter = _diameter(device.get("WaferSize"), notes)
    width_mm, height_mm = _die_size(device, dies.shape, diameter, notes)
    when = read_time(device.get("CreateDate"))
    if when is not None:
        notes.append("CreateDate taken as the time of the test, in UTC")
    notes += _reference_notes(device)
    supplier = device.first("SupplierData") or Node("supplierdata", {})
    return WaferMap(
        dies,
        wafer_id=node.get("WaferId", "SubstrateId")
        or device.get("WaferId")
        or file_stem(blob.name),
        lot_id=device.get("LotId", "LotNo") or None,
        slot=whole(device.get("SlotNumber")),
        product=device.get("ProductId", "DeviceId") or None,
        step=supplier.get(ALIASES["step"]) or None,
        tester=supplier.get(ALIASES["tester"]) or None,
        tested_at=when,
        die_width_mm=width_mm,
        die_height_mm=height_mm,
        diameter_mm=diameter,
        notch=read_notch(device.get("Orientation"), notes),
        frame=_read_frame(device, dies.shape, notes),
        bins=bins,
        source=Source("g85", blob.name, blob.sha256),
        notes=tuple(notes),
    )


def _read_frame(device: Node, shape: tuple[int, int], notes: list[str]) -> Frame:
    said = device.get("OriginLocation")
    origin, axes = said, device.get("AxisDirection")
    place = whole(said)
    if place is not None and place in G85_ORIGINS:
        origin, usual = G85_ORIGINS[place]
        axes = axes or usual
    elif not any(word in said.lower() for word in ("upper", "lower", "cent")):
        notes.append(f"OriginLocation {said[:20]!r} taken as 2, the upper left")
        origin, axes = G85_ORIGINS[2]
    plain = read_frame(origin, axes, shape, notes)
    supplier = device.first("SupplierData") or Node("supplierdata", {})
    # Written by WaferScope: what to add to get the coordinates of the tester.
    shift = [whole(supplier.get(name)) or 0 for name in OFFSETS]
    return Frame(plain.x0 + shift[0], plain.y0 + shift[1], plain.dx, plain.dy)


def _diameter(text: str, notes: list[str]) -> float | None:
    """Return WaferSize in mm; files write it in mm, inches (a whole number) or micrometres."""
    if text in _INCHES:
        notes.append(f"WaferSize {text} taken as inches")
        return {"2": 50.8, "3": 76.2}.get(text, 25.0 * int(text))
    size = to_mm(text, "mm")
    if size is not None and size > 1000:
        notes.append(f"WaferSize {text[:20]} taken as micrometres")
        return to_mm(text, "um")
    return size


def _die_size(
    device: Node, shape: tuple[int, int], diameter: float | None, notes: list[str]
) -> tuple[float | None, float | None]:
    """Return the width and height of a die in mm; micrometres by the standard, mm in some files."""
    texts = [device.get(name) for name in ("DeviceSizeX", "DeviceSizeY")]
    micro = [to_mm(text, "um") for text in texts]
    if None in micro:
        return micro[0], micro[1]
    reach = max(size * count for size, count in zip(micro, shape[::-1], strict=True) if size)
    small = reach < 0.02 * diameter if diameter else max(size or 0.0 for size in micro) < 0.05
    plain = [to_mm(text, "mm") for text in texts]
    if small and all(size and size <= _LARGEST_DIE_MM for size in plain):
        notes.append("DeviceSize taken as mm: in micrometres the dies would not fill the wafer")
        return plain[0], plain[1]
    return micro[0], micro[1]


def _reference_notes(device: Node) -> list[str]:
    places = [
        f"{node.get('ReferenceDeviceX')},{node.get('ReferenceDeviceY')}"
        for node in device.walk("ReferenceDevice")
    ]
    return [f"reference devices at {'; '.join(places[:8])[:300]}"] if places else []
