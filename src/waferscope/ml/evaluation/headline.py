"""The few figures that a model is judged by, and what is asked of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from waferscope.ml.evaluation.tables import shown, table

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A figure: its name, its place in the report, the limit asked, and whether less is better.

    With ``surely`` the whole of its interval has to be above the limit.
    """

    name: str
    place: tuple[str, ...]
    limit: float
    less: bool = False
    surely: bool = False

    def find(self, report: Report) -> dict[str, float | None] | None:
        """Return the figure, None where the report lacks it."""
        found: Any = report
        for key in self.place:
            if not isinstance(found, Mapping) or key not in found:
                return None
            found = found[key]
        return dict(found)

    def met(self, figure: Mapping[str, float | None]) -> bool:
        """Return whether a figure, whose value is known, is within the limit."""
        value, low = figure["value"], figure["low"]
        if self.surely:
            return low is not None and low > self.limit
        return value is not None and (value <= self.limit if self.less else value >= self.limit)

    def asked(self) -> str:
        """Return the limit in words."""
        if self.surely:
            return f"surely above {self.limit:g}"
        return f"at {'most' if self.less else 'least'} {self.limit:g}"


ROWS: Final = (
    Row("synthetic die IoU, mean of 8", ("synthetic", "mean_die_iou"), 0.90),
    Row("mixtures of real patterns, die IoU", ("composed", "mean_die_iou"), 0.88),
    Row("hand-checked real wafers, die IoU", ("hand_checked", "mean_die_iou"), 0.82),
    Row("WM-811K macro-F1, 9 labels", ("wm811k", "macro_f1"), 0.90),
    Row("MixedWM38 exact match", ("mixedwm38", "exact_match"), 0.975),
    Row("WM-811K calibration error (ECE)", ("wm811k", "ece"), 0.015, less=True),
    Row("noise wafers with a reported defect", ("noise", "false_alarms"), 0.015, less=True),
    Row("dies that differ under symmetry", ("symmetry", "dies_differing"), 0.01, less=True),
)
PEER: Final = Row(
    "WM-811K macro-F1 above that of a plain ResNet-18, paired over lots",
    ("peer", "gain"),
    0.0,
    surely=True,
)
TRANSFER: Final = Row(
    "MixedWM38 exact match, trained on shapes drawn with its habits alone (recipe `transfer`)",
    ("transfer", "exact_match"),
    0.80,
)
"""Of another model than the one reported."""
BESIDE: Final = (PEER, TRANSFER)
"""They stand in reports of models that were measured beside others."""


def headline(report: Report) -> dict[str, dict[str, float | None]]:
    """Return the rows that a report has, by their place; what a file's metadata keeps."""
    found = {".".join(row.place): row.find(report) for row in ROWS}
    return {name: figure for name, figure in found.items() if figure is not None}


def headline_table(report: Report) -> list[str]:
    """Return the rows as Markdown: what was asked, what is, and whether that is met."""
    return table(["figure", "asked", "measured (95 % interval)", ""], headline_rows(report))


def headline_rows(report: Report) -> list[list[str]]:
    """Return each figure with what was asked, what is, and whether that is met."""
    rows = []
    for row in (*ROWS, *(row for row in BESIDE if row.place[0] in report)):
        figure = row.find(report)
        if figure is None or figure["value"] is None:
            rows.append([row.name, row.asked(), "not measured", ""])
            continue
        verdict = "met" if row.met(figure) else "missed"
        rows.append([row.name, row.asked(), shown(figure) + _earlier(report, row), verdict])
    return rows


def _earlier(report: Report, row: Row) -> str:
    """Say so where a figure was measured with another version than the one reported."""
    version = report[row.place[0]].get("version")
    if version is None or version == report["model"]["version"]:
        return ""
    return f", measured with {version}"
