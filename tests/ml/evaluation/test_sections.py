"""Sections counted by hand, and thresholds that never see the wafers they are scored on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ml.evaluation.conftest import TINY_EXAM
from tests.ml.scripted import Probs, scripted
from tests.ml.small import CLASSES, PATTERNS
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.infer import load_predictor
from waferscope.ml.evaluation.answers import Answers, ask
from waferscope.ml.evaluation.calibration import MaskFits
from waferscope.ml.evaluation.exam import ask_all, open_real
from waferscope.ml.evaluation.figure import figures_of
from waferscope.ml.evaluation.labels import Decided
from waferscope.ml.evaluation.mask_rule import MaskRule, try_rules
from waferscope.ml.evaluation.sections import (
    checked_section,
    composed_section,
    contradictions,
    drawn_section,
    mark_by_halves,
    noise_section,
)
from waferscope.ml.truth import Truth

EDGE, SCRATCH = CLASSES.index("edge"), CLASSES.index("scratch")
RULE = MaskRule((0.5,) * 8, DEFAULT_TAXONOMY)


def strip(name: str, lot: str, there: float, elsewhere: float) -> tuple[Truth, Probs]:
    """A hundred failing dies of which three rows are `edge`, and what is said of five."""
    wafer = WaferMap(
        np.full((10, 10), 2, np.uint8), wafer_id=name, lot_id=lot, patterns=("Edge-Ring",)
    )
    masks = np.zeros((8, 10, 10), bool)
    masks[EDGE, :3] = True
    probs = np.zeros((8, 10, 10), np.float32)
    probs[EDGE, :3], probs[EDGE, 3:5] = there, elsewhere
    return Truth(wafer, masks), probs


def answers_to(*made: tuple[Truth, Probs], even: tuple[str, ...] = ("1",)) -> Answers:
    said = {t.wafer.wafer_id: p for t, p in made}
    return ask(scripted(said), [t for t, _ in made], even)


def fits_of(answers: Answers) -> MaskFits:
    """Fits on these wafers alone, whose drawn wafers and noise are empty."""
    nothing = try_rules(ask(scripted({}), []), DEFAULT_TAXONOMY)
    halves = tuple(try_rules(half, DEFAULT_TAXONOMY) for half in answers.halves())
    return MaskFits(DEFAULT_TAXONOMY, (nothing,), nothing, ((halves[0], halves[1]),))


def test_masks_are_scored_with_the_other_halfs_thresholds() -> None:
    """Lot 1 is parted below 0.3 and lot 2 above 0.5: each other's thresholds fail them both."""
    answers = answers_to(
        strip("a", "1", 0.3, 0.1), strip("b", "2", 0.9, 0.5), strip("c", "1", 0.3, 0.1)
    )
    fits = fits_of(answers)
    found = figures_of(checked_section(answers, fits, hard=["b"]))
    edge = found["classes"]["edge"]
    # Lot 1 is not marked at all (60 dies missed), lot 2 on 50 dies of which 30 are right.
    assert edge["die_iou"]["value"] == pytest.approx(30 / (60 + 50))
    assert edge["recall"]["value"] == pytest.approx(30 / 90)
    assert edge["precision"]["value"] == pytest.approx(30 / 50)
    assert found["without_hard"]["classes"]["edge"]["die_iou"]["value"] == 0.0
    by_label = found["by_label"]["Edge-Ring"]
    assert (by_label["class"], by_label["wafers"], by_label["hard"]) == ("edge", 3, 1)
    assert by_label["without_hard"]["value"] == 0.0
    assert by_label["median_wafer_iou"] == 0.0
    assert set(found["by_label"]) == {"Edge-Ring"}
    mixed = figures_of(composed_section(answers, fits))
    assert mixed["classes"]["edge"] == edge


