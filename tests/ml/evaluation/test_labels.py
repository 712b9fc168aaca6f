"""Label figures are torchmetrics' of decisions that the other half of the lots was fitted for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multilabel_exact_match,
    multilabel_f1_score,
)

from tests.ml.scripted import scripted
from waferscope.domain.wafermap import WaferMap
from waferscope.ml.calibrate import PatternFit, PatternScores, fit_patterns
from waferscope.ml.evaluation.answers import Answers, ask
from waferscope.ml.evaluation.figure import figures_of
from waferscope.ml.evaluation.labels import (
    Decided,
    cross_fit,
    multi_figures,
    pattern_scores,
    single_figures,
)
from waferscope.ml.metrics import decide

NAMES = ("A", "B", "C")
Row = npt.NDArray[np.bool_]


def bare(
    probs: npt.NDArray[np.float64], labels: Row, groups: npt.NDArray[np.int64], even: Row
) -> Answers:
    """Answers of which only the patterns matter."""
    empty = ask(scripted({}), [])
    wafers = tuple(WaferMap(np.ones((9, 9), np.uint8), wafer_id=str(n)) for n in range(len(probs)))
    return Answers(
        wafers=wafers,
        starts=np.zeros(len(probs) + 1, np.int64),
        probs=empty.probs,
        truth=empty.truth,
        ignore=empty.ignore,
        patterns=probs,
        labels=labels,
        groups=groups,
        even=even,
    )


def drawn(rng: np.random.Generator, *, single: bool, count: int = 240) -> Answers:
    truth = rng.integers(-1, 3, count)
    labels = truth[:, None] == np.arange(3)
    if not single:
        labels |= rng.random((count, 3)) < 0.2
    probs = np.clip(0.1 + 0.45 * labels + rng.normal(0, 0.15, labels.shape), 0.01, 0.99)
    groups = rng.integers(0, 10, count)
    return bare(probs, labels, groups, groups % 2 == 0)


def test_each_half_is_scored_with_the_other_halfs_fit() -> None:
    """One half is parted below 0.3, the other above 0.5: by each other's cut all is wrong."""
    labels = np.tile(np.arange(40) % 4 == 0, 2)[:, None]
    even = np.arange(80) < 40
    there, elsewhere = np.where(even, 0.3, 0.9)[:, None], np.where(even, 0.1, 0.5)[:, None]
    apart = bare(np.where(labels, there, elsewhere), labels, np.arange(80), even)
    found = figures_of(multi_figures(cross_fit([(apart, False)])[0], ("A",)))
    # The low half is called none throughout (right on 30 of 40), the high one A (on 10 of 40).
    assert found["exact_match"]["value"] == pytest.approx(40 / 80)
    shares = {k: v["exact_match"]["value"] for k, v in found["by_patterns"].items()}
    assert shares == {"0": pytest.approx(30 / 60), "1": pytest.approx(10 / 20)}
    alike = bare(np.where(labels, 0.3, 0.1), labels, np.arange(80), even)
    same = figures_of(multi_figures(cross_fit([(alike, False)])[0], ("A",)))
    assert same["exact_match"]["value"] == 1.0


def test_all_sets_are_fitted_together(rng: np.random.Generator) -> None:
    sets = [(drawn(rng, single=True), True), (drawn(rng, single=False), False)]
    seen: list[list[int]] = []

    def fit(parts: Sequence[PatternScores]) -> PatternFit:
        seen.append([len(p.probs) for p in parts])
        return PatternFit(np.ones(3), np.zeros(3), np.full(3, 0.5))

    found = cross_fit(sets, fit)
    halves = [[int((a.even == side).sum()) for a, _ in sets] for side in (False, True)]
    assert seen == halves
    for decided, (answers, _) in zip(found, sets, strict=True):
        np.testing.assert_allclose(decided.probs, answers.patterns)
        np.testing.assert_allclose(decided.ratio, answers.patterns / 0.5)


@pytest.fixture
def decided(rng: np.random.Generator) -> tuple[Decided, Decided]:
    one, other = cross_fit([(drawn(rng, single=True), True), (drawn(rng, single=False), False)])
    return one, other


