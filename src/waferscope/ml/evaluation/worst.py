"""The wafers that a model gets most wrong: what is true of them above, what it says below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from waferscope.infer import Predictor
from waferscope.ml.calibrate import PatternFit, true_labels
from waferscope.ml.evaluation.answers import Answers, Bools, Floats, ask
from waferscope.ml.evaluation.exam import RealSets, unmarked
from waferscope.ml.evaluation.mask_rule import MaskRule
from waferscope.ml.evaluation.masks import count_dies, mark
from waferscope.ml.metrics import decide, iou
from waferscope.report.sheet import Panel

EACH: Final = 8
"""Wafers of each kind: hand-checked masks, WM-811K labels, MixedWM38 labels."""
NONE: Final = "none"


def worst_panels(predictor: Predictor, real: RealSets, each: int = EACH) -> list[Panel]:
    """Return the worst wafers of each held-out set as panels of a sheet, the worst first.

    Hand-checked wafers by the IoU of all their masks together, the truth drawn above; labelled
    ones by how sure of a wrong label the model is, their dies drawn above.
    """
    info = predictor.model
    rule = MaskRule(info.mask_thresholds, info.taxonomy)
    checked = ask(predictor, real.checked)
    panels = list(_checked(checked, rule, each))
    for wafers, single in ((real.wm811k, True), (real.mixedwm38, False)):
        answers = ask(predictor, unmarked(wafers))
        panels += _labelled(answers, predictor, each, single=single)
    return panels


def _checked(answers: Answers, rule: MaskRule, each: int) -> Iterator[Panel]:
    marked = mark(answers, rule.thresholds, rule.taxonomy)
    overlap = iou(count_dies(answers, marked).sum(axis=1))
    for n in _lowest(np.nan_to_num(overlap, nan=1.0), each):
        dies = answers.dies(n)
        wafer = answers.wafers[n]
        label = (wafer.patterns or (NONE,))[0]
        yield Panel(
            wafer.dies,
            answers.grid(n, answers.truth[:, dies]),
            answers.grid(n, marked[:, dies]),
            (wafer.wafer_id, f"labelled {label}", f"IoU {overlap[n]:.2f}"),
        )


def _labelled(
    answers: Answers, predictor: Predictor, each: int, *, single: bool
) -> Iterator[Panel]:
    info = predictor.model
    fit = PatternFit(
        np.array(info.temperature), np.array(info.bias), np.array(info.pattern_thresholds)
    )
    probs = fit.calibrated(answers.patterns)
    said = probs >= fit.thresholds
    if single:
        named = decide(probs, fit.thresholds)
        said = named[:, None] == np.arange(probs.shape[1])
        wrong = named != true_labels(answers.labels)
    else:
        wrong = (said != answers.labels).any(axis=1)
    doubt = _doubt(probs, answers.labels)
    names = np.array(info.taxonomy.patterns)
    for n in _lowest(np.where(wrong, -doubt, np.inf), each):
        if not wrong[n]:
            return
        wafer = answers.wafers[n]
        masks = predictor.predict(wafer).masks
        there, told = ("+".join(names[row]) or NONE for row in (answers.labels[n], said[n]))
        yield Panel(
            wafer.dies, None, masks, (wafer.wafer_id, f"labelled {there}", f"called {told}")
        )


def _doubt(probs: Floats, labels: Bools) -> Floats:
    """Return how far the labels [N, P] are from what was expected, in nats [N]."""
    held = np.clip(np.where(labels, probs, 1.0 - probs), 1.0e-9, 1.0)
    return np.asarray(-np.log(held).sum(axis=1))


def _lowest(values: Floats, count: int) -> list[int]:
    return [int(n) for n in np.argsort(values, kind="stable")[:count]]
