"""The model card: what the file is, what it was trained on, what it scored, where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from waferscope.infer import ModelInfo

COMMAND: Final = "waferscope evaluate --data DATA"
LIMITS: Final = (
    "Lithography and etching were learned from synthetic wafers alone: no public set labels them.",
    "Zones of real wafers were derived from one label, not drawn by engineers; borders of diffuse "
    "patterns are uncertain by a die or more.",
    "The rule that derives them was tuned on the very wafers whose masks were checked by hand, and "
    "mask thresholds were fitted on half of them at a time, so their figures lean high.",
    "WM-811K labels are noisy: Loc, Edge-Loc and Scratch are often called none, and the other way "
    "round.",
    "Its `none` wafers are a quarter of the public set, so class shares and figures differ from "
    "papers that use all of them.",
    "Grids beyond 212 dies a side were seen in training only as far as 160.",
)


def write_card(info: ModelInfo, path: Path) -> Path:
    """Write the card of a measured model file as Markdown; return its path."""
    path.write_text(build_card(info), encoding="utf-8")
    return path


def build_card(info: ModelInfo) -> str:
    """Return the card of a model file as Markdown, every figure from its own metadata."""
    parts = [
        f"# Model card: WaferScope {info.version}\n",
        f"{info.architecture}, {info.quantisation}, {info.size_bytes / 1e6:.1f} MB. Marks every "
        f"failing die with the classes {', '.join(info.taxonomy.class_names)}, and every wafer "
        f"with the patterns {', '.join(info.taxonomy.patterns)}.\n",
        "## Training\n",
        *(f"- {name}: {value}" for name, value in info.training_data.items()),
        f"- data fingerprint: `{info.data_fingerprint}`",
        f"- commit: `{info.commit}`\n",
        "Synthetic wafers with exact masks; WM-811K training split with labels and derived masks; "
        "MixedWM38 training split with labels; real patterns laid over real `none` wafers. No "
        "validation wafer was trained on; thresholds and temperatures were fitted on them.\n",
        f"## Figures (validation sets, this file, `{COMMAND}`)\n",
        build_figures(info),
        "## Limits\n",
        *(f"- {line}" for line in LIMITS),
        "\n## Notices\n",
        *(f"- {line}" for line in info.notices),
        "",
    ]
    return "\n".join(parts)


def build_figures(info: ModelInfo) -> str:
    """Return every figure that `waferscope.ml.evaluate` took of a model file, as Markdown."""
    table = _mask_table(info.metrics, info.taxonomy.class_names)
    return "\n".join([*table, *_pattern_lines(info.metrics, info.taxonomy.patterns), ""])


def _die_iou(figures: Mapping[str, Any], name: str) -> str:
    """Return the die IoU of a class; of one that no wafer of the set has, say so."""
    return "absent" if figures["recall"][name] is None else _figure(figures["die_iou"][name])


def _mask_table(metrics: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    sets = [(k, metrics[k]) for k in ("synthetic", "hand_checked") if k in metrics]
    if not sets:
        return ["Not measured."]
    heads = " | ".join(f"{name.replace('_', '-')} ({m['wafers']} wafers)" for name, m in sets)
    lines = [f"| die IoU (pooled) | {heads} |", "|---" * (len(sets) + 1) + "|"]
    for name in names:
        lines.append(f"| {name} | {' | '.join(_die_iou(m, name) for _, m in sets)} |")
    means = " | ".join(f"**{_figure(m['mean_die_iou'])}**" for _, m in sets)
    return [*lines, f"| **mean of the classes present** | {means} |", ""]


def _pattern_lines(metrics: Mapping[str, Any], patterns: Sequence[str]) -> list[str]:
    lines = []
    if "wm811k" in metrics:
        m = metrics["wm811k"]
        recalls = ", ".join(f"{k} {_figure(m['recall'][k])}" for k in (*patterns, "none"))
        lines += [
            f"- WM-811K val ({m['wafers']} wafers): macro-F1 over 9 classes "
            f"**{_figure(m['macro_f1'])}**, accuracy {_figure(m['accuracy'])}, defect wafers "
            f"called none {_figure(m['defects_called_none'])}, ECE {_figure(m['ece'])}",
            f"- recall: {recalls}",
        ]
    if "mixedwm38" in metrics:
        m = metrics["mixedwm38"]
        counts = ", ".join(f"{k}: {_figure(v)}" for k, v in m["by_count"].items())
        lines += [
            f"- MixedWM38 val ({m['wafers']} wafers): exact match **{_figure(m['exact_match'])}** "
            f"(by number of patterns: {counts})"
        ]
    if "noise" in metrics:
        m = metrics["noise"]
        lines.append(
            f"- {m['wafers']} wafers of pure noise: a defect is reported on "
            f"{_figure(m['false_alarms'])}"
        )
    if "quantisation_loss" in metrics:
        lines.append(f"- mean die IoU lost to int8: {_figure(metrics['quantisation_loss'])}")
    return lines


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
