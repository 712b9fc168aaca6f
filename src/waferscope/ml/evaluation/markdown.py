"""The whole report as one Markdown page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from waferscope.ml.evaluation.headline import ROWS, headline_table
from waferscope.ml.evaluation.tables import (
    MASK_SETS,
    checked_table,
    class_table,
    confusion_table,
    exact_table,
    kind_table,
    label_table,
    plain,
    share_table,
    shown,
    table,
)

Report = Mapping[str, Any]
KINDS: Final = (
    ("by_side", "longer side, dies"),
    ("by_patterns", "classes on the wafer"),
    ("by_background", "background fail rate"),
)
HOW: Final = (
    "Die IoU is pooled: intersections over unions summed over all dies of the set, those of wafers "
    "without the class included, so a mark where nothing is counts as an error. Behind each figure "
    "stands the interval of 95 % of 1,000 bootstrap resamples, over lots for WM-811K and over "
    "wafers elsewhere. Generated wafers are marked by the file's own thresholds, which were fitted "
    "on wafers of other seeds. Thresholds and temperatures for real wafers were fitted on one half "
    "of the lots and scored on the other, both ways.\n"
)


def build_page(report: Report, title: str, figures: str | None = None) -> str:
    """Return the page of a report; ``figures`` is where its pictures lie, seen from the page."""
    model = report["model"]
    lines = [
        f"# {title}\n",
        f"WaferScope {model['version']} ({model['architecture']}, {model['quantisation']}; "
        f"{model['size_bytes'] / 1e6:.1f} MB; graph `{model['graph'][:12]}`; calibration: "
        f"{model['calibration']}).\n",
        HOW,
        *headline_table(report),
    ]
    for name, build in _SECTIONS.items():
        if name in report:
            lines += build(report[name])
            for picture, words in _PICTURES.get(name, ()) if figures is not None else ():
                lines.append(f"![{words}]({figures}/{picture})\n")
    return "\n".join(lines).rstrip("\n") + "\n"


def _masks(name: str, section: Report) -> list[str]:
    lines = [f"## Masks: {MASK_SETS[name]}\n", *class_table(section)]
    for key, title in KINDS:
        if key in section:
            lines += kind_table(section, key, title)
    return lines


def _checked(section: Report) -> list[str]:
    hard, every = section["without_hard"], section["nothing_ignored"]
    return [
        *_masks("hand_checked", section),
        f"Without the {section['wafers'] - hard['wafers']} wafers that are hard to judge: "
        f"{shown(hard['mean_die_iou'])}. With no die ignored: {shown(every['mean_die_iou'])}. "
        f"Some die is marked on {shown(section['none_marked'])} of the wafers labelled none.\n",
        *checked_table(section),
    ]


def _wm811k(section: Report) -> list[str]:
    own = section["own_fit"]
    return [
        "## Labels: WM-811K\n",
        f"{section['wafers']:,} wafers of {section['lots']} lots. Macro-F1 over 9 labels "
        f"{shown(section['macro_f1'])}, over the 8 defect labels on defect wafers alone "
        f"{shown(section['defect_macro_f1'])}; accuracy {shown(section['accuracy'])}; defect "
        f"wafers called none {shown(section['defects_called_none'])}.\n",
        *label_table(section),
        *confusion_table(section),
        f"Calibration: ECE {shown(section['ece'])}; a perfectly calibrated model of the same "
        f"confidences would show {plain(section['perfect_ece'])}. Fitted on WM-811K alone: ECE "
        f"{shown(own['ece'])}, macro-F1 {shown(own['macro_f1'])}.\n",
        *_contradictions(section),
    ]


def _mixedwm38(section: Report) -> list[str]:
    own = section["own_fit"]
    return [
        "## Labels: MixedWM38\n",
        f"{section['wafers']:,} wafers. All labels right {shown(section['exact_match'])}; macro-F1 "
        f"{shown(section['macro_f1'])}.\n",
        *exact_table(section["by_patterns"], "labels"),
        *exact_table(section["by_combination"], "combination"),
        f"Calibration, over every label of every wafer: ECE {shown(section['ece'])}; a perfectly "
        f"calibrated model would show {plain(section['perfect_ece'])}. Fitted on MixedWM38 alone: "
        f"ECE {shown(own['ece'])}, exact match {shown(own['exact_match'])}.\n",
        *share_table(
            {n: b for n, b in section["brier"].items() if section["f1"][n]["value"] is not None},
            "label",
            "Brier",
        ),
        *_contradictions(section),
    ]


def _contradictions(section: Report) -> list[str]:
    said = section["contradictions"]
    return [
        f"Labels and masks disagree on {shown(said['wafers'])} of the wafers: a class named but "
        f"nowhere marked {shown(said['named_not_marked'])}, marked but not named "
        f"{shown(said['marked_not_named'])}. Of the wafers without a label, "
        f"{shown(said['none_marked'])} have a mark.\n"
    ]


def _noise(section: Report) -> list[str]:
    rows = [
        [rate, f"{one['wafers']:,}", shown(one["false_alarms"])]
        for rate, one in section["by_density"].items()
    ]
    return [
        "## False alarms\n",
        f"{section['wafers']:,} wafers of pure noise: a defect is reported on "
        f"{shown(section['false_alarms'])}.\n",
        *share_table(section["by_class"], "class", "wafers marked"),
        *table(["fail rate", "wafers", "a defect reported"], rows),
    ]


def _symmetry(section: Report) -> list[str]:
    return [
        "## The same wafer, turned and mirrored\n",
        f"{section['wafers']} wafers under the 8 symmetries: {shown(section['dies_differing'])} of "
        f"the dies are marked otherwise, {shown(section['wafers_relabelled'])} of the wafers get "
        "other labels at least once.\n",
    ]


def _invariance(section: Report) -> list[str]:
    rows = [
        [
            name.replace("_", " "),
            plain(one["dies_differing"]["value"], 5),
            plain(one["most_in_a_wafer"], 5),
            plain(one["wafers_relabelled"]["value"], 3),
        ]
        for name, one in section.items()
        if isinstance(one, Mapping)
    ]
    head = ["against the wafer alone", "dies differing", "most on one wafer", "relabelled wafers"]
    return [
        "## The same wafer, elsewhere\n",
        f"{section['wafers']} wafers through the bare file.\n",
        *table(head, rows),
    ]


def _peer(section: Report) -> list[str]:
    gain = section["gain"]
    measured = f"WaferScope {section.get('version', '')}".strip()
    return [
        "## Against a plain classifier\n",
        f"{section['name']}, trained on the same split, its thresholds fitted in the same way: "
        f"WM-811K macro-F1 {shown(section['macro_f1'])} ({shown(section['most_likely'])} by the "
        f"likeliest label alone). {measured} has {shown(gain)} more, paired over lots; it is "
        f"ahead in {plain(gain['better'])} of the resamples.\n",
    ]


def _transfer(section: Report) -> list[str]:
    return [
        "## MixedWM38 without its wafers\n",
        f"Another model ({section['model']['version']}: recipe `transfer`), trained and fitted on "
        "textbook wafers alone: drawn shapes with the habits of MixedWM38's, as its training maps "
        "show them, adjusted once after a score on val, and none of its wafers. "
        f"Exact match {shown(section['exact_match'])}, "
        f"macro-F1 {shown(section['macro_f1'])}.\n",
        *exact_table(section["by_patterns"], "patterns"),
        *share_table(section["f1"], "pattern", "F1"),
    ]


def _against(section: Report) -> list[str]:
    main = {".".join(row.place) for row in ROWS}
    rows = [
        [name, shown(one), plain(one["better"])]
        for name, one in _leaves(section["gains"], "")
        if name in main or name.endswith(".die_iou") or ".recall." in name
    ]
    return [
        f"## Against {section['model']['file']} ({section['model']['version']})\n",
        *table(["figure", "how much more", "share of resamples above 0"], rows),
    ]


def _leaves(tree: Report, prefix: str) -> list[tuple[str, Report]]:
    if "better" in tree:
        return [(prefix, tree)]
    return [
        leaf
        for name, below in tree.items()
        for leaf in _leaves(below, f"{prefix}.{name}" if prefix else name)
    ]


_SECTIONS: Final = {
    "synthetic": lambda s: _masks("synthetic", s),
    "plain": lambda s: _masks("plain", s),
    "synthetic_large": lambda s: _masks("synthetic_large", s),
    "composed": lambda s: _masks("composed", s),
    "hand_checked": _checked,
    "wm811k": _wm811k,
    "peer": _peer,
    "mixedwm38": _mixedwm38,
    "transfer": _transfer,
    "noise": _noise,
    "symmetry": _symmetry,
    "invariance": _invariance,
    "against": _against,
}
_PICTURES: Final = {
    "synthetic": (("masks.svg", "Die IoU by class and set, with intervals"),),
    "wm811k": (
        ("confusion.svg", "What wafers of each label were called"),
        ("reliability.svg", "How often what was said with a confidence is right"),
    ),
}
