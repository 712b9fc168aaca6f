"""SEMI E142 substrate maps (E142.1, XML): bin code maps of wafers in.

Kept: names of lot, wafer, product, step and tester, slot, time, sizes, notch, frame, bins with
their names, pass and fail. A file may hold many wafers, and a wafer many layouts (a multi-project
wafer): each map of a layout becomes a wafer map of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import Frame, Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io.archive import Blob
from waferscope.io.bin_rows import LONGEST_ROW, MISSING, Codes, read_rows
from waferscope.io.files import file_stem
from waferscope.io.formats import ReadOptions
from waferscope.io.semi.bins import bin_type, code_width, dies_and_bins, read_definitions
from waferscope.io.semi.geometry import number, read_frame, read_notch, to_mm, whole
from waferscope.io.semi.times import read_time
from waferscope.io.semi.xml import Node, read_xml
from waferscope.io.sites import find_sites

_TYPES: Final = ("", "wafer", "frame")
"""Kinds of substrates that are wafers: a frame holds one. Strips and trays are none."""
_DEEPEST: Final = 8
ALIASES: Final = {"step": "TestStep", "tester": "Tester", "tested_at": "TestStartTime"}
"""AliasId types for what a substrate has no element for."""
OFFSETS: Final = ("CoordinateOffsetX", "CoordinateOffsetY")
"""AliasId types: what to add to the coordinates of the map to get those of the tester."""


@dataclass(frozen=True, slots=True)
class _File:
    blob: Blob
    options: ReadOptions
    layouts: Mapping[str, Node]
    substrates: Mapping[str, Node]
    maps: int


@dataclass(slots=True)
class _Layout:
    """What a chain of layouts says: rows and columns of dies in all (0: not said), sizes in mm."""

    rows: int = 0
    cols: int = 0
    width: float | None = None
    height: float | None = None
    diameter: float | None = None
    product: str | None = None


def is_e142(head: bytes) -> bool:
    """Tell an E142 file by its root element."""
    start = head[:4096].replace(b"\0", b"")
    return bool(re.search(rb"<([\w.-]{1,80}:)?MapData[\s>]", start, re.IGNORECASE))


def read_e142(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of an E142 file, one per map of a layout; raise FormatError for none."""
    root = read_xml(blob)
    maps = list(root.walk("SubstrateMap"))
    wafers = [node for node in maps if node.get("SubstrateType").lower() in _TYPES]
    file = _File(
        blob,
        options,
        {node.get("LayoutId"): node for node in root.walk("Layout")},
        {node.get("SubstrateId"): node for node in root.walk("Substrate")},
        len(wafers),
    )
    found = [_read_map(file, node, *chosen) for node in wafers if (chosen := _choose(node))]
    if not found:
        kinds = sorted({node.get("SubstrateType")[:20] for node in maps})
        raise FormatError(
            f"Expected a wafer with a BinCodeMap in {blob.name} (E142), got maps of "
            f"{', '.join(kinds[:5]) or 'nothing'}. Export the bin map of the wafer."
        )
    return found


def _choose(node: Node) -> tuple[Node, list[str]] | None:
    """Return the bin map of the newest overlay, and a note on the others."""
    overlays = [o for o in node.all("Overlay") if o.first("BinCodeMap") is not None]
    if not overlays:
        return None
    newest = max(overlays, key=lambda overlay: number(overlay.get("MapVersion")) or 0.0)
    others = [o.get("MapName") or "unnamed" for o in overlays if o is not newest]
    name = newest.get("MapName") or "unnamed"
    notes = [f"bin map {name} read, left out: {', '.join(others)[:200]}"] if others else []
    return next(iter(newest.all("BinCodeMap"))), notes


