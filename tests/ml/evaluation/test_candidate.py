"""A file or a checkpoint: opened, told apart, and left as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.ml.small import write_checkpoint
from tests.tiny_model import build_tiny_model
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ModelError
from waferscope.infer import load_predictor
from waferscope.infer.postprocess import STEPS
from waferscope.ml.calibrate import PatternFit
from waferscope.ml.evaluation.calibration import Calibration
from waferscope.ml.evaluation.candidate import graph_hash, is_neutral, open_candidate
from waferscope.ml.evaluation.mask_rule import MaskRule
from waferscope.ml.graph.export import Served, update_metadata
from waferscope.ml.model import WaferNet

CALIBRATED = {"mask_thresholds": [0.4] * 8}


def test_a_calibrated_file_is_taken_as_it_is(tmp_path: Path) -> None:
    path = build_tiny_model(tmp_path / "tiny.onnx", overrides=CALIBRATED)
    with open_candidate(path) as candidate:
        assert candidate.calibrated
        assert candidate.predictor.model.path == path
        said = candidate.describe()
    assert said["file"] == "tiny.onnx"
    assert said["version"] == "tiny-1"
    assert said["size_bytes"] == path.stat().st_size
    assert said["calibration"] == "its own"
    assert set(said["mask_thresholds"].values()) == {0.4}
    assert said["min_dies"]["lithography"] == 2


def test_a_neutral_file_is_calibrated_in_a_copy(tmp_path: Path) -> None:
    path = build_tiny_model(tmp_path / "tiny.onnx")
    before = path.read_bytes()
    rule = MaskRule((0.3,) * 8, DEFAULT_TAXONOMY)
    fit = PatternFit(np.full(8, 2.0), np.full(8, 0.1), np.full(8, 0.6))
    with open_candidate(path) as candidate:
        assert not candidate.calibrated
        known = candidate.recalibrated(Calibration(rule, fit))
        assert known.predictor.model.mask_thresholds == (0.3,) * 8
        assert known.predictor.model.temperature == (2.0,) * 8
        assert known.describe()["calibration"] == "fitted for this report"
        assert known.describe()["file"] == "tiny.onnx"
    assert path.read_bytes() == before
    assert is_neutral(load_predictor(path, threads=1).model)


def test_a_checkpoint_answers_as_its_network(net: WaferNet, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path, net)
    dies = np.random.default_rng(3).integers(1, 3, (32, 32)).astype(np.uint8)
    with open_candidate(checkpoint) as candidate:
        assert not candidate.calibrated
        assert candidate.name == "last.ckpt"
        assert candidate.predictor.model.version == "smoke-6"
        prediction = candidate.predictor.predict(WaferMap(dies))
    with torch.no_grad():
        from waferscope.infer import fold_rates

        fold = torch.from_numpy(fold_rates(dies))[None]
        zones = Served(net)(torch.from_numpy(dies)[None], fold)[0]
    np.testing.assert_allclose(prediction.probs, zones[0].numpy(), atol=0.6 / STEPS)


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(ModelError, match="checkpoint"), open_candidate(tmp_path / "notes.txt"):
        pass


def test_the_hash_is_of_the_graph_alone(tmp_path: Path) -> None:
    one = build_tiny_model(tmp_path / "one.onnx")
    other = build_tiny_model(tmp_path / "other.onnx", overrides=CALIBRATED)
    assert one.read_bytes() != other.read_bytes()
    assert graph_hash(one) == graph_hash(other)
    update_metadata(one, {"commit": "another"})
    assert graph_hash(one) == graph_hash(other)
    wider = build_tiny_model(tmp_path / "wider.onnx", overrides={"embedding_dim": 9})
    assert graph_hash(wider) != graph_hash(one)
