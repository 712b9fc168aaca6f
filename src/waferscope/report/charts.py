"""The lot report's charts as plain values: bars, the stacked map, the profile by radius."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from waferscope.domain.taxonomy import Taxonomy
from waferscope.report.counts import LotCounts
from waferscope.report.figures import FAIL_COLOR, heat_uri
from waferscope.report.summary import LotSummary

NONE_COLOR: Final = "#B9C2CE"
OTHER_COLOR: Final = "#5B6675"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart; ``length`` is 0 to 1 of the longest, ``cells`` the figures beside it."""

    name: str
    length: float
    cells: tuple[str, ...]
    color: str
    class_id: int | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """The stacked fail map: its picture, the top of its scale, and what it covers."""

    uri: str
    grid: str
    wafers: int
    share: float
    top: float
    worst: str


@dataclass(frozen=True, slots=True)
class Radial:
    """Fail rate by radius: an SVG path in a box of 100 by 40 and the top of its scale."""

    path: str
    top: float


def build_stack(summary: LotSummary) -> Stack | None:
    """Return the stacked fail map of the grid most wafers share; None without a die."""
    found = summary.commonest_stack
    if found is None or not found[1].tested.any():
        return None
    (rows, cols), stack = found
    rates = stack.rates
    highest = float(np.nanmax(rates))
    row, col = (int(i) for i in np.unravel_index(np.nanargmax(rates), rates.shape))
    return Stack(
        uri=heat_uri(rates, highest),
        grid=f"{rows} × {cols} dies",
        wafers=stack.wafers,
        share=stack.wafers / summary.total.wafers,
        top=highest,
        worst=f"row {row}, column {col}" if highest else "",
    )


def build_radial(summary: LotSummary) -> Radial | None:
    """Return the fail rate from centre to rim over all wafers; None without a die."""
    seen = summary.radial_dies > 0
    if not seen.any():
        return None
    rates = summary.radial_fails[seen] / summary.radial_dies[seen]
    top = float(rates.max()) or 1.0
    at = (np.flatnonzero(seen) + 0.5) / len(seen) * 100
    points = [f"{x:.1f} {40 - 40 * r / top:.2f}" for x, r in zip(at, rates, strict=True)]
    return Radial(path="M" + " L".join(points), top=float(rates.max()))


def pattern_bars(total: LotCounts, taxonomy: Taxonomy) -> tuple[Bar, ...]:
    """Return a bar per label, most wafers first, and one for the wafers without any."""
    colors = {c.name: c for c in taxonomy.classes}
    ranked = sorted(total.labels.items(), key=lambda item: (-item[1], item[0]))
    longest = max([total.unlabelled, *total.labels.values(), 1])
    bars = []
    for label, count in ranked:
        known = colors.get(taxonomy.pattern_class.get(label, ""))
        cells = (whole(count), percent(count / total.wafers))
        color = known.color if known else OTHER_COLOR
        bars.append(Bar(label, count / longest, cells, color, known.id if known else None))
    cells = (whole(total.unlabelled), percent(total.unlabelled / total.wafers))
    return (*bars, Bar("none", total.unlabelled / longest, cells, NONE_COLOR))


def loss_bars(total: LotCounts, taxonomy: Taxonomy) -> tuple[Bar, ...]:
    """Return a bar per class, most dies first, and one for the fails that belong to none."""
    other = total.fails - total.lost_dies
    longest = max(int(total.class_dies.max(initial=0)), other, 1)
    dies = max(total.dies, 1)
    ranked = sorted(
        (k for k in range(len(taxonomy.classes)) if total.class_dies[k]),
        key=lambda k: -total.class_dies[k],
    )
    bars = [
        Bar(
            taxonomy.classes[k].name,
            int(total.class_dies[k]) / longest,
            (
                percent(int(total.class_dies[k]) / dies, 2),
                whole(total.class_dies[k]),
                whole(total.class_wafers[k]),
                whole(total.class_defects[k]),
            ),
            taxonomy.classes[k].color,
            taxonomy.classes[k].id,
        )
        for k in ranked
    ]
    cells = (percent(other / dies, 2), whole(other), "", "")
    return (*bars, Bar("no class", other / longest, cells, FAIL_COLOR))


def percent(share: float, digits: int = 1) -> str:
    """Return a share as printed: ``0.1234`` is ``12.3 %``, NaN a dash."""
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f}\u202f%"


def rate(share: float) -> str:
    """Return a share for an axis: whole per cents where they say enough."""
    return percent(share, 0 if share == 0 or share >= 0.1 else 1)


def whole(count: float) -> str:
    """Return a count with thousands parted: 12167 is ``12,167``."""
    return f"{count:,.0f}"
