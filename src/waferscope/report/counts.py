"""What is counted over wafers: dies, yields, labels and classes; stacked grids; remarks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import FAIL
from waferscope.report.rows import WaferRow

MAX_REMARKS = 200
"""Distinct notes and conflicts that are counted one by one; later ones are counted together."""
FURTHER = "(further, different remarks)"
EXAMPLES = 3


@dataclass(slots=True)
class LotCounts:
    """What is counted for a lot, and for all lots together.

    ``class_dies``, ``class_wafers`` and ``class_defects`` are int64 ``[C]``.
    """

    classes: int
    wafers: int = 0
    tested_wafers: int = 0
    dies: int = 0
    fails: int = 0
    lost_dies: int = 0
    yield_sum: float = 0.0
    severity_sum: float = 0.0
    labels: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    unlabelled: int = 0
    clean: int = 0
    conflicted: int = 0
    class_dies: npt.NDArray[np.int64] = field(init=False)
    class_wafers: npt.NDArray[np.int64] = field(init=False)
    class_defects: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        for name in ("class_dies", "class_wafers", "class_defects"):
            setattr(self, name, np.zeros(self.classes, dtype=np.int64))

    @property
    def mean_yield(self) -> float:
        """Mean of the wafers' yields, 0 to 1; NaN where no wafer has a tested die."""
        return self.yield_sum / self.tested_wafers if self.tested_wafers else float("nan")

    @property
    def mean_severity(self) -> float:
        """Mean severity of the wafers, 0 to 100."""
        return self.severity_sum / self.wafers if self.wafers else 0.0

    @property
    def yield_loss(self) -> float:
        """Dies in any class's mask over all dies, 0 to 1."""
        return self.lost_dies / self.dies if self.dies else 0.0


@dataclass(slots=True)
class GridStack:
    """Wafers of one grid laid over each other: tested and failing dies per position."""

    wafers: int
    tested: npt.NDArray[np.int32]
    fails: npt.NDArray[np.int32]

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> GridStack:
        """Return a stack of no wafers."""
        return cls(0, np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32))

    def add(self, dies: npt.NDArray[np.uint8]) -> None:
        """Lay one more wafer of this grid upon the others."""
        self.wafers += 1
        self.tested += dies > 0
        self.fails += dies == FAIL

    @property
    def rates(self) -> npt.NDArray[np.float64]:
        """Fail rate per position, ``[rows, cols]``; NaN where no wafer has a die."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.tested > 0, self.fails / self.tested, np.nan)


@dataclass(slots=True)
class Remark:
    """A note or conflict: on how many wafers, and the first few of them by name."""

    wafers: int = 0
    examples: list[str] = field(default_factory=list)


def count_wafer(counts: LotCounts, row: WaferRow, defects: npt.NDArray[np.int64]) -> None:
    """Add one wafer; ``defects`` counts its defects per class, int64 ``[C]``."""
    counts.wafers += 1
    counts.dies += row.die_count
    counts.fails += row.fail_count
    counts.lost_dies += row.lost_dies
    if row.die_count:
        counts.tested_wafers += 1
        counts.yield_sum += row.wafer_yield
    counts.severity_sum += row.severity
    counts.labels.update(name for name, _ in row.labels)
    counts.levels[row.severity_level] += 1
    counts.unlabelled += not row.labels
    counts.clean += not row.defect_count
    counts.conflicted += bool(row.conflicts)
    dies = np.asarray(row.class_dies, dtype=np.int64)
    counts.class_dies += dies
    counts.class_wafers += dies > 0
    counts.class_defects += defects


def note_remarks(remarks: dict[str, Remark], row: WaferRow, texts: Iterable[str]) -> None:
    """Count what is said of a wafer; past MAX_REMARKS distinct texts, new ones count as one."""
    for text in texts:
        known = text in remarks or len(remarks) < MAX_REMARKS
        remark = remarks.setdefault(text if known else FURTHER, Remark())
        remark.wafers += 1
        if len(remark.examples) < EXAMPLES:
            remark.examples.append(row.wafer_id or "unnamed")


def without_figures(conflict: str) -> str:
    """Return a conflict without its counts and probabilities, so that like ones are one.

    >>> without_figures("12 dies are marked edge, but the wafer is not labelled Loc (0.31).")
    'Dies are marked edge, but the wafer is not labelled Loc.'
    """
    text = re.sub(r" \(\d\.\d+\)", "", conflict)
    return re.sub(r"^(1 die is|[\d,]+ dies are)\b", "Dies are", text)
