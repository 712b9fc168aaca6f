"""Die lists one below the other in a text: the same header again, behind another wafer's names."""

from __future__ import annotations

import re
from typing import Any, Final

from waferscope.io.tokens import find_names

_END: Final = re.compile(rb"\r\n|\n|\r")
_LOOKED_AT: Final = 2048
"""Bytes before a header in which names can stand, and in how many lines."""
_LINES: Final = 8
Names = dict[str, Any]


def part_list(data: bytes, first: int) -> list[tuple[Names, bytes]]:
    r"""Return the lists of a text, each from its header on, with the names that stand above it.

    ``first`` is the number of the line behind the first header. A name holds until it is said
    anew, so a header without names above it, as at the top of a page, goes on with the list before;
    lists of the same names are one.

    >>> text = b"Lot: A\nx,y,bin\n1,1,1\n\nWafer: 2\nx,y,bin\n1,1,7\n"
    >>> [names for names, _ in part_list(text, 2)]
    [{'lot_id': 'A'}, {'lot_id': 'A', 'wafer_id': '2'}]
    """
    ends = [match.span() for _, match in zip(range(first), _END.finditer(data), strict=False)]
    place = ends[first - 2][1] if first > 1 else 0
    header = data[place : ends[first - 1][0] if len(ends) == first else len(data)]
    again = re.compile(rb"(?<![^\r\n])" + re.escape(header) + rb"(?![^\r\n])")
    starts = [match.start() for match in again.finditer(data, place)]
    found: dict[tuple[tuple[str, Any], ...], list[bytes]] = {}
    names: Names = {}
    place = 0
    for start, stop in zip(starts, [*starts[1:], len(data)], strict=True):
        above = data[max(place, start - _LOOKED_AT) : start]
        names |= find_names(above.decode("utf-8", "replace").splitlines()[-_LINES:])
        found.setdefault(tuple(sorted(names.items())), []).append(data[start:stop])
        place = start
    return [(dict(key), b"".join(parts)) for key, parts in found.items()]
