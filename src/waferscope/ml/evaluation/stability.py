"""Whether the same wafer gets the same masks and labels: turned, in company, on larger canvases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.infer import Predictor, fold_rates
from waferscope.infer.batching import SIDE_STEP, canvas_shape, crop, stack
from waferscope.infer.model_file import OpenModel, open_model
from waferscope.infer.postprocess import calibrate
from waferscope.ml.evaluation.figure import Tally, quotient, share, tally
from waferscope.ml.evaluation.symmetry import SYMMETRIES, turn, turn_back

Tree = dict[str, Any]
Mask = npt.NDArray[np.bool_]
WIDER: Final = (1, 3)
"""Blocks of 32 dies by which canvases are widened."""
COMPANY: Final = 9
"""Wafers of a batch, neighbours by size: some need a larger canvas than others."""


def symmetry_figures(predictor: Predictor, wafers: Sequence[WaferMap]) -> Tree:
    """Return the share of dies marked otherwise, and of wafers labelled otherwise, when turned.

    Each wafer is compared with its seven turned and mirrored selves; a die differs when any class
    marks one and not the other.
    """
    differing, dies, changed = [], [], []
    for wafer, found in zip(wafers, _turned(predictor, wafers), strict=True):
        first, *others = found
        on = wafer.dies > 0
        differing.append(
            sum(
                np.count_nonzero((turn_back(one.masks, k) != first.masks).any(axis=0) & on)
                for k, one in enumerate(others, 1)
            )
        )
        dies.append((SYMMETRIES - 1) * np.count_nonzero(on))
        changed.append(any(set(one.labels) != set(first.labels) for one in others))
    groups = np.arange(len(wafers))
    return {
        "wafers": len(wafers),
        "dies_differing": tally(np.array([differing, dies]).T, groups, quotient),
        "wafers_relabelled": share(np.array(changed), groups),
    }


def _turned(predictor: Predictor, wafers: Iterable[WaferMap]) -> Iterator[list[Prediction]]:
    for wafer in wafers:
        yield predictor.predict(
            [WaferMap(np.ascontiguousarray(turn(wafer.dies, k))) for k in range(SYMMETRIES)]
        )


def invariance_figures(path: Path, wafers: Sequence[WaferMap]) -> Tree:
    """Return how masks and labels of a wafer alone differ elsewhere.

    That is: in a batch with others, of other sizes too, on wider canvases, and with another
    number of threads.
    """
    one, two = (open_model(path, threads=n) for n in (1, 2))
    alone = [_answer(one, [w], 0) for w in wafers]
    company: dict[int, tuple[Mask, Mask]] = {}
    by_size = sorted(range(len(wafers)), key=lambda i: wafers[i].dies.size)
    for start in range(0, len(wafers), COMPANY):
        part = by_size[start : start + COMPANY]
        masks, labels = _run(one, [wafers[i] for i in part], 0)
        company.update({i: (m, row) for i, m, row in zip(part, masks, labels, strict=True)})
    trials = {
        "in_company": [company[i] for i in range(len(wafers))],
        "two_threads": [_answer(two, [w], 0) for w in wafers],
        **{f"canvas_{32 * n}_wider": [_answer(one, [w], n) for w in wafers] for n in WIDER},
    }
    return {"wafers": len(wafers)} | {
        name: _differences(wafers, alone, found) for name, found in trials.items()
    }


def _answer(opened: OpenModel, wafers: Sequence[WaferMap], wider: int) -> tuple[Mask, Mask]:
    masks, labels = _run(opened, wafers, wider)
    return masks[0], labels[0]


def _run(opened: OpenModel, wafers: Sequence[WaferMap], wider: int) -> tuple[list[Mask], Mask]:
    """Return masks before specks are removed, [C, rows, cols] each, and labels [N, P].

    All lie on the smallest canvas that holds the largest, made ``wider`` blocks wider.
    """
    info = opened.info
    rows, cols = (
        max(sides) for sides in zip(*(canvas_shape(w.shape) for w in wafers), strict=True)
    )
    canvas = (rows + wider * SIDE_STEP, cols + wider * SIDE_STEP)
    feed: dict[str, Any] = {"dies": stack([w.dies for w in wafers], canvas)}
    if "fold" in info.inputs:
        feed["fold"] = stack([fold_rates(w.dies, w.reticle) for w in wafers], canvas)
    probs, patterns = opened.session.run(["mask_probs", "pattern_probs"], feed)
    limits = np.asarray(info.mask_thresholds, np.float32)[:, None, None]
    masks = [(crop(probs[n], w.shape) >= limits) & (w.dies == 2) for n, w in enumerate(wafers)]
    shown = calibrate(patterns, info.temperature, info.bias)
    return masks, shown >= np.asarray(info.pattern_thresholds)


def _differences(
    wafers: Sequence[WaferMap],
    alone: Sequence[tuple[Mask, Mask]],
    found: Sequence[tuple[Mask, Mask]],
) -> dict[str, Tally | float]:
    differing = [
        np.count_nonzero((a[0] != b[0]).any(axis=0)) for a, b in zip(alone, found, strict=True)
    ]
    dies = [np.count_nonzero(w.dies) for w in wafers]
    other = [bool((a[1] != b[1]).any()) for a, b in zip(alone, found, strict=True)]
    groups = np.arange(len(wafers))
    return {
        "dies_differing": tally(np.array([differing, dies]).T, groups, quotient),
        "most_in_a_wafer": float(np.max(np.divide(differing, dies), initial=0.0)),
        "wafers_relabelled": share(np.array(other), groups),
    }
