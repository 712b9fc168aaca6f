"""STDF V4 test results as wafer maps: one map per wafer, die by die.

A part is placed by X_COORD and Y_COORD of its PRR, on the wafer whose WIR is open on its head;
the axes and the notch come from the WCR. Times are the tester's local clock, read as UTC.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import FAIL, PASS, Bins, Source, WaferMap
from waferscope.errors import FormatError
from waferscope.io.archive import Blob
from waferscope.io.formats import ReadOptions, Retests
from waferscope.io.sites import find_sites, find_strays, retest_notes, retest_order, stray_notes
from waferscope.io.stdf.lot import Lot, read_lot
from waferscope.io.stdf.records import MISSING_XY, Parts, Scan, scan_records
from waferscope.io.stdf.runs import Run, find_runs

_SUPERSEDES_ID, _FAILED, _NO_VERDICT = 0x01, 0x08, 0x10
_NO_BIN = 0xFFFF


def is_stdf(head: bytes) -> bool:
    """Tell STDF by its first record: a FAR of two bytes in either byte order."""
    return head[2:4] == b"\x00\x0a" and head[:2] in (b"\x02\x00", b"\x00\x02")


def read_stdf(blob: Blob, options: ReadOptions) -> list[WaferMap]:
    """Return the wafers of an STDF V4 file, in the order in which they were begun.

    Raises FormatError for another version or byte order, for a file without a placed part, and
    with ``strict`` for a file that is damaged or cut short.
    """
    scan = scan_records(blob)
    if options.strict and scan.damage:
        raise FormatError(
            f"Expected a whole STDF file, got {blob.name}: {scan.damage}. "
            "Fetch it again, or read its sound part without strict."
        )
    parts, lot = scan.parts, read_lot(scan)
    notes = [*_scan_notes(scan), *lot.notes]
    lot.fields["source"] = Source("stdf", blob.name, blob.sha256)
    wafers, empty = [], []
    for run in find_runs(scan, parts):
        wafer = _build_wafer(run, parts, scan.ids, lot, options.retests)
        if wafer is None:
            empty.append(run.wafer_id or "(no name)")
        else:
            wafers.append(wafer)
    if not wafers:
        raise FormatError(
            f"Expected parts with die coordinates, got {len(parts):,} parts and none placed in "
            f"{blob.name}{'; ' + scan.damage if scan.damage else ''}. "
            "Maps come from wafer-sort files; final-test files carry no x and y."
        )
    if empty:
        notes.append(f"wafers without a placed part left out: {', '.join(empty)}")
    return [replace(w, notes=(*notes, *w.notes)) for w in wafers] if notes else wafers


def _scan_notes(scan: Scan) -> list[str]:
    notes = []
    if scan.damage:
        notes.append(f"read to the last whole record ({len(scan.ids):,} parts): {scan.damage}")
    if scan.strange:
        kinds = ", ".join(f"{kind} {count} times" for kind, count in scan.strange.items())
        notes.append(f"records of unknown kinds passed over: {kinds}")
    return notes


def _build_wafer(
    run: Run, parts: Parts, ids: list[bytes], lot: Lot, retests: Retests
) -> WaferMap | None:
    """Return the map of one run, or None when none of its parts has a place."""
    results, dropped = parts[run.index], 0
    if retests == "last" and (results["flag"] & _SUPERSEDES_ID).any():
        results, dropped = _supersede(results, [ids[i] for i in run.index])
    placed = (results["x"] != MISSING_XY) & (results["y"] != MISSING_XY)
    missing = int(len(results) - np.count_nonzero(placed))
    results = results[placed]
    if not len(results):
        return None
    far = find_strays(results["x"], results["y"])
    strays, results = results[far], results[~far]
    states, guessed = _states(results, lot)
    sites = find_sites(results["x"], results["y"], right=lot.right, up=lot.up)
    centre, centre_notes = _centre(results, lot)
    order = retest_order(states, retests)
    dies = sites.dies(states, order)
    hard, soft = (np.where(results[k] == _NO_BIN, 0, results[k]) for k in ("hard", "soft"))
    retested = len(states) - int(np.count_nonzero(dies)) + dropped
    return WaferMap(
        dies,
        wafer_id=run.wafer_id,
        tested_at=datetime.fromtimestamp(run.started, UTC) if run.started else None,
        frame=sites.frame,
        centre=centre and sites.frame.to_cell(*centre),
        bins=Bins(sites.bins(hard, order), sites.bins(soft, order), lot.hard_names, lot.soft_names),
        notes=(
            *run.notes,
            *stray_notes(strays["x"], strays["y"]),
            *_zero_notes(results),
            *centre_notes,
            *_result_notes(retested, retests, missing, guessed),
        ),
        **lot.fields,
    )


def _result_notes(retested: int, retests: Retests, missing: int, guessed: int) -> list[str]:
    return [
        *retest_notes(retested, retests),
        *([f"{missing:,} parts without x and y left out"] if missing else []),
        *([f"{guessed:,} parts without a verdict: bin 1 taken as pass"] if guessed else []),
    ]


def _centre(results: Parts, lot: Lot) -> tuple[tuple[float, float] | None, list[str]]:
    """Return the (x, y) of the wafer's centre where its dies do not tell it, and notes.

    The WCR names no more than the die nearest to it, and in many files a wrong one. It counts for a
    wafer tested in part: when the middle of the dies lies over a die away, and all of them lie on
    the wafer around it.
    """
    width, height, diameter = (
        lot.fields.get(name) for name in ("die_width_mm", "die_height_mm", "diameter_mm")
    )
    if lot.centre is None or not (width and height and diameter):
        return None, []
    x, y = (results[axis] - float(at) for axis, at in zip("xy", lot.centre, strict=True))
    if max(abs(x.min() + x.max()), abs(y.min() + y.max())) <= 2:
        return None, []
    where = f"the WCR has the wafer's centre at die {lot.centre[0]},{lot.centre[1]}"
    if np.hypot(x * width, y * height).max() > diameter / 2:
        return None, [f"{where}, from where dies lie off the wafer: not used"]
    return lot.centre, [f"{where}, not in the middle of the tested dies"]


def _zero_notes(results: Parts) -> list[str]:
    """Return a note when parts are in bin 0, a bin of STDF that no map can hold."""
    sides = [side for side in ("hard", "soft") if (results[side] == 0).any()]
    if not sides:
        return []
    what = " and ".join(sides)
    return [f"{what} bin 0 is a bin of tested dies in this file; in a map 0 stands for none"]


def _states(results: Parts, lot: Lot) -> tuple[npt.NDArray[np.uint8], int]:
    """Return PASS or FAIL per part, and how many took it from the habit that bin 1 passes.

    PART_FLG decides; where it has no verdict, the hard bin's record, then the soft bin's.
    """
    states = np.where(results["flag"] & _FAILED, FAIL, PASS).astype(np.uint8)
    unsure = (results["flag"] & _NO_VERDICT) != 0
    if not unsure.any():
        return states, 0
    by_bin = np.where(results["hard"] == 1, PASS, FAIL)
    told = np.zeros(len(results), dtype=bool)
    for name, passes in (("soft", lot.soft_pass), ("hard", lot.hard_pass)):
        for number, verdict in passes.items():
            mine = results[name] == number
            by_bin[mine], told[mine] = (PASS if verdict else FAIL), True
    states[unsure] = by_bin[unsure]
    return states, int(np.count_nonzero(unsure & ~told))


def _supersede(results: Parts, ids: list[bytes]) -> tuple[Parts, int]:
    """Drop the results that a later part of the same PART_ID says it supersedes.

    The later one takes over the place of the earlier when it has none of its own.
    """
    results, keep = results.copy(), np.ones(len(results), dtype=bool)
    latest: dict[bytes, int] = {}
    for now, part_id in enumerate(ids):
        before = latest.get(part_id) if part_id else None
        if before is not None and results["flag"][now] & _SUPERSEDES_ID:
            keep[before] = False
            for axis in ("x", "y"):
                if results[axis][now] == MISSING_XY:
                    results[axis][now] = results[axis][before]
        latest[part_id] = now
    return results[keep], int(np.count_nonzero(~keep))
