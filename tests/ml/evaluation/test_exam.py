"""What is asked: every set once, halves that share no lot, seeds of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ml.evaluation.conftest import TINY_EXAM
from tests.ml.scripted import scripted
from tests.ml.small import Dies
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ConfigError
from waferscope.ml.evaluation.answers import lot_of
from waferscope.ml.evaluation.exam import (
    FULL,
    LARGE_SIDES,
    QUICK,
    ask_all,
    open_real,
    steady_wafers,
)
from waferscope.ml.truth import Truth


def test_without_data_generated_wafers_alone_are_asked_about() -> None:
    asked = ask_all(scripted({}), TINY_EXAM, None)
    sets = (*asked.fit, asked.fit_noise, asked.synthetic, asked.plain, asked.large, asked.noise)
    assert [len(answers) for answers in sets] == [4, 3, 6, 6, 4, 1, 8]
    assert asked.checked is asked.composed is asked.wm811k is asked.mixedwm38 is None
    assert max(asked.large.wafers[0].shape) >= LARGE_SIDES[0]
    assert not asked.noise.truth.any()
    assert asked.synthetic.truth.any()


def test_what_is_fitted_on_is_not_reported_on() -> None:
    asked = ask_all(scripted({}), TINY_EXAM, None)
    fitted = (*asked.fit, asked.fit_noise)
    for one, other in zip(fitted, (asked.synthetic, asked.plain, asked.noise), strict=True):
        seen = {w.fingerprint for w in one.wafers}
        assert not seen & {w.fingerprint for w in other.wafers}


def test_real_wafers_are_asked_about_in_halves(small_data: Path) -> None:
    real = open_real(small_data)
    asked = ask_all(scripted({}), TINY_EXAM, real)
    assert asked.checked is not None
    assert asked.composed is not None
    assert asked.wm811k is not None
    assert asked.mixedwm38 is not None
    sizes = [len(a) for a in (asked.checked, asked.composed, asked.wm811k, asked.mixedwm38)]
    assert sizes == [8, 6, 16, 9]
    for answers in (asked.checked, asked.wm811k, asked.mixedwm38):
        halves = [{lot_of(w) for w in half.wafers} for half in answers.halves()]
        assert not halves[0] & halves[1]
        assert all(halves)
    # A lot is in the same half of every set that has its wafers.
    even = {lot_of(w) for w in asked.wm811k.halves()[0].wafers}
    assert {lot_of(w) for w in asked.checked.halves()[0].wafers} <= even


def test_mixtures_of_a_half_are_composed_of_its_wafers_alone(
    small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = open_real(small_data)
    donors: list[set[str]] = []

    def composed(wafers: list[WaferMap], _: int, count: int) -> list[Truth]:
        donors.append({lot_of(w) for w in wafers})
        return list(real.checked[:count])

    monkeypatch.setattr("waferscope.ml.evaluation.exam.composed", composed)
    asked = ask_all(scripted({}), TINY_EXAM, real)
    assert asked.composed is not None
    assert asked.composed.even.tolist() == [True] * 3 + [False] * 3
    assert donors[0] <= real.even
    assert not donors[1] & real.even


def test_a_share_of_the_lots_is_whole_lots(small_data: Path) -> None:
    whole, part = open_real(small_data), open_real(small_data, 0.5)
    lots = {w.lot_id for w in part.wm811k}
    assert len(lots) == 2
    assert [w.wafer_id for w in part.wm811k] == [
        w.wafer_id for w in whole.wm811k if w.lot_id in lots
    ]
    assert len(part.mixedwm38) == 4
    assert len(part.checked) == len(whole.checked)


def test_steady_wafers_mostly_show_a_pattern(small_data: Path) -> None:
    real = open_real(small_data)
    wafers = steady_wafers(real, 8)
    assert len(wafers) == 2 + 4 + 2
    assert all(w.patterns for w in wafers[2:])
    assert len(steady_wafers(None, 5)) == 5
    first: list[Dies] = [w.dies for w in steady_wafers(real, 8)]
    assert all(np.array_equal(a, b.dies) for a, b in zip(first, wafers, strict=True))


def test_a_quick_look_is_smaller_in_everything() -> None:
    assert all(getattr(QUICK, f) < getattr(FULL, f) for f in FULL.__dataclass_fields__)
    assert FULL.noise == 2000


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"val\.parquet"):
        open_real(tmp_path)
