"""The figures of a report as SVG files: reliability, die IoU by class, labels confused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from waferscope.ml.evaluation.tables import MASK_SETS, present

Report = Mapping[str, Any]
# Okabe & Ito (2008), as the defect classes.
COLORS: Final = ("#0072B2", "#56B4E9", "#D55E00", "#009E73", "#CC79A7")
STYLE: Final[Any] = {
    "svg.hashsalt": "waferscope",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
LABEL_SETS: Final[Mapping[str, str]] = {
    "wm811k": "WM-811K: the single label",
    "mixedwm38": "MixedWM38: every label",
}


def write_pictures(report: Report, folder: Path) -> list[Path]:
    """Write what a report has figures for as SVG files; the same report gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {"masks.svg": draw_masks(report)}
    if "wm811k" in report:
        drawn["reliability.svg"] = draw_reliability(report)
        drawn["confusion.svg"] = draw_confusion(report["wm811k"])
    written = []
    for name, figure in drawn.items():
        with mpl.rc_context(STYLE):
            figure.savefig(folder / name, metadata={"Date": None, "Creator": None})
        written.append(folder / name)
    return written


def draw_masks(report: Report) -> Figure:
    """Draw pooled die IoU of each class with its interval, one row of marks per set."""
    sets = [name for name in MASK_SETS if name in report]
    names = list(report[sets[0]]["classes"])
    figure, axes = _canvas((7.0, 3.2))
    for k, key in enumerate(sets):
        there = [c for c, name in enumerate(names) if present(report[key], name)]
        figures = [report[key]["classes"][names[c]]["die_iou"] for c in there]
        value, low, high = (np.array([f[e] for f in figures]) for e in ("value", "low", "high"))
        at = np.array(there) + (k - (len(sets) - 1) / 2) * 0.16
        reach = np.clip([value - low, high - value], 0.0, None)
        axes.errorbar(at, value, reach, fmt="o", ms=4, color=COLORS[k], label=MASK_SETS[key])
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, 1)
    axes.set_ylabel("die IoU (pooled), 95 % interval")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, loc="lower left", fontsize=8)
    return figure


def draw_reliability(report: Report) -> Figure:
    """Draw how often what was said with a confidence is right; marks as large as their share."""
    figure, axes = _canvas((4.2, 4.0))
    axes.plot([0, 1], [0, 1], color="#888888", lw=1, ls="--")
    for k, (key, title) in enumerate(LABEL_SETS.items()):
        if key not in report:
            continue
        bins = report[key]["reliability"]
        said, right, share = ([b[e] for b in bins] for e in ("confidence", "right", "share"))
        axes.plot(said, right, color=COLORS[k], lw=1)
        sizes = 12 + 160 * np.sqrt(share)
        label = f"{title}, ECE {report[key]['ece']['value']:.3f}"
        axes.scatter(said, right, sizes, color=COLORS[k], alpha=0.7, label=label)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share that is right")
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return figure


def draw_confusion(section: Report) -> Figure:
    """Draw what wafers of each label were called, as shares of the label."""
    names = list(section["recall"])
    counts = np.array(section["confusion"], np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    figure, axes = _canvas((5.4, 4.6))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _ticks(axes, names)
    for row, col in np.argwhere(counts > 0):
        ink = "white" if shares[row, col] > 0.6 else "black"
        text = f"{shares[row, col]:.2f}".lstrip("0") if shares[row, col] < 1 else "1"
        axes.text(col, row, text, ha="center", va="center", color=ink, fontsize=7)
    return figure


def _ticks(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("called")
    axes.set_ylabel("labelled")


def _canvas(size: tuple[float, float]) -> tuple[Figure, Axes]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
    return figure, axes