def _read_map(file: _File, node: Node, bin_map: Node, notes: list[str]) -> WaferMap:
    substrate = file.substrates.get(node.get("SubstrateId")) or Node("substrate", {})
    aliases = {a.get("Type"): a.get("Value") for a in substrate.walk("AliasId")}
    layout = _read_layout(node.get("LayoutSpecifier"), file.layouts, notes)
    kind = bin_type(bin_map.get("BinType"))
    null = bin_map.attrs.get("nullbin") or None
    nodes = [d for b in bin_map.all("BinDefinitions") for d in b.all("BinDefinition")]
    definitions = read_definitions(nodes)
    width = code_width(kind, null, definitions)
    codes, frame = _read_codes(node, bin_map, layout, width, notes)
    dies, bins, more = dies_and_bins(codes, kind, null, definitions, file.options)
    notes += more
    if layout.rows and (layout.rows, layout.cols) not in ((1, 1), dies.shape):
        shape = f"{layout.rows}x{layout.cols} dies, the map {dies.shape[0]}x{dies.shape[1]}"
        notes.append(f"the layout says {shape}")
    if node.get("SubstrateSide").lower().startswith("bottom"):
        notes.append("map of the bottom side, as it stands in the file")
    shift = [whole(aliases.get(name, "")) or 0 for name in OFFSETS]
    notes += _reference_notes(node)
    slot = whole(substrate.value("SlotNumber"))
    own = {name: aliases[alias] for name, alias in ALIASES.items() if aliases.get(alias)}
    return WaferMap(
        dies,
        wafer_id=node.get("SubstrateId") or file_stem(file.blob.name),
        lot_id=substrate.value("LotId") or None,
        slot=slot,
        product=layout.product or substrate.value("ProductId") or None,
        step=own.get("step"),
        tester=own.get("tester"),
        tested_at=read_time(own.get("tested_at", "")),
        die_width_mm=layout.width,
        die_height_mm=layout.height,
        diameter_mm=layout.diameter,
        notch=read_notch(node.get("Orientation"), notes),
        frame=Frame(frame.x0 + shift[0], frame.y0 + shift[1], frame.dx, frame.dy),
        bins=bins,
        source=Source("e142", file.blob.name, file.blob.sha256),
        notes=tuple(notes),
    )


def _read_codes(
    node: Node, bin_map: Node, layout: _Layout, width: int, notes: list[str]
) -> tuple[Codes, Frame]:
    """Return the codes of a map and their frame, from rows or from a list of places."""
    origin, axes = node.get("OriginLocation"), node.get("AxisDirection")
    rows = bin_map.all("BinCode")
    null = bin_map.attrs.get("nullbin", "")
    if rows and all(row.get("X") and row.get("Y") for row in rows):
        signs = read_frame(origin, axes, (1, 1), notes)
        long = any(len(row.text.strip()) > width for row in rows)
        if long and (runs := _read_runs(rows, width, null, signs)) is not None:
            notes.append("rows that begin at an X and Y taken as running to the right")
            return runs
        return _read_places(rows, signs)
    texts = [row.text for row in rows]
    if len(texts) == 1 and layout.rows > 1:
        texts = _part(texts[0], layout, width)
    codes = read_rows(texts, width, null)
    return codes, read_frame(origin, axes, codes.cells.shape, notes)


def _part(text: str, layout: _Layout, width: int) -> list[str]:
    """Return the rows of a map that stands in one element, by its lines or its length."""
    plain, length = text.strip(), layout.cols * width
    breaks = plain.count("\n") + plain.count("\r")
    if not breaks and length > 0 and len(plain) == layout.rows * length:
        return [plain[at : at + length] for at in range(0, len(plain), length)]
    if breaks > 2 * LONGEST_ROW:
        return [text]
    return [line for line in plain.splitlines() if line.strip()]


def _read_places(rows: Sequence[Node], signs: Frame) -> tuple[Codes, Frame]:
    """Return the codes of a list of dies with x and y (MapType Coordinate)."""
    sites = find_sites(*_places(rows), right=signs.dx == 1, up=signs.dy == -1)
    names = [MISSING, *dict.fromkeys(row.text.strip() for row in rows)]
    places = {name: place for place, name in enumerate(names) if name or not place}
    cells = np.zeros(sites.shape, np.uint16)
    values = np.array([places[row.text.strip()] for row in rows])
    if len(names) > 1 << 15:
        raise FormatError("Expected a map of few different bins (E142), got over 32,000. Check it.")
    cells.reshape(-1)[sites.cells] = values
    return Codes(tuple(names), cells), sites.frame


