"""What the lot report's template shows: plain values computed from a summary's counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from waferscope.domain.taxonomy import DefectClass
from waferscope.errors import InputError
from waferscope.report.charts import (
    Bar,
    Radial,
    Stack,
    build_radial,
    build_stack,
    loss_bars,
    pattern_bars,
    percent,
    whole,
)
from waferscope.report.counts import LotCounts, Remark
from waferscope.report.figures import VIRIDIS, Thumbnail, ink_on
from waferscope.report.rows import WaferRow
from waferscope.report.summary import LotSummary

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
    """Return what the report of ``summary`` shows; raise InputError for one without a wafer."""
    taxonomy, total = summary.taxonomy, summary.total
    if taxonomy is None:
        raise InputError("Expected at least one prediction, got none. Give a wafer to report.")
    lots = sorted(summary.lots.items(), key=lambda item: (-item[1].yield_loss, item[0]))
    used = tuple(int(c) for c in np.flatnonzero(total.class_dies))
    return View(
        title=title or _title(summary),
        facts=_facts(summary),
        figures=_figures(total),
        levels=tuple((n, total.levels[n], total.levels[n] / total.wafers) for n in LEVELS),
        classes=taxonomy.classes,
        inks={c.id: ink_on(c.color) for c in taxonomy.classes},
        stack=build_stack(summary),
        stops=VIRIDIS,
        radial=build_radial(summary),
        patterns=pattern_bars(total, taxonomy),
        losses=loss_bars(total, taxonomy),
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


def _title(summary: LotSummary) -> str:
    if len(summary.lots) == 1:
        lot = next(iter(summary.lots))
        return f"Lot {lot}" if lot else "Wafers without a lot name"
    return f"{whole(len(summary.lots))} lots"


def _facts(summary: LotSummary) -> tuple[tuple[str, str], ...]:
    facts = [("Wafers", whole(summary.total.wafers))]
    if len(summary.lots) > 1:
        facts.append(("Lots", whole(len(summary.lots))))
    if summary.products:
        names = [name for name, _ in summary.products.most_common(3)]
        more = len(summary.products) - len(names)
        shown = ", ".join(names) + (f" and {more} more" if more else "")
        facts.append(("Product", shown + _share(summary.products.total(), summary)))
    if summary.tested_first and summary.tested_last:
        days = [d.strftime("%Y-%m-%d") for d in (summary.tested_first, summary.tested_last)]
        shown = days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"
        facts.append(("Tested", shown + _share(summary.dated, summary)))
    facts.append(("Model", ", ".join(sorted(summary.model_versions))))
    return tuple(facts)


def _share(known: int, summary: LotSummary) -> str:
    """Say on how many wafers a fact is known, when not on all."""
    wafers = summary.total.wafers
    return "" if known == wafers else f" ({whole(known)} of {whole(wafers)} wafers)"


def _figures(total: LotCounts) -> tuple[Figure, ...]:
    found = total.wafers - total.clean
    return (
        Figure(
            "Mean yield",
            percent(total.mean_yield),
            f"over wafers; {_failing(total)}",
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


def _failing(total: LotCounts) -> str:
    """Say how many dies fail, and their share: that of all dies, where large wafers weigh more."""
    share = f" ({percent(total.fails / total.dies)})" if total.dies else ""
    return f"{whole(total.fails)} of {whole(total.dies)} dies fail{share}"


def _top_label(counts: LotCounts) -> str:
    if not counts.labels:
        return "none"
    label, count = min(counts.labels.items(), key=lambda item: (-item[1], item[0]))
    return f"{label} ({whole(count)})"


def _remarks(remarks: Mapping[str, Remark]) -> tuple[tuple[str, Remark], ...]:
    """Return the remarks on most wafers first, the longest tail left out."""
    ranked = sorted(remarks.items(), key=lambda item: (-item[1].wafers, item[0]))
    return tuple(ranked[:REMARK_LIMIT])