def test_ignored_dies_are_scored_where_that_is_asked() -> None:
    truth, said = strip("a", "1", 0.9, 0.9)
    ignore = np.zeros((10, 10), bool)
    ignore[3:5] = True
    other = strip("b", "2", 0.9, 0.1)
    answers = answers_to((Truth(truth.wafer, truth.masks, ignore), said), other)
    fits = fits_of(answers)
    marked = mark_by_halves(answers, fits)
    found = figures_of(checked_section(answers, fits, hard=()))
    assert found["classes"]["edge"]["die_iou"]["value"] == 1.0
    everywhere = found["nothing_ignored"]["classes"]["edge"]["die_iou"]["value"]
    assert everywhere == pytest.approx(60 / marked[EDGE].sum())
    assert everywhere < 1.0


def test_false_alarms_are_wafers_with_a_defect() -> None:
    said = np.zeros((8, 10, 10), np.float32)
    said[EDGE, :2] = 0.9
    specks = np.zeros((8, 10, 10), np.float32)
    specks[EDGE, 0, 0] = 0.9  # a region of one die is no defect
    made: list[tuple[Truth, Probs]] = []
    for name, probs, fails in (("a", said, 100), ("b", specks, 100), ("c", said, 3)):
        dies = np.ones((10, 10), np.uint8)
        dies.ravel()[:fails] = 2
        wafer = WaferMap(dies, wafer_id=name)
        made.append((Truth(wafer, np.zeros((8, 10, 10), bool)), probs * (dies == 2)))
    found = figures_of(noise_section(answers_to(*made), RULE))
    assert found["wafers"] == 3
    assert found["false_alarms"]["value"] == pytest.approx(2 / 3)
    assert found["by_class"]["edge"]["value"] == pytest.approx(2 / 3)
    assert found["by_class"]["ring"]["value"] == 0.0
    rates = {k: v["false_alarms"]["value"] for k, v in found["by_density"].items()}
    assert rates == {"0-0.05": 1.0, "0.2-1": 0.5}


def test_an_alarm_is_what_the_predictor_calls_a_defect(small_model: Path) -> None:
    predictor = load_predictor(small_model, threads=1)
    asked = ask_all(predictor, replace(TINY_EXAM, noise=30), None)
    rule = MaskRule(predictor.model.mask_thresholds, predictor.model.taxonomy)
    found = figures_of(noise_section(asked.noise, rule))
    alarms = [bool(p.defects) for p in predictor.predict(asked.noise.wafers)]
    assert found["false_alarms"]["value"] == pytest.approx(np.mean(alarms))


def test_labels_and_masks_contradict_each_other_in_two_ways() -> None:
    labels = np.zeros((4, 8), bool)
    labels[:2, PATTERNS.index("Edge-Loc")] = True
    ratio = np.where(labels, 2.0, 0.1)
    marked = np.zeros((4, 8), bool)
    marked[0, EDGE] = marked[2, SCRATCH] = True
    marked[3, CLASSES.index("etching")] = True  # no label names it: no contradiction
    decided = Decided(ratio / 4, ratio, labels, np.arange(4))
    found = figures_of(contradictions(decided, marked, DEFAULT_TAXONOMY))
    assert found["named_not_marked"]["value"] == 1 / 4  # the second wafer
    assert found["marked_not_named"]["value"] == 1 / 4  # the third
    assert found["wafers"]["value"] == 2 / 4
    assert found["none_marked"]["value"] == 1.0


def test_kinds_are_left_out_where_not_asked() -> None:
    answers = answers_to(strip("a", "1", 0.9, 0.1))
    plain = drawn_section(answers, RULE, kinds=False)
    assert set(drawn_section(answers, RULE)) - set(plain) == {
        "by_side",
        "by_patterns",
        "by_background",
    }


def test_the_report_has_every_section(small_report: dict[str, Any], small_data: Path) -> None:
    expected = {
        *("schema", "model", "synthetic", "plain", "synthetic_large", "composed", "hand_checked"),
        *("wm811k", "mixedwm38", "noise", "symmetry", "invariance", "against"),
    }
    assert set(small_report) == expected
    real = open_real(small_data)
    assert small_report["wm811k"]["wafers"] == len(real.wm811k)
    assert small_report["hand_checked"]["wafers"] == len(real.checked)
    for name in ("wm811k", "mixedwm38"):
        assert {"ece", "own_fit", "contradictions", "brier"} <= set(small_report[name])
