"""Labels that are probably wrong: found where they were spoilt, and weighed, not thrown away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.ml.small import PATTERNS, labelled_wafer
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ConfigError
from waferscope.ml import confident
from waferscope.ml.confident import LEAST_WEIGHT, find_doubt, fold_of, out_of_fold, write_weights
from waferscope.ml.selection import read_weights


def spoilt(rng: np.random.Generator) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Probabilities of a good classifier, true labels, and labels of which a tenth are wrong."""
    truth = rng.integers(0, 4, 800)
    probs = rng.dirichlet(np.ones(4), 800) * 0.3
    probs[np.arange(800), truth] += 0.7
    given = np.where(rng.random(800) < 0.1, (truth + 1) % 4, truth)
    return probs, truth, given


def test_spoilt_labels_are_found(rng: np.random.Generator) -> None:
    probs, truth, given = spoilt(rng)
    doubt = find_doubt(probs, given)
    wrong = given != truth
    assert doubt.doubted[wrong].mean() > 0.85
    assert doubt.doubted[~wrong].mean() < 0.01
    found = wrong & doubt.doubted
    np.testing.assert_array_equal(doubt.likelier[found], truth[found])
    assert (doubt.weight[~doubt.doubted] == 1.0).all()
    assert (doubt.weight[doubt.doubted] < 0.5).all()
    assert doubt.weight.min() >= LEAST_WEIGHT
    np.testing.assert_array_equal(doubt.joint.sum(axis=1) <= np.bincount(given), True)


def test_the_rule_by_a_loop(rng: np.random.Generator) -> None:
    probs, labels = rng.dirichlet(np.ones(3), 60), rng.integers(0, 3, 60)
    doubt = find_doubt(probs, labels)
    bar = [
        np.mean([p[k] for p, k2 in zip(probs, labels, strict=True) if k2 == k]) for k in range(3)
    ]
    joint = np.zeros((3, 3), int)
    for n, (row, own) in enumerate(zip(probs, labels, strict=True)):
        over = [k for k in range(3) if row[k] >= bar[k]]
        best = max(over, key=lambda k: row[k], default=own)
        joint[own, best] += bool(over)
        assert doubt.likelier[n] == best
        expected = 1.0 if best == own else max(row[own] / (row[own] + row[best]), LEAST_WEIGHT)
        assert doubt.weight[n] == pytest.approx(expected)
    np.testing.assert_array_equal(doubt.joint, joint)


def test_a_label_that_nobody_was_given_is_never_found() -> None:
    probs = np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1]])
    assert find_doubt(probs, np.zeros(3, np.int64)).doubted.tolist() == [False] * 3


def test_folds_keep_lots_together_and_are_about_equal(rng: np.random.Generator) -> None:
    lots = [f"lot{n}" for n in rng.integers(0, 40, 600)]
    folds = fold_of(lots, 3)
    for lot in set(lots):
        assert len({f for f, name in zip(folds, lots, strict=True) if name == lot}) == 1
    counts = np.bincount(folds)
    assert counts.max() - counts.min() < 40
    with pytest.raises(ConfigError, match="folds"):
        fold_of(lots, 1)


@pytest.fixture
def wafers() -> list[WaferMap]:
    rng = np.random.default_rng(0)
    kinds: list[tuple[str, ...]] = [(), ("Center",), ("Loc",)]
    made = [labelled_wafer(rng, *kinds[n % 3], lot=n // 4) for n in range(24)]
    return [WaferMap(w.dies, wafer_id=w.wafer_id, lot_id=w.lot, patterns=w.labels) for w in made]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The lots that each fold's classifier was trained on; it always says Center."""
    seen: dict[str, set[str]] = {}

    def train(wafers: list[WaferMap], folder: Path, _: Any) -> Path:
        seen[folder.name] = {str(w.lot_id) for w in wafers}
        return folder / "peer.ckpt"

    def answer(checkpoint: Path, wafers: list[WaferMap]) -> npt.NDArray[Any]:
        assert not seen[checkpoint.parent.name] & {str(w.lot_id) for w in wafers}
        probs = np.full((len(wafers), 9), 0.02)
        probs[:, PATTERNS.index("Center")] = 0.84
        return probs

    monkeypatch.setattr(confident, "train_peer", train)
    monkeypatch.setattr(confident, "peer_probs", answer)
    return seen


def test_no_wafer_is_judged_by_a_classifier_that_saw_its_lot(
    wafers: list[WaferMap], trained: dict[str, set[str]], tmp_path: Path
) -> None:
    probs = out_of_fold(wafers, tmp_path, 3)
    assert set(trained) == {"fold-0", "fold-1", "fold-2"}
    assert (probs.sum(axis=1) > 0.9).all()


@pytest.mark.usefixtures("trained")
def test_weights_are_written_as_a_run_reads_them(wafers: list[WaferMap], tmp_path: Path) -> None:
    path = tmp_path / "out" / "weights.parquet"
    doubt = write_weights(wafers, tmp_path, path, folds=2)
    weights = read_weights(path)
    assert set(weights) == {w.wafer_id for w in wafers}
    for wafer, doubted in zip(wafers, doubt.doubted, strict=True):
        assert doubted == (wafer.patterns != ("Center",))
        assert (weights[wafer.wafer_id] < 0.5) == doubted
