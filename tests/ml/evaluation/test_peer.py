"""The peer is trained on the training wafers alone, and scored wafer by wafer beside a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import waferscope.ml.evaluation.peer as module
from tests.ml.evaluation.conftest import TINY_EXAM
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.ml.corpus import REAL_FILE
from waferscope.ml.evaluate import Beside, evaluate
from waferscope.ml.evaluation.answers import lot_of, number_groups
from waferscope.ml.evaluation.exam import RealSets, open_real
from waferscope.ml.evaluation.figure import tally
from waferscope.ml.evaluation.peer import compare_with_peer
from waferscope.ml.metrics import count_single, macro_f1
from waferscope.ml.peer import PeerConfig, single_labels
from waferscope.ml.truth import labelled

BRIEF = PeerConfig(epochs=1, batch=4, keep_steps=1)
NAMES = DEFAULT_TAXONOMY.patterns


def perfect(real: RealSets) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Probabilities that name every wafer's label."""
    return np.eye(len(NAMES) + 1)[single_labels(real.wm811k)] * 0.9 + 0.01


@pytest.fixture
def real(small_data: Path) -> RealSets:
    return open_real(small_data)


def test_a_perfect_peer_is_not_beaten(
    real: RealSets, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "peer_probs", lambda *_: perfect(real))
    groups = number_groups([lot_of(w) for w in real.wm811k])
    none = np.full(len(groups), -1)
    truth = single_labels(real.wm811k)
    named = np.where(truth == len(NAMES), -1, truth)
    ours = tally(count_single(none, named, len(NAMES)), groups, macro_f1)
    found = compare_with_peer(tmp_path, BRIEF, real, ours)
    assert found["name"].startswith("A plain ResNet-18 on maps resized to 64x64 (1 epochs")
    assert found["most_likely"]["value"] == 1.0
    assert found["gain_on_most_likely"]["high"] < 0.0
    same = tally(count_single(named, named, len(NAMES)), groups, macro_f1)
    assert compare_with_peer(tmp_path, BRIEF, real, same)["gain_on_most_likely"]["value"] == 0.0


def test_a_report_is_measured_beside_a_peer_of_the_training_wafers(
    small_model: Path, small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[WaferMap] = []

    def watch(wafers: list[WaferMap], folder: Path, config: PeerConfig) -> Path:
        taught.extend(wafers)
        assert (folder, config) == (tmp_path / "peer", BRIEF)
        return folder / "peer.ckpt"

    monkeypatch.setattr(module, "train_peer", watch)
    monkeypatch.setattr(module, "peer_probs", lambda _, wafers: np.eye(9)[single_labels(wafers)])
    beside = Beside(peer=tmp_path / "peer", peer_config=BRIEF)
    report = evaluate(small_model, small_data, exam=TINY_EXAM, beside=beside)
    train = labelled(small_data / REAL_FILE.format(split="train"))
    assert [w.wafer_id for w in taught] == [w.wafer_id for w in train]
    ours, theirs = (report[k]["macro_f1"]["value"] for k in ("wm811k", "peer"))
    assert report["peer"]["gain"]["value"] == pytest.approx(ours - theirs)
    assert report["peer"]["version"] == report["model"]["version"]
