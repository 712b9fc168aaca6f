"""One STDF library reading files on demand, in a process and an environment of its own.

``python benchmarks/stdf_readers.py WAY`` reads the file named by each line of its input and answers
with a line of JSON: the seconds it took, and what it found, or why it failed. It imports the
standard library and the one library alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Final

Parts = Iterable[tuple[int, int, bool]]
"""x, y and whether it failed, of each part or die with a place, in the order of the file."""
_NOWHERE: Final = -32768
_FAILED: Final = 0x08


def _waferscope(path: str) -> Parts:
    (wafer,) = import_module("waferscope").read(path)
    cells = wafer.dies.nonzero()
    x, y = wafer.frame.x0 + wafer.frame.dx * cells[1], wafer.frame.y0 + wafer.frame.dy * cells[0]
    return zip(x.tolist(), y.tolist(), (wafer.dies[cells] == 2).tolist(), strict=True)


def _pystdf(path: str, kinds: tuple[str, ...] = ()) -> Parts:
    v4, parser_of = import_module("pystdf.V4"), import_module("pystdf.IO").Parser
    types = [getattr(v4, name) for name in kinds] or v4.records
    prr, found = v4.prr, list[tuple[int, int, bool]]()

    class Sink:
        """Takes what the parser sends."""

        def after_send(self, source: Any, data: Any) -> None:
            kind, fields = data
            if kind is prr:
                failed = bool(fields[prr.PART_FLG] & _FAILED)
                found.append((fields[prr.X_COORD], fields[prr.Y_COORD], failed))

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *args: None

    with open(path, "rb") as file:
        parser = parser_of(types, inp=file)
        parser.addSink(Sink())
        parser.parse()
    return found


def _semi_ate(path: str, kinds: list[str] | None = None) -> Parts:
    records = import_module("Semi_ATE.STDF.utils").records_from_file
    found = []
    for one in records(path, unpack=True, of_interest=kinds):
        if one.id != "PRR":
            continue
        get = one.get_value
        bits = get("PART_FLG")  # eight of them, the highest first
        found.append((get("X_COORD"), get("Y_COORD"), bits[4] == "1"))
    return found


def _stdfast_rows(path: str) -> Parts:
    rows = import_module("stdfast").get_rows(path)  # it leaves PART_FLG out
    return [(row["x_coord"], row["y_coord"], row["hbin"] != 1) for row in rows]


def _stdfast_records(path: str) -> Parts:
    records = import_module("stdfast").iter_raw_records(path)
    return [
        (record["x_coord"], record["y_coord"], bool(record["part_flg"] & _FAILED))
        for record in records
        if record["record_type"] == "PRR"
    ]


def _stdfast_frames(path: str) -> Parts:
    data = import_module("stdfast").parse_stdf(path)["data"]
    x, y, bins = (data[name] for name in ("x_coord", "y_coord", "hbin"))
    return [(x, y, number != 1) for x, y, number in zip(x, y, bins, strict=True)]


WAYS: Final[dict[str, Callable[[str], Parts]]] = {
    "waferscope": _waferscope,
    "pystdf": _pystdf,
    "pystdf, parts alone": lambda path: _pystdf(path, ("far", "wir", "prr", "wrr", "mrr")),
    "Semi-ATE-STDF": _semi_ate,
    "Semi-ATE-STDF, parts alone": lambda path: _semi_ate(path, ["PRR"]),
    "stdfast get_rows": _stdfast_rows,
    "stdfast iter_raw_records": _stdfast_records,
    "stdfast parse_stdf": _stdfast_frames,
}


def answer(way: str, path: str) -> dict[str, Any]:
    """Read a file and return seconds, dies and failing dies, or the error."""
    start = time.perf_counter()
    try:
        parts = WAYS[way](path)
    except BaseException as error:
        return {"error": f"{type(error).__name__}: {error}"}
    seconds = time.perf_counter() - start
    dies = {(x, y): failed for x, y, failed in parts if _NOWHERE not in (x, y)}
    return {"seconds": seconds, "dies": len(dies), "failed": sum(dies.values())}


def main() -> None:
    """Answer every line."""
    for line in sys.stdin:
        print(json.dumps(answer(sys.argv[1], line.rstrip("\n"))), flush=True)


if __name__ == "__main__":
    main()
