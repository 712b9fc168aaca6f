"""SEMI E142 substrate maps (E142.1, XML): bin code maps of wafers in.

Kept: names of lot, wafer and product, slot, sizes, notch, frame, bins with their names, pass and
fail. A file may hold many wafers, and a wafer many layouts (a multi-project wafer): each map of a
layout becomes a wafer map of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from waferscope.domain.wafermap import MAX_SIDE, Frame, Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io.archive import NAMELESS, Blob
from waferscope.io.bin_rows import Codes, read_rows
from waferscope.io.formats import ReadOptions
from waferscope.io.semi.bins import WIDTHS, bin_type, dies_and_bins, read_definitions
from waferscope.io.semi.geometry import number, read_frame, read_notch, to_mm
from waferscope.io.semi.names import read_time
from waferscope.io.semi.xml import Node, read_xml

_TYPES: Final = ("", "wafer", "frame")
"""Kinds of substrates that are wafers: a frame holds one. Strips and trays are none."""
_MOST_DEEP: Final = 8


def is_e142(head: bytes) -> bool:
    """Tell an E142 file by its root element."""
    start = re.sub(rb"\0", b"", head[:4096]).lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return start.startswith(b"<") and bool(re.search(rb"<([\w.-]+:)?MapData[\s>]", start, re.I))


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a chain of layouts says: rows and columns of dies in all, and sizes in mm."""

    shape: tuple[int, int] | None = None
    width: float | None = None
    height: float | None = None
    diameter: float | None = None
    product: str | None = None


def read_e142(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of an E142 file, one per map of a layout; raise FormatError for none."""
    root = read_xml(blob)
    layouts = {node.get("LayoutId"): node for node in root.walk("Layout")}
    substrates = {node.get("SubstrateId"): node for node in root.walk("Substrate")}
    maps = list(root.walk("SubstrateMap"))
    known = [node for node in maps if node.get("SubstrateType").lower() in _TYPES]
    wafers = []
    for node in known:
        found = _pick_map(node)
        if found is not None:
            substrate = substrates.get(node.get("SubstrateId"))
            wafers.append(_read_map(node, found, substrate, layouts, blob, options))
    if not wafers:
        kinds = sorted({node.get("SubstrateType")[:20] for node in maps}) or ["no map"]
        raise FormatError(
            f"Expected a wafer with a BinCodeMap in {blob.name} (E142), got {', '.join(kinds)}. "
            "Export the bin map of the wafer."
        )
    return wafers


def _pick_map(node: Node) -> tuple[Node, Node, list[str]] | None:
    """Return the overlay whose bins count, the newest, its bin map, and a note on the others."""
    overlays = [(o, m) for o in node.all("Overlay") if (m := o.first("BinCodeMap")) is not None]
    if not overlays:
        return None
    newest = max(overlays, key=lambda pair: number(pair[0].get("MapVersion")) or 0.0)
    others = [o.get("MapName") or "unnamed" for o, _ in overlays if o is not newest[0]]
    note = f"of {len(overlays)} bin maps {newest[0].get('MapName')!r} is read, not "
    return (*newest, [note + ", ".join(others)[:200]] if others else [])


def _read_map(
    node: Node,
    found: tuple[Node, Node, list[str]],
    substrate: Node | None,
    layouts: Mapping[str, Node],
    blob: Blob,
    options: ReadOptions,
) -> WaferMap:
    overlay, bin_map, notes = found
    kind = bin_type(bin_map.get("BinType"))
    null = bin_map.attrs.get("nullbin")
    layout = _read_layout(node.get("LayoutSpecifier"), layouts, notes)
    rows = bin_map.all("BinCode")
    origin, axes = node.get("OriginLocation"), node.get("AxisDirection")
    if rows and all(row.get("X") and row.get("Y") for row in rows):
        codes = _read_places(rows, layout.shape, _signs(origin, axes), blob.name)
    else:
        width = len(null) if null and len(null) <= WIDTHS["integer2"] else WIDTHS[kind]
        codes = read_rows(_lines(rows, layout.shape, width), width, null or "")
    definitions = read_definitions([d for b in bin_map.all("BinDefinitions") for d in b.children])
    dies, bins, more = dies_and_bins(codes, kind, null, definitions, options)
    if layout.shape not in (None, dies.shape):
        more.append(f"the layout has {layout.shape} rows and columns, the map {dies.shape}")
    return _build(node, substrate, overlay, layout, notes + more, ...)
