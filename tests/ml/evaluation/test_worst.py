"""The worst wafers are those with the least overlap, and the surest wrong labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ml.small import PATTERNS
from waferscope.infer import Predictor, load_predictor
from waferscope.ml.evaluation.exam import RealSets, open_real
from waferscope.ml.evaluation.worst import worst_panels


@pytest.fixture
def predictor(small_model: Path) -> Predictor:
    return load_predictor(small_model, threads=1)


@pytest.fixture
def real(small_data: Path) -> RealSets:
    return open_real(small_data)


def test_hand_checked_wafers_come_by_their_overlap(predictor: Predictor, real: RealSets) -> None:
    overlaps = {}
    for truth in real.checked:
        masks = predictor.predict(truth.wafer).masks
        both, either = (masks & truth.masks).sum(), (masks | truth.masks).sum()
        overlaps[truth.wafer.wafer_id] = both / either if either else 1.0
    panels = worst_panels(predictor, real, 3)[:3]
    shown = [overlaps[panel.caption[0]] for panel in panels]
    assert shown == pytest.approx(sorted(overlaps.values())[:3])
    for panel, overlap in zip(panels, shown, strict=True):
        assert panel.caption[2] == f"IoU {overlap:.2f}"
        truth = next(t for t in real.checked if t.wafer.wafer_id == panel.caption[0])
        assert panel.above is not None
        np.testing.assert_array_equal(panel.above, truth.masks)


def test_labelled_wafers_are_all_called_something_else(
    predictor: Predictor, real: RealSets
) -> None:
    panels = worst_panels(predictor, real, 4)[4:]
    wafers = {w.wafer_id: w for w in (*real.wm811k, *real.mixedwm38)}
    assert panels
    for panel in panels:
        name, labelled, called = panel.caption
        labels = set(wafers[name].patterns or ())
        said = set(called.removeprefix("called ").split("+")) - {"none"}
        assert said != labels
        assert said <= set(PATTERNS)
        assert labelled == "labelled " + ("+".join(p for p in PATTERNS if p in labels) or "none")
        assert panel.above is None
        assert panel.below is not None
        np.testing.assert_array_equal(panel.below, predictor.predict(wafers[name]).masks)


def test_there_are_eight_of_each_at_most(predictor: Predictor, real: RealSets) -> None:
    assert len(worst_panels(predictor, real)) <= 24
    assert len(worst_panels(predictor, real, 1)) <= 3
