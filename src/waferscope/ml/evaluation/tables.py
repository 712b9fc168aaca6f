"""A report as Markdown: tables with a figure and its interval in each cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Report = Mapping[str, Any]
MASK_SETS: Final[Mapping[str, str]] = {
    "synthetic": "synthetic",
    "plain": "plain shapes, by another generator",
    "synthetic_large": "synthetic, 129 to 300 dies a side",
    "composed": "mixtures of real patterns",
    "hand_checked": "hand-checked real wafers",
}
SHOWN: Final = ("synthetic", "plain", "composed", "hand_checked")
"""Those that a card and the README show."""
DASH: Final = "–"
CLASS_COLUMNS: Final = ("die_iou", "precision", "recall", "wafer_iou")
COLUMN_NAMES: Final = ("class", "wafers", "die IoU", "precision", "recall", "IoU by wafer")


def plain(value: float | None, digits: int = 3) -> str:
    """Return a figure as printed; a dash where it is not defined."""
    return DASH if value is None else f"{value:.{digits}f}"


def shown(figure: Mapping[str, Any] | float | None) -> str:
    """Return a figure with its interval.

    >>> shown({"value": 0.5, "low": 0.25, "high": 0.75})
    '0.500 (0.250 to 0.750)'
    """
    if not isinstance(figure, Mapping):
        return plain(figure)
    if figure["value"] is None or figure["low"] is None:
        return plain(figure["value"])
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table.

    >>> table(["a", "b"], [["1", "2"]])
    ['| a | b |', '|---|---|', '| 1 | 2 |', '']
    """
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def present(section: Report, name: str) -> bool:
    """Return whether some wafer of a mask section has a class."""
    return bool(section["classes"][name]["wafers"])


def iou_table(report: Report) -> list[str]:
    """Return pooled die IoU by class for every mask set of a report, without intervals."""
    sets = [(k, report[k]) for k in SHOWN if k in report]
    head = ["die IoU (pooled)", *(f"{MASK_SETS[k]} ({s['wafers']:,} wafers)" for k, s in sets)]
    rows = [
        [
            name,
            *(
                plain(s["classes"][name]["die_iou"]["value"]) if present(s, name) else "absent"
                for _, s in sets
            ),
        ]
        for name in sets[0][1]["classes"]
    ]
    means = [f"**{shown(s['mean_die_iou'])}**" for _, s in sets]
    return table(head, [*rows, ["**mean of the classes present**", *means]])


def class_table(section: Report) -> list[str]:
    """Return a mask section class by class."""
    rows = [
        [name, f"{one['wafers']:,}", *(shown(one[column]) for column in CLASS_COLUMNS)]
        for name, one in section["classes"].items()
    ]
    means = ["**mean of those present**", f"{section['wafers']:,}", shown(section["mean_die_iou"])]
    return table(COLUMN_NAMES, [*rows, [*means, "", "", shown(section["mean_wafer_iou"])]])


def kind_table(section: Report, key: str, title: str) -> list[str]:
    """Return mean die IoU, and that of each class, by kind of wafer."""
    names = list(section["classes"])
    rows = [
        [
            kind,
            f"{one['wafers']:,}",
            shown(one["mean_die_iou"]),
            *(plain(one["die_iou"].get(n, {}).get("value")) for n in names),
        ]
        for kind, one in section[key].items()
    ]
    return table([title, "wafers", "mean", *names], rows)


def checked_table(section: Report) -> list[str]:
    """Return hand-checked wafers by their label: as scored, without hard ones, nothing ignored."""
    rows = [
        [
            label,
            one["class"],
            f"{one['wafers']} ({one['hard']} hard)",
            *(shown(one[k]) for k in ("die_iou", "without_hard", "nothing_ignored")),
            plain(one["median_wafer_iou"]),
        ]
        for label, one in section["by_label"].items()
    ]
    head = ["label", "class", "wafers", "die IoU", "without hard", "nothing ignored", "median"]
    return table(head, rows)


def label_table(section: Report) -> list[str]:
    """Return WM-811K label by label."""
    rows = [
        [
            name,
            *(shown(section[k][name]) for k in ("recall", "f1")),
            shown(section["called_none"].get(name)),
            shown(section["brier"].get(name)),
        ]
        for name in section["recall"]
    ]
    return table(["label", "recall", "F1", "called none", "Brier"], rows)


def confusion_table(section: Report) -> list[str]:
    """Return how many wafers of each label (rows) were called what (columns)."""
    names = list(section["recall"])
    rows = [
        [name, *(f"{n:,}" for n in row)]
        for name, row in zip(names, section["confusion"], strict=True)
    ]
    return table(["label \\ called", *names], rows)


def exact_table(groups: Report, title: str) -> list[str]:
    """Return the exact match of MixedWM38 by a kind of wafer."""
    rows = [[k, f"{one['wafers']:,}", shown(one["exact_match"])] for k, one in groups.items()]
    return table([title, "wafers", "exact match"], rows)


def share_table(groups: Report, title: str, share: str) -> list[str]:
    """Return a share by name."""
    return table([title, share], [[name, shown(one)] for name, one in groups.items()])
