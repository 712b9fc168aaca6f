"""The model card: what the file is, what it was trained on, what it scored, where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from waferscope.infer import ModelInfo
from waferscope.ml.evaluation.headline import headline_table
from waferscope.ml.evaluation.tables import iou_table, plain, shown
from waferscope.ml.sources import KINDS, MIXEDWM38, WM811K

Report = Mapping[str, Any]
COMMAND: Final = "waferscope evaluate --all --data DATA"
WORST: Final = "waferscope worst --data DATA --output worst.png"
LIMITS: Final = (
    "Lithography and etching were learned from synthetic wafers alone: no public set labels them.",
    "Grids beyond 212 dies a side were seen in training only as far as 160.",
)
REAL_LIMITS: Final = (
    "Zones of real wafers were derived from one label, not drawn by engineers; borders of diffuse "
    "patterns are uncertain by a die or more.",
    "The rule that derives them was tuned on the very wafers whose masks were checked by hand, and "
    "mask thresholds were fitted on half of them at a time, so their figures lean high.",
    "WM-811K labels are noisy: Loc, Edge-Loc and Scratch are often called none, and the other way "
    "round.",
    "Its `none` wafers are a quarter of the public set, so class shares and figures differ from "
    "papers that use all of them.",
)
"""Of a model that learned from WM-811K."""


def write_card(info: ModelInfo, report: Report, path: Path) -> Path:
    """Write the card of a measured model file as Markdown; return its path."""
    path.write_text(build_card(info, report), encoding="utf-8")
    return path


def build_card(info: ModelInfo, report: Report) -> str:
    """Return the card of a model file as Markdown, every figure from its report."""
    sources = _sources(info)
    facts = {k: v for k, v in info.training_data.items() if k != "sources"}
    parts = [
        f"# Model card: WaferScope {info.version}\n",
        f"{info.architecture}, {info.quantisation}, {info.size_bytes / 1e6:.1f} MB. Marks every "
        f"failing die with the classes {', '.join(info.taxonomy.class_names)}, and every wafer "
        f"with the patterns {', '.join(info.taxonomy.patterns)}.\n",
        "## Training\n",
        *(f"- {name}: {value}" for name, value in facts.items()),
        f"- data fingerprint: `{info.data_fingerprint}`",
        f"- commit: `{info.commit}`\n",
        f"{'; '.join(KINDS[name] for name in sources)}. {_held_out(report)}\n",
        f"## Figures (validation sets, this file, `{COMMAND}`)\n",
        *headline_table(report),
        build_figures(report),
        "## Limits\n",
        *(f"- {line}" for line in _limits(sources)),
        f"- What it gets wrong: `{WORST}` draws the 24 worst validation wafers.",
        "\n## Notices\n",
        *(f"- {line}" for line in info.notices or ("None: no public wafer was trained on.",)),
        "",
    ]
    return "\n".join(parts)


def build_figures(report: Report) -> str:
    """Return the figures of a report that a card and the README show, as Markdown."""
    return "\n".join([*iou_table(report), *_lines(report), ""])


def _sources(info: ModelInfo) -> tuple[str, ...]:
    """Return what a file says that it was trained on; everything where it says nothing."""
    named = info.training_data.get("sources")
    return tuple(KINDS) if named is None else tuple(n for n in KINDS if n in named)


def _limits(sources: tuple[str, ...]) -> tuple[str, ...]:
    return (LIMITS[0], *(REAL_LIMITS if WM811K in sources else ()), LIMITS[1])


def _held_out(report: Report) -> str:
    if "wm811k" not in report:
        return "Mask thresholds were fitted on synthetic wafers of other seeds."
    return (
        "No validation wafer was trained on; thresholds, size limits and temperatures were fitted "
        "on them and on synthetic wafers of other seeds, mask thresholds on plain shapes too."
    )


def _lines(report: Report) -> list[str]:
    lines = []
    if "wm811k" in report:
        m = report["wm811k"]
        recalls = ", ".join(f"{k} {plain(v['value'])}" for k, v in m["recall"].items())
        lines += [
            f"- WM-811K val ({m['wafers']:,} wafers): macro-F1 over 9 labels "
            f"**{shown(m['macro_f1'])}**, accuracy {plain(m['accuracy']['value'])}, defect wafers "
            f"called none {plain(m['defects_called_none']['value'])}, ECE "
            f"{plain(m['ece']['value'])} (a perfect model: {plain(m['perfect_ece'])})",
            f"- recall: {recalls}",
        ]
    if "peer" in report:
        m = report["peer"]
        own, measured = report.get("model", {}).get("version"), m.get("version")
        model = "this model" if measured in (None, own) else f"version {measured} of this model"
        lines.append(
            f"- {m['name']} on the same split: macro-F1 {shown(m['macro_f1'])}; {model} has "
            f"{shown(m['gain'])} more, paired over lots"
        )
    if "mixedwm38" in report:
        m = report["mixedwm38"]
        counts = ", ".join(
            f"{k}: {plain(v['exact_match']['value'])}" for k, v in m["by_patterns"].items()
        )
        lines.append(
            f"- {MIXEDWM38} val ({m['wafers']:,} wafers): exact match "
            f"**{shown(m['exact_match'])}** (by number of patterns: {counts})"
        )
    if "transfer" in report:
        m = report["transfer"]
        lines.append(
            f"- another model, trained on shapes drawn with the habits of {MIXEDWM38}, as its "
            "labelled training maps show them and adjusted once after a score on val, and on none "
            f"of its wafers: exact match {shown(m['exact_match'])} there"
        )
    m = report["noise"]
    lines.append(
        f"- {m['wafers']:,} wafers of pure noise: a defect is reported on "
        f"{shown(m['false_alarms'])}"
    )
    m = report["symmetry"]
    lines.append(f"- dies marked otherwise when turned or mirrored: {shown(m['dies_differing'])}")
    if "export_agreement" in report:
        lines.append(
            "- IoU of the masks of the exported network and those of the torch one: "
            f"{plain(report['export_agreement'], 4)}"
        )
    if "quantisation_loss" in report:
        lines.append(f"- mean die IoU lost to int8: {plain(report['quantisation_loss'])}")
    return lines