def test_single_labels_are_scored_as_torchmetrics_does(decided: tuple[Decided, Decided]) -> None:
    one, _ = decided
    found = figures_of(single_figures(one, NAMES))
    preds = decide(one.ratio, np.ones(3))
    truth = np.where(one.labels.any(1), one.labels.argmax(1), -1)
    # torchmetrics counts labels from 0: none comes first there, last here.
    said, there = (torch.from_numpy(side + 1) for side in (preds, truth))
    macro = multiclass_f1_score(said, there, num_classes=4, average="macro")
    assert found["macro_f1"]["value"] == pytest.approx(float(macro), rel=1e-6)
    order = [1, 2, 3, 0]
    matrix = multiclass_confusion_matrix(said, there, num_classes=4).numpy()[np.ix_(order, order)]
    assert found["confusion"] == matrix.tolist()
    recalls = matrix.diagonal() / matrix.sum(axis=1)
    assert [v["value"] for v in found["recall"].values()] == pytest.approx(recalls.tolist())
    assert list(found["recall"]) == [*NAMES, "none"]
    assert found["accuracy"]["value"] == pytest.approx(np.mean(preds == truth))
    assert found["called_none"]["C"]["value"] == pytest.approx(np.mean(preds[truth == 2] == -1))
    escaped = np.mean(preds[truth >= 0] == -1)
    assert found["defects_called_none"]["value"] == pytest.approx(escaped)
    defects = truth >= 0
    hits = [np.sum((preds == k) & (truth == k)) for k in range(3)]
    totals = [np.sum(preds[defects] == k) + np.sum(truth == k) for k in range(3)]
    mean = np.mean([2 * h / t for h, t in zip(hits, totals, strict=True)])
    assert found["defect_macro_f1"]["value"] == pytest.approx(mean)
    sure = [row[n] if n >= 0 else 1 - row.max() for row, n in zip(one.probs, preds, strict=True)]
    theirs = binary_calibration_error(torch.tensor(sure), torch.tensor(preds == truth).int(), 15)
    assert found["ece"]["value"] == pytest.approx(float(theirs), abs=1e-6)
    brier = np.mean((one.probs[:, 0] - one.labels[:, 0]) ** 2)
    assert found["brier"]["A"]["value"] == pytest.approx(brier)
    assert found["lots"] == len(np.unique(one.groups))


def test_several_labels_are_scored_as_torchmetrics_does(decided: tuple[Decided, Decided]) -> None:
    _, many = decided
    found = figures_of(multi_figures(many, NAMES))
    said, there = (torch.from_numpy(a).int() for a in (many.ratio >= 1, many.labels))
    exact = multilabel_exact_match(said, there, num_labels=3)
    assert found["exact_match"]["value"] == pytest.approx(float(exact))
    macro = multilabel_f1_score(said, there, num_labels=3, average="macro")
    assert found["macro_f1"]["value"] == pytest.approx(float(macro), rel=1e-6)
    theirs = binary_calibration_error(
        torch.from_numpy(many.probs.ravel()), torch.from_numpy(many.labels.ravel()).int(), 15
    )
    assert found["ece"]["value"] == pytest.approx(float(theirs), abs=1e-6)


def test_combinations_part_the_wafers(decided: tuple[Decided, Decided]) -> None:
    _, many = decided
    found = figures_of(multi_figures(many, NAMES))
    kinds = found["by_combination"]
    assert sum(one["wafers"] for one in kinds.values()) == len(many.labels)
    assert set(kinds) <= {"none", "A", "B", "C", "A+B", "A+C", "B+C", "A+B+C"}
    mine = np.all(many.labels == [True, False, True], axis=1)
    right = np.all((many.ratio >= 1) == many.labels, axis=1)
    assert kinds["A+C"]["exact_match"]["value"] == pytest.approx(right[mine].mean())
    assert list(kinds) == sorted(kinds, key=lambda k: (k.count("+"), k))


def test_a_label_that_nothing_has_does_not_count(rng: np.random.Generator) -> None:
    labels = rng.random((40, 3)) < [0.5, 0.4, 0.0]
    probs = np.where(labels, 0.9, 0.1)
    found = figures_of(multi_figures(Decided(probs, probs / 0.5, labels, np.arange(40)), NAMES))
    assert found["macro_f1"]["value"] == 1.0
    assert found["f1"]["C"]["value"] is None


def test_scores_for_fits_are_the_raw_ones(rng: np.random.Generator) -> None:
    answers = drawn(rng, single=True)
    scores = pattern_scores(answers, single=True)
    assert scores.single
    np.testing.assert_array_equal(scores.probs, answers.patterns)
    assert fit_patterns([scores]).thresholds.shape == (3,)