def _read_runs(
    rows: Sequence[Node], width: int, null: str, signs: Frame
) -> tuple[Codes, Frame] | None:
    """Return the codes of rows that begin at an x and y (MapType Row); None where they overlap."""
    x, y = _places(rows)
    codes = read_rows([row.text for row in rows], width, null)
    sizes = np.count_nonzero(codes.look_up([name != MISSING for name in codes.names]), axis=1)
    ends = x + signs.dx * (sizes - 1)
    both = np.concatenate((x, ends)), np.concatenate((y, y))
    sites = find_sites(*both, right=signs.dx == 1, up=signs.dy == -1)
    cells = np.zeros(sites.shape, np.uint16)
    for start, size, run in zip(sites.cells.tolist(), sizes.tolist(), codes.cells, strict=False):
        place = cells.reshape(-1)[start : start + size]
        if place.any():
            return None
        place[:] = run[:size] + 1
    return Codes((MISSING, *codes.names), cells), sites.frame


def _places(rows: Sequence[Node]) -> list[npt.NDArray[np.int64]]:
    """Return X and Y of elements, one array each."""
    found = [[whole(row.get(axis)) for row in rows] for axis in ("X", "Y")]
    if any(None in values for values in found):
        raise FormatError(
            "Expected whole numbers as X and Y of each BinCode (E142), got others. Correct the map."
        )
    return [np.array(values, np.int64) for values in found]


def _read_layout(path: str, layouts: Mapping[str, Node], notes: list[str]) -> _Layout:
    """Return what the layouts of a path such as WaferLayout/DieLayout say together."""
    names = [name.strip() for name in path.split("/") if name.strip()][:_DEEPEST]
    chain = [layouts[name] for name in names if name in layouts]
    if len(chain) < len(names):
        missing = ", ".join(name[:40] for name in names if name not in layouts)
        notes.append(f"layouts that the file lacks: {missing}")
    if not names and len(layouts) == 1:
        chain = list(layouts.values())
    found = _Layout()
    for node in chain:
        rows, cols = (whole(_pair(node, "Dimension", axis)) or 0 for axis in ("Y", "X"))
        found.rows = max(found.rows, 1) * rows
        found.cols = max(found.cols, 1) * cols
        found.product = node.value("ProductId") or found.product
        found.width, found.height = _pitch(node)
    if len(chain) > 1 and found.rows and (top := chain[0].first("DeviceSize")) is not None:
        units = top.get("Units") or chain[0].get("DefaultUnits") or "mm"
        sides = {to_mm(top.get(axis), units) for axis in ("X", "Y")}
        found.diameter = sides.pop() if len(sides) == 1 else None
    return found


def _pitch(node: Node) -> tuple[float | None, float | None]:
    """Return a die's width and height: the step from die to die, else the size of the device."""
    sizes = []
    for axis in ("X", "Y"):
        units = node.get("DefaultUnits") or "mm"
        both = (
            to_mm(_pair(node, name, axis), _pair(node, name, "Units") or units)
            for name in ("StepSize", "DeviceSize")
        )
        sizes.append(next(filter(None, both), None))
    return sizes[0], sizes[1]


def _pair(node: Node, name: str, axis: str) -> str:
    child = node.first(name)
    return "" if child is None else child.get(axis)


def _reference_notes(node: Node) -> list[str]:
    """Return a note that names the reference devices; their bins say what they are."""
    places = []
    for device in node.walk("ReferenceDevice"):
        at = device.first("Coordinates") or Node("coordinates", {})
        places.append(f"{device.get('Name') or 'unnamed'} at {at.get('X')},{at.get('Y')}")
    return [f"reference devices: {'; '.join(places[:8])[:300]}"] if places else []
