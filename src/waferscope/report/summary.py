"""A lot's totals, gathered wafer by wafer: counts first, ratios at the end.

`update` adds one prediction to the counts of a `LotSummary` and lets the prediction go, so a
report over any number of wafers holds the counts, the rows of the worst few hundred and the
pictures of the worst few dozen, and nothing else.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from waferscope.domain.grid import rho_theta
from waferscope.domain.prediction import Prediction
from waferscope.domain.taxonomy import Taxonomy
from waferscope.domain.wafermap import FAIL
from waferscope.errors import InputError
from waferscope.report.counts import (
    GridStack,
    LotCounts,
    Remark,
    count_wafer,
    note_remarks,
    without_figures,
)
from waferscope.report.figures import Thumbnail, build_thumbnail
from waferscope.report.rows import WaferRow, build_row

RADIAL_BINS = 12


@dataclass(slots=True)
class LotSummary:
    """Everything a lot report shows, and no per-die result beyond the gallery's pictures."""

    gallery_limit: int = 60
    table_limit: int = 500
    taxonomy: Taxonomy | None = None
    total: LotCounts = field(default_factory=lambda: LotCounts(0))
    lots: dict[str, LotCounts] = field(default_factory=dict)
    products: Counter[str] = field(default_factory=Counter)
    model_versions: Counter[str] = field(default_factory=Counter)
    stacks: dict[tuple[int, int], GridStack] = field(default_factory=dict)
    radial_dies: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(RADIAL_BINS, dtype=np.int64)
    )
    radial_fails: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(RADIAL_BINS, dtype=np.int64)
    )
    notes: dict[str, Remark] = field(default_factory=dict)
    conflicts: dict[str, Remark] = field(default_factory=dict)
    dated: int = 0
    tested_first: datetime | None = None
    tested_last: datetime | None = None
    _rows: list[tuple[float, int, WaferRow]] = field(default_factory=list)
    _thumbs: list[tuple[float, int, WaferRow, Thumbnail]] = field(default_factory=list)

    @property
    def worst_rows(self) -> list[WaferRow]:
        """Rows of the most severe wafers, worst first; equals stay in the order they came."""
        return [row for _, _, row in sorted(self._rows, key=lambda e: e[:2], reverse=True)]

    @property
    def gallery(self) -> list[tuple[WaferRow, Thumbnail]]:
        """Pictures of the most severe wafers, worst first."""
        ranked = sorted(self._thumbs, key=lambda e: e[:2], reverse=True)
        return [(row, thumb) for _, _, row, thumb in ranked]

    @property
    def commonest_stack(self) -> tuple[tuple[int, int], GridStack] | None:
        """The grid most wafers share, and its stack; None before the first wafer."""
        if not self.stacks:
            return None
        return max(self.stacks.items(), key=lambda item: item[1].wafers)


def summarise(
    predictions: Iterable[Prediction], *, gallery_limit: int = 60, table_limit: int = 500
) -> LotSummary:
    """Return the summary of a stream of predictions; each is let go after it is counted."""
    summary = LotSummary(gallery_limit=gallery_limit, table_limit=table_limit)
    for prediction in predictions:
        update(summary, prediction)
    return summary


def update(summary: LotSummary, prediction: Prediction) -> WaferRow:
    """Add one prediction to the summary and return its row.

    Raises InputError when the prediction's classes differ from those before it.
    """
    if summary.taxonomy is None:
        summary.taxonomy = prediction.taxonomy
        summary.total = LotCounts(len(prediction.taxonomy.classes))
    elif summary.taxonomy.class_names != prediction.taxonomy.class_names:
        raise InputError(
            f"Expected predictions with the classes {', '.join(summary.taxonomy.class_names)}, "
            f"got {', '.join(prediction.taxonomy.class_names)}. Write one report per model."
        )
    row = build_row(prediction)
    lot = summary.lots.setdefault(row.lot_id or "", LotCounts(len(row.class_names)))
    defects = np.zeros(len(row.class_names), dtype=np.int64)
    for defect in prediction.defects:
        defects[defect.class_id - 1] += 1
    for counts in (summary.total, lot):
        count_wafer(counts, row, defects)
    if row.product:
        summary.products[row.product] += 1
    summary.model_versions[row.model_version] += 1
    _stack(summary, prediction.wafer.dies)
    note_remarks(summary.notes, row, dict.fromkeys(row.notes))
    note_remarks(summary.conflicts, row, dict.fromkeys(map(without_figures, row.conflicts)))
    _date(summary, prediction.wafer.tested_at)
    _keep_worst(summary, row, prediction)
    return row


def _stack(summary: LotSummary, dies: npt.NDArray[np.uint8]) -> None:
    shape = dies.shape[0], dies.shape[1]
    summary.stacks.setdefault(shape, GridStack.empty(shape)).add(dies)
    present = dies > 0
    rho = rho_theta(dies)[0][present]
    rings = np.minimum((rho * RADIAL_BINS).astype(np.int64), RADIAL_BINS - 1)
    summary.radial_dies += np.bincount(rings, minlength=RADIAL_BINS)
    summary.radial_fails += np.bincount(rings[dies[present] == FAIL], minlength=RADIAL_BINS)


def _date(summary: LotSummary, tested_at: datetime | None) -> None:
    if tested_at is None:
        return
    summary.dated += 1
    first, last = summary.tested_first, summary.tested_last
    summary.tested_first = tested_at if first is None else min(first, tested_at)
    summary.tested_last = tested_at if last is None else max(last, tested_at)


def _keep_worst(summary: LotSummary, row: WaferRow, prediction: Prediction) -> None:
    rank = (row.severity, -summary.total.wafers)
    if len(summary._rows) < summary.table_limit:
        heapq.heappush(summary._rows, (*rank, row))
    elif summary._rows and rank > summary._rows[0][:2]:
        heapq.heapreplace(summary._rows, (*rank, row))
    if len(summary._thumbs) < summary.gallery_limit:
        heapq.heappush(summary._thumbs, (*rank, row, build_thumbnail(prediction)))
    elif summary._thumbs and rank > summary._thumbs[0][:2]:
        heapq.heapreplace(summary._thumbs, (*rank, row, build_thumbnail(prediction)))
