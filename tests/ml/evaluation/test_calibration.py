"""What ships is fitted on everything, what is reported on one half at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.ml.evaluation.conftest import TINY_EXAM
from tests.tiny_model import build_tiny_model
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.infer import load_predictor
from waferscope.ml.calibrate import fit_patterns
from waferscope.ml.evaluation.calibration import calibrate, try_masks, unlimited
from waferscope.ml.evaluation.exam import Asked, ask_all, open_real
from waferscope.ml.evaluation.labels import pattern_scores
from waferscope.ml.evaluation.mask_rule import fit_rule, try_rules
from waferscope.ml.graph.export import update_metadata


@pytest.fixture(scope="module")
def asked(small_model: Path, small_data: Path) -> Asked:
    return ask_all(load_predictor(small_model, threads=1), TINY_EXAM, open_real(small_data))


def test_a_rule_is_fitted_on_the_half_that_is_named(asked: Asked) -> None:
    fits = try_masks(asked, DEFAULT_TAXONOMY)
    assert asked.checked is not None
    assert asked.composed is not None
    drawn = [try_rules(a, DEFAULT_TAXONOMY) for a in asked.fit]
    noise = try_rules(asked.fit_noise, DEFAULT_TAXONOMY)
    for even in (True, False):
        real = [a.take(a.even == even) for a in (asked.checked, asked.composed)]
        tried = [try_rules(a, DEFAULT_TAXONOMY) for a in real]
        assert fits.rule(even) == fit_rule([*drawn, *tried], noise, DEFAULT_TAXONOMY)
    whole = [try_rules(a, DEFAULT_TAXONOMY) for a in (asked.checked, asked.composed)]
    assert fits.rule() == fit_rule([*drawn, *whole], noise, DEFAULT_TAXONOMY)


def test_what_ships_is_fitted_on_everything(asked: Asked) -> None:
    fits = try_masks(asked, DEFAULT_TAXONOMY)
    found = calibrate(asked, fits)
    assert found.masks == fits.rule()
    assert asked.wm811k is not None
    assert asked.mixedwm38 is not None
    sets = [(asked.wm811k, True), (asked.mixedwm38, False)]
    theirs = fit_patterns([pattern_scores(a, single=single) for a, single in sets])
    assert found.patterns is not None
    for name in ("temperature", "bias", "thresholds"):
        np.testing.assert_array_equal(getattr(found.patterns, name), getattr(theirs, name))


def test_a_file_takes_its_calibration_up(asked: Asked, tmp_path: Path) -> None:
    found = calibrate(asked, try_masks(asked, DEFAULT_TAXONOMY))
    path = build_tiny_model(tmp_path / "tiny.onnx")
    update_metadata(path, found.to_metadata())
    info = load_predictor(path, threads=1).model
    assert info.mask_thresholds == found.masks.thresholds
    assert info.taxonomy == found.masks.taxonomy
    assert found.patterns is not None
    assert info.temperature == tuple(found.patterns.temperature)
    assert info.pattern_thresholds == tuple(found.patterns.thresholds)


def test_without_real_wafers_patterns_are_left_alone(asked: Asked) -> None:
    drawn = replace(asked, checked=None, composed=None, wm811k=None, mixedwm38=None)
    found = calibrate(drawn, try_masks(drawn, DEFAULT_TAXONOMY))
    assert found.patterns is None
    assert set(found.to_metadata()) == {"mask_thresholds", "taxonomy"}


def test_limits_fitted_before_are_forgotten() -> None:
    raised = tuple(replace(c, min_dies=12) for c in DEFAULT_TAXONOMY.classes)
    assert unlimited(replace(DEFAULT_TAXONOMY, classes=raised)) == DEFAULT_TAXONOMY
    own = replace(DEFAULT_TAXONOMY.classes[0], name="moon", min_dies=9)
    other = replace(
        DEFAULT_TAXONOMY, classes=(own, *DEFAULT_TAXONOMY.classes[1:]), pattern_class={}
    )
    assert unlimited(other).classes[0].min_dies == 9
