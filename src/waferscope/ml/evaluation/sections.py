"""The sections of a report: what was asked of a model, scored.

Masks of generated wafers are those of one rule, which never saw them; masks and labels of real
wafers are scored half by half with what the other half of the lots gives. Intervals are over
lots for WM-811K and over wafers elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from waferscope.domain.taxonomy import Taxonomy
from waferscope.ml.calibrate import fit_patterns
from waferscope.ml.evaluation.answers import Answers, Bools, Ints
from waferscope.ml.evaluation.calibration import MaskFits
from waferscope.ml.evaluation.figure import share, tally
from waferscope.ml.evaluation.labels import Decided, cross_fit, multi_figures, single_figures
from waferscope.ml.evaluation.mask_rule import MaskRule
from waferscope.ml.evaluation.masks import (
    by_kind,
    count_dies,
    mark,
    mask_figures,
    sum_dies,
)
from waferscope.ml.metrics import iou

Tree = dict[str, Any]
NOISE_RATES: Final = ((0.0, 0.05), (0.05, 0.10), (0.10, 0.15), (0.15, 0.20), (0.20, 1.0))
"""Fail rates that noise wafers are told apart by."""


def drawn_section(answers: Answers, rule: MaskRule, *, kinds: bool = True) -> Tree:
    """Return the mask figures of generated wafers, by kind where asked."""
    names = rule.taxonomy.class_names
    counts = count_dies(answers, mark(answers, rule.thresholds, rule.taxonomy))
    return mask_figures(counts, names) | (by_kind(counts, answers, names) if kinds else {})


def composed_section(answers: Answers, fits: MaskFits) -> Tree:
    """Return the mask figures of mixtures, each half marked by the other half's rule."""
    names = fits.taxonomy.class_names
    counts = count_dies(answers, mark_by_halves(answers, fits))
    return mask_figures(counts, names) | by_kind(counts, answers, names)


def checked_section(answers: Answers, fits: MaskFits, hard: Sequence[str]) -> Tree:
    """Return the mask figures of hand-checked wafers, each half marked by the other half's rule.

    ``hard`` names the wafers whose masks are doubtful: the figures are given without them too,
    and by label with the ignored dies scored.
    """
    taxonomy = fits.taxonomy
    names = taxonomy.class_names
    marked = mark_by_halves(answers, fits)
    counts = count_dies(answers, marked)
    every = count_dies(answers.unhidden(), marked)
    easy = ~np.isin([w.wafer_id for w in answers.wafers], list(hard))
    found = mask_figures(counts, names)
    found["without_hard"] = mask_figures(counts[easy], names)
    found["nothing_ignored"] = mask_figures(every, names)
    found["by_label"] = {}
    for k, label in enumerate(taxonomy.patterns):
        mine = answers.labels[:, k]
        if not mine.any() or label not in taxonomy.pattern_class:
            continue
        c = taxonomy.channel(taxonomy.pattern_class[label])
        found["by_label"][label] = {
            "class": names[c],
            "wafers": int(mine.sum()),
            "hard": int((mine & ~easy).sum()),
            "die_iou": _iou(counts[mine, c]),
            "without_hard": _iou(counts[mine & easy, c]),
            "nothing_ignored": _iou(every[mine, c]),
            "median_wafer_iou": float(np.nanmedian(iou(counts[mine, c]))),
        }
    clean = ~np.asarray(answers.labels.any(axis=1))
    found["none_marked"] = share(_wafers(answers, marked)[clean], _each(clean.sum()))
    return found


def noise_section(answers: Answers, rule: MaskRule) -> Tree:
    """Return the share of structureless wafers with a defect, by class and by fail rate.

    A wafer has a defect exactly when some die is marked: regions too small are removed from both.
    """
    marked = sum_dies(answers, mark(answers, rule.thresholds, rule.taxonomy)) > 0
    alarm = np.asarray(marked.any(axis=1))
    fails = np.diff(answers.starts)
    rates = fails / np.array([max(1, np.count_nonzero(w.dies)) for w in answers.wafers])
    groups = _each(len(answers))
    names = rule.taxonomy.class_names
    return {
        "wafers": len(answers),
        "false_alarms": share(alarm, groups),
        "by_class": {n: share(marked[:, c], groups) for c, n in enumerate(names)},
        "by_density": {
            f"{low:g}-{high:g}": {
                "wafers": int(mine.sum()),
                "false_alarms": share(alarm[mine], groups[mine]),
            }
            for low, high in NOISE_RATES
            if (mine := (rates >= low) & ((rates < high) | (high == 1.0))).any()
        },
    }


def label_sections(wm811k: Answers, mixedwm38: Answers, fits: MaskFits) -> dict[str, Tree]:
    """Return the figures of both labelled sets, cross-fitted together, and each fitted alone."""
    sets = [(wm811k, True), (mixedwm38, False)]
    one, other = cross_fit(sets)
    patterns = fits.taxonomy.patterns
    found = {"wm811k": single_figures(one, patterns), "mixedwm38": multi_figures(other, patterns)}
    for (answers, single), decided, name in zip(sets, (one, other), found, strict=True):
        alone = cross_fit([(answers, single)], fit_patterns)[0]
        make = single_figures if single else multi_figures
        found[name]["own_fit"] = {
            key: value
            for key, value in make(alone, patterns).items()
            if key in {"ece", "macro_f1", "exact_match"}
        }
        marked = sum_dies(answers, mark_by_halves(answers, fits)) > 0
        found[name]["contradictions"] = contradictions(decided, marked, fits.taxonomy)
    return found


def contradictions(decided: Decided, marked: Bools, taxonomy: Taxonomy) -> Tree:
    """Return how often labels and masks [N, C] disagree: a class named or marked alone."""
    named = np.zeros(marked.shape, bool)
    known = np.zeros(marked.shape[1], bool)
    for k, label in enumerate(taxonomy.patterns):
        if label in taxonomy.pattern_class:
            c = taxonomy.channel(taxonomy.pattern_class[label])
            named[:, c] |= decided.ratio[:, k] >= 1.0
            known[c] = True
    unmarked = np.asarray((named & ~marked).any(axis=1))
    unnamed = np.asarray((marked & ~named & known).any(axis=1))
    clean = ~np.asarray(decided.labels.any(axis=1))
    return {
        "wafers": share(unmarked | unnamed, decided.groups),
        "named_not_marked": share(unmarked, decided.groups),
        "marked_not_named": share(unnamed, decided.groups),
        "none_marked": share(np.asarray(marked.any(axis=1))[clean], decided.groups[clean]),
    }


def mark_by_halves(answers: Answers, fits: MaskFits) -> Bools:
    """Return the masks [C, F], each half of the lots by the rule fitted on the other."""
    marked = np.zeros(answers.probs.shape, bool)
    for side in (True, False):
        rule = fits.rule(even=not side)
        mine = answers.even == side
        dies = np.repeat(mine, np.diff(answers.starts))
        marked[:, dies] = mark(answers.take(mine), rule.thresholds, rule.taxonomy)
    return marked


def _wafers(answers: Answers, marked: Bools) -> Bools:
    """Return the wafers [N] on which some die is marked."""
    return np.asarray((sum_dies(answers, marked) > 0).any(axis=1))


def _iou(counts: Ints) -> Any:
    return tally(counts, _each(len(counts)), iou)


def _each(count: int) -> Ints:
    return np.arange(int(count))
