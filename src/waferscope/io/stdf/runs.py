"""Which part of an STDF file belongs to which wafer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from waferscope.io.stdf.records import WIR, WRR, Fields, Parts, Scan

Index = npt.NDArray[np.intp]
_ALL_HEADS = 255
_GOES_ON = 0.25
"""Of the dies of the smaller run: as many may two runs of one wafer share when one goes on."""


@dataclass(slots=True)
class Run:
    """One wafer tested on one head: ``index`` are its parts, in file order.

    ``first`` and ``last`` bound the parts that lie between its WIR and WRR.
    """

    wafer_id: str
    head: int
    started: int
    first: int
    last: int = -1
    index: Index = field(default_factory=lambda: np.zeros(0, np.intp))
    notes: list[str] = field(default_factory=list)


def find_runs(scan: Scan, parts: Parts) -> list[Run]:
    """Return the wafers in the order in which they were begun, each with its parts.

    Parts outside every WIR to WRR are grouped by the WRR that ends them, else by head.
    """
    runs = _bracketed(scan, len(parts))
    one_head = len({run.head for run in runs}) <= 1
    free = np.ones(len(parts), dtype=bool)
    for run in runs:
        inside = free[run.first : run.last]
        if not one_head and run.head != _ALL_HEADS:
            inside = inside & (parts["head"][run.first : run.last] == run.head)
        run.index = np.flatnonzero(inside) + run.first
        free[run.index] = False
    if free.any():
        runs += _unbracketed(parts, np.flatnonzero(free), alone=not runs)
    return _merge_reprobed(runs, parts)


def _bracketed(scan: Scan, part_count: int) -> list[Run]:
    """Return runs with their bounds, from WIR and WRR records."""
    runs: list[Run] = []
    open_on: dict[int, Run] = {}
    ended_at: dict[int, int] = {}
    for kind, before, body in scan.events:
        fields = Fields(body, scan.endian)
        if kind == WIR:
            head, _group, started = (int(fields.number(code)) for code in "BBI")
            if head in open_on:
                open_on[head].last = before
            open_on[head] = Run(fields.text(), head, started, before)
            runs.append(open_on[head])
        elif kind == WRR:
            head = int(fields.number("B"))
            fields.skip(25)
            wafer_id = fields.text()
            run = open_on.pop(head, None)
            if run is None and len(open_on) == 1 and head == _ALL_HEADS:
                run = open_on.popitem()[1]
            if run is None:
                run = Run(wafer_id, head, 0, ended_at.get(head, 0))
                run.notes.append("no WIR record: parts up to the WRR taken as one wafer")
                runs.append(run)
            run.last, run.wafer_id = before, run.wafer_id or wafer_id
            ended_at[head] = before
    for run in open_on.values():
        run.last = part_count
    return runs


def _unbracketed(parts: Parts, index: Index, *, alone: bool) -> list[Run]:
    """Return one run per head for the parts that no wafer record encloses."""
    heads = np.unique(parts["head"][index])
    note = "parts outside every wafer record (WIR to WRR) grouped as one wafer per test head"
    if alone:
        note = "no wafer records (WIR, WRR): all parts of a test head taken as one wafer"
    runs = []
    for head in heads.tolist():
        mine = index[parts["head"][index] == head]
        wafer_id = "" if len(heads) == 1 else f"head {head}"
        runs.append(Run(wafer_id, head, 0, int(mine[0]), int(mine[-1]) + 1, mine, [note]))
    return runs


def _merge_reprobed(runs: list[Run], parts: Parts) -> list[Run]:
    """Join a later run of the same wafer to the first one.

    It either tested some of the dies again, or went on with the others where the first was broken
    off. Runs of one name that tested all of the same dies stay apart, and say so.
    """
    kept: dict[str, Run] = {}
    out: list[Run] = []
    for run in runs:
        earlier = kept.get(run.wafer_id) if run.wafer_id else None
        if earlier is None:
            kept[run.wafer_id] = run
            out.append(run)
            continue
        before, now = (_sites(parts, r.index) for r in (earlier, run))
        again = int(np.count_nonzero(np.isin(now, before)))
        if again == len(now) < len(before) or again <= _GOES_ON * min(len(now), len(before)):
            earlier.index = np.concatenate([earlier.index, run.index])
            if not (len(now) and len(before)):
                continue
            told = "of its dies taken as retests"
            if again < len(now):
                told = f"dies, {again} of them tested before, taken as the rest of it"
            earlier.notes.append(f"a second run of {len(now)} {told}")
        else:
            run.notes.append(f"another wafer in this file is named {run.wafer_id!r} too")
            out.append(run)
    return out


def _sites(parts: Parts, index: Index) -> npt.NDArray[np.int64]:
    """Return the distinct die sites of some parts, each as one number."""
    x, y = (parts[name][index].astype(np.int64) for name in ("x", "y"))
    return np.unique(x << 16 | (y & 0xFFFF))
