"""Raw answers: those of the failing dies, told apart by wafer and by half."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ml.scripted import Probs, scripted
from tests.ml.small import CLASSES, PATTERNS, write_data
from tests.tiny_model import build_tiny_model
from waferscope.domain.wafermap import WaferMap
from waferscope.infer import load_predictor
from waferscope.ml.evaluation.answers import Answers, ask, halve, number_groups
from waferscope.ml.truth import Truth, labelled

Asked = tuple[Answers, list[Truth], dict[str, Probs]]


@pytest.fixture
def asked(rng: np.random.Generator) -> Asked:
    """Three wafers of random dies, masks and ignored dies, and what was scripted of them."""
    truths, probs = [], {}
    for n, shape in enumerate([(12, 9), (5, 7), (8, 8)]):
        dies = rng.integers(0, 3, shape).astype(np.uint8)
        wafer = WaferMap(dies, wafer_id=f"w{n}", lot_id="ab"[n % 2], patterns=("Loc",) * (n % 2))
        masks = (rng.random((8, *shape)) < 0.3) & (dies == 2)
        truths.append(Truth(wafer, masks, rng.random(shape) < 0.3 if n else None))
        probs[f"w{n}"] = rng.random((8, *shape)).astype(np.float32) * (dies > 0)
    return ask(scripted(probs), truths, even={"a"}), truths, probs


def test_failing_dies_are_kept_in_row_order(asked: Asked) -> None:
    answers, truths, probs = asked
    assert len(answers) == 3
    for n, truth in enumerate(truths):
        places = [at for at in np.ndindex(*truth.wafer.shape) if truth.wafer.dies[at] == 2]
        dies = answers.dies(n)
        said = np.array([probs[f"w{n}"][:, r, c] for r, c in places]).T
        np.testing.assert_array_equal(answers.probs[:, dies], said)
        there = np.array([truth.masks[:, r, c] for r, c in places]).T
        np.testing.assert_array_equal(answers.truth[:, dies], there)
        hidden = [False if truth.ignore is None else truth.ignore[at] for at in places]
        assert answers.ignore[dies].tolist() == hidden
        grid = answers.grid(n, answers.probs[:, dies])
        np.testing.assert_array_equal(grid, probs[f"w{n}"] * (truth.wafer.dies == 2))
    assert answers.labels.any(axis=0).tolist() == [name == "Loc" for name in PATTERNS]
    assert answers.groups.tolist() == [0, 1, 0]


def test_taking_wafers_takes_their_dies(asked: Asked) -> None:
    answers, _, _ = asked
    some = answers.take(np.array([True, False, True]))
    assert [w.wafer_id for w in some.wafers] == ["w0", "w2"]
    for new, old in ((0, 0), (1, 2)):
        for name in ("probs", "truth"):
            mine, theirs = getattr(some, name), getattr(answers, name)
            np.testing.assert_array_equal(mine[:, some.dies(new)], theirs[:, answers.dies(old)])
    even, odd = answers.halves()
    assert [w.lot_id for w in even.wafers] == ["a", "a"]
    assert [w.lot_id for w in odd.wafers] == ["b"]
    assert not answers.unhidden().ignore.any()
    assert answers.ignore.any()


def test_nothing_asked_is_nothing_answered() -> None:
    answers = ask(scripted({}), [])
    assert len(answers) == 0
    assert answers.probs.shape == (len(CLASSES), 0)
    assert answers.patterns.shape == answers.labels.shape == (0, len(PATTERNS))


def test_raw_scores_come_back_from_a_calibrated_file(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    wafers = labelled(write_data(tmp_path, rng) / "wm811k" / "val.parquet")
    truths = [Truth(w, np.zeros((8, *w.shape), bool)) for w in wafers]
    changed = {"pattern_calibration": {"temperature": [0.5] * 8, "bias": [0.5] * 8}}
    neutral = load_predictor(build_tiny_model(tmp_path / "a.onnx"), threads=1)
    calibrated = load_predictor(build_tiny_model(tmp_path / "b.onnx", overrides=changed), threads=1)
    one, other = (ask(p, truths).patterns for p in (neutral, calibrated))
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert neutral.predict(wafers[0]).patterns != calibrated.predict(wafers[0]).patterns


def test_halves_part_no_lot_and_hold_as_many_of_each_label(rng: np.random.Generator) -> None:
    lots = [f"lot-{n}" for n in rng.integers(0, 60, 3000)]
    truth = rng.integers(-1, 3, 3000)
    labels = truth[:, None] == np.arange(3)
    even = halve(lots, labels)
    mine = np.array([lot in even for lot in lots])
    for label in range(-1, 3):
        assert abs(mine[truth == label].mean() - 0.5) < 0.06
    assert 20 < len(even) < 40
    assert halve(lots, labels) == even


def test_groups_are_numbered_as_they_come() -> None:
    assert number_groups([]).tolist() == []
    assert number_groups(["x", "y", "x", "z", "y"]).tolist() == [0, 1, 0, 2, 1]
