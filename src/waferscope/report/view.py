"""What the lot report's template shows: plain values computed from a summary's counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from waferscope.domain.taxonomy import DefectClass, Taxonomy
from waferscope.report.figures import VIRIDIS, Thumbnail, heat_uri, ink_on
from waferscope.report.rows import WaferRow
from waferscope.report.summary import LotCounts, LotSummary, Remark

LOT_LIMIT = 25
REMARK_LIMIT = 30
LEVELS = ("critical", "medium", "low")


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure: its name, its value as printed, and a line that explains it."""

    name: str
    value: str
    note: str


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


@dataclass(frozen=True, slots=True)
class View:
    """Everything the template reads."""

    title: str
    facts: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...]
    levels: tuple[tuple[str, int, float], ...]
    classes: tuple[DefectClass, ...]
    inks: dict[int, str]
    stack: Stack | None
    stops: tuple[str, ...]
    radial: Radial | None
    patterns: tuple[Bar, ...]
    losses: tuple[Bar, ...]
    gallery: Sequence[tuple[WaferRow, Thumbnail]]
    lots: tuple[tuple[str, LotCounts, str], ...]
    lot_count: int
    rows: Sequence[WaferRow]
    columns: tuple[int, ...]
    total_dies: int
    wafers: int
    conflicts: tuple[tuple[str, Remark], ...]
    conflicted: int
    notes: tuple[tuple[str, Remark], ...]


def build_view(summary: LotSummary, *, title: str | None = None) -> View:
    """Return what the report of ``summary`` shows; its taxonomy must be known."""
    taxonomy, total = summary.taxonomy, summary.total
    if taxonomy is None:
        raise ValueError("a summary without a wafer has no view")
    lots = sorted(summary.lots.items(), key=lambda item: (-item[1].yield_loss, item[0]))
    used = tuple(int(c) for c in np.flatnonzero(total.class_dies))
    return View(
        title=title or _title(summary),
        facts=_facts(summary),
        figures=_figures(total),
        levels=tuple((n, total.levels[n], total.levels[n] / total.wafers) for n in LEVELS),
        classes=taxonomy.classes,
        inks={c.id: ink_on(c.color) for c in taxonomy.classes},
        stack=_stack(summary),
        stops=VIRIDIS,
        radial=_radial(summary),
        patterns=_patterns(total, taxonomy),
        losses=_losses(total, taxonomy),
        gallery=summary.gallery,
        lots=tuple((name, c, _top_label(c)) for name, c in lots[:LOT_LIMIT]),
        lot_count=len(lots),
        rows=summary.worst_rows,
        columns=used,
        total_dies=total.dies,
        wafers=total.wafers,
        conflicts=_remarks(summary.conflicts),
        conflicted=total.conflicted,
        notes=_remarks(summary.notes),
    )


def percent(share: float, digits: int = 1) -> str:
    """Return a share as printed: ``0.1234`` is ``12.3 %``, NaN a dash."""
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f}\u202f%"


def rate(share: float) -> str:
    """Return a share for an axis: whole per cents where they say enough."""
    return percent(share, 0 if share == 0 or share >= 0.1 else 1)


def whole(count: float) -> str:
    """Return a count with thousands parted: 12167 is ``12,167``."""
    return f"{count:,.0f}"


def _title(summary: LotSummary) -> str:
    if len(summary.lots) == 1:
        lot = next(iter(summary.lots))
        return f"Lot {lot}" if lot else "Wafers without a lot name"
    return f"{whole(len(summary.lots))} lots"


def _facts(summary: LotSummary) -> tuple[tuple[str, str], ...]:
    products = [name for name, _ in summary.products.most_common(3)]
    more = len(summary.products) - len(products)
    facts = [("Wafers", whole(summary.total.wafers))]
    if len(summary.lots) > 1:
        facts.append(("Lots", whole(len(summary.lots))))
    if products:
        facts.append(("Product", ", ".join(products) + (f" and {more} more" if more else "")))
    if summary.tested_first and summary.tested_last:
        days = [d.strftime("%Y-%m-%d") for d in (summary.tested_first, summary.tested_last)]
        facts.append(("Tested", days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"))
    facts.append(("Model", ", ".join(sorted(summary.model_versions))))
    return tuple(facts)


def _figures(total: LotCounts) -> tuple[Figure, ...]:
    found = total.wafers - total.clean
    return (
        Figure(
            "Mean yield",
            percent(total.mean_yield),
            f"{whole(total.fails)} of {whole(total.dies)} dies fail",
        ),
        Figure(
            "Yield lost to patterns",
            percent(total.yield_loss),
            f"{whole(total.lost_dies)} dies in a defect mask",
        ),
        Figure(
            "Wafers with defects",
            percent(found / total.wafers),
            f"{whole(found)} of {whole(total.wafers)}",
        ),
        Figure("Defects", whole(total.class_defects.sum()), "separate regions on all wafers"),
        Figure(
            "Critical wafers",
            whole(total.levels["critical"]),
            f"mean severity {total.mean_severity:.0f} of 100",
        ),
    )


def _stack(summary: LotSummary) -> Stack | None:
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
        worst=f"row {row}, column {col}",
    )


def _radial(summary: LotSummary) -> Radial | None:
    seen = summary.radial_dies > 0
    if not seen.any():
        return None
    rates = summary.radial_fails[seen] / summary.radial_dies[seen]
    top = float(rates.max()) or 1.0
    at = (np.flatnonzero(seen) + 0.5) / len(seen) * 100
    points = [f"{x:.1f} {40 - 40 * r / top:.2f}" for x, r in zip(at, rates, strict=True)]
    return Radial(path="M" + " L".join(points), top=float(rates.max()))


def _patterns(total: LotCounts, taxonomy: Taxonomy) -> tuple[Bar, ...]:
    colors = {c.name: c for c in taxonomy.classes}
    ranked = sorted(total.labels.items(), key=lambda item: (-item[1], item[0]))
    longest = max([total.unlabelled, *total.labels.values(), 1])
    bars = []
    for label, count in ranked:
        known = colors.get(taxonomy.pattern_class.get(label, ""))
        cells = (whole(count), percent(count / total.wafers))
        color = known.color if known else "#5B6675"
        bars.append(Bar(label, count / longest, cells, color, known.id if known else None))
    cells = (whole(total.unlabelled), percent(total.unlabelled / total.wafers))
    return (*bars, Bar("none", total.unlabelled / longest, cells, "#B9C2CE"))


def _losses(total: LotCounts, taxonomy: Taxonomy) -> tuple[Bar, ...]:
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
    return (*bars, Bar("no class", other / longest, cells, "#97A1B0"))


def _top_label(counts: LotCounts) -> str:
    if not counts.labels:
        return "none"
    label, count = min(counts.labels.items(), key=lambda item: (-item[1], item[0]))
    return f"{label} ({whole(count)})"


def _remarks(remarks: Mapping[str, Remark]) -> tuple[tuple[str, Remark], ...]:
    """Return the remarks on most wafers first, the longest tail left out."""
    ranked = sorted(remarks.items(), key=lambda item: (-item[1].wafers, item[0]))
    return tuple(ranked[:REMARK_LIMIT])
