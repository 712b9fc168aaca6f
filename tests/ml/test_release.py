"""From a checkpoint to a folder: what is written, what is refused, what is measured on which."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import waferscope.ml.release as module
from tests.ml.evaluation.conftest import TINY_EXAM
from tests.ml.small import TINY, write_checkpoint, write_data
from tests.tiny_model import build_tiny_model
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ModelError
from waferscope.infer import Predictor, load_predictor
from waferscope.ml.evaluation.headline import headline
from waferscope.ml.graph.export import Origin, neutral_metadata, update_metadata
from waferscope.ml.graph.quantise import QuantConfig
from waferscope.ml.model import WaferNet
from waferscope.ml.release import (
    compare_export,
    quantisation_loss,
    quantise_gently,
    range_wafers,
    release,
)
from waferscope.ml.sources import notices_of
from waferscope.ml.truth import FIT_SEED, Truth, synthetic


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no more than four synthetic wafers wherever hundreds are."""

    def drawn(seed: int, count: int) -> Iterator[Truth]:
        return synthetic(seed, min(count, 4))

    monkeypatch.setattr(module, "synthetic", drawn)
    monkeypatch.setattr(module, "RANGE_WAFERS", 8)


@pytest.fixture
def checkpoint(net: WaferNet, tmp_path: Path) -> Path:
    """A checkpoint of the tiny network, as a run leaves it."""
    return write_checkpoint(tmp_path, net)


@pytest.mark.usefixtures("few")
def test_a_checkpoint_becomes_a_measured_and_described_file(
    checkpoint: Path, fp32_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(net: WaferNet, path: Path, origin: Origin) -> Path:
        shutil.copy(fp32_file, path)
        update_metadata(path, neutral_metadata(net, origin))
        return path

    monkeypatch.setattr(module, "export_onnx", export)
    monkeypatch.setattr(module, "MOST_LOST", 0.9)
    data = write_data(tmp_path / "data", np.random.default_rng(5))
    note = {"buckets": [{"mix": {"synth": 0.5, "real": 0.5}}]}
    checkpoint.with_name("run.json").write_text(json.dumps(note))
    done = release(checkpoint, tmp_path / "out", "1.2.3", data, exam=TINY_EXAM)
    info = load_predictor(done.model, threads=1).model
    assert (info.version, info.architecture) == ("1.2.3", TINY.label)
    sources = ["synthetic", "WM-811K"]
    run = {"recipe": "smoke", "steps": 6, "seed": 2}
    assert info.training_data == {**run, "began with": "random weights", "sources": sources}
    assert info.notices == notices_of(sources)
    assert info.data_fingerprint == "d" * 64
    assert info.quantisation.startswith("int8")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report == done.report
    assert report["export_agreement"] >= 0.999
    assert info.metrics == headline(report)
    assert {"synthetic", "hand_checked", "wm811k", "mixedwm38", "noise"} <= set(report)
    assert set(report["model"]["mask_thresholds"].values()) == set(info.mask_thresholds)
    exact = load_predictor(done.fp32, threads=1).model
    assert exact.quantisation == "none (fp32)"
    for name in ("mask_thresholds", "pattern_thresholds", "temperature", "bias"):
        assert getattr(info, name) == getattr(exact, name)
    assert info.temperature != (1.0,) * 8
    assert "WaferScope 1.2.3" in done.card.read_text(encoding="utf-8")


def test_a_file_that_marks_other_dies_than_its_network_is_refused(
    net: WaferNet, fp32_file: Path, wafers: list[WaferMap]
) -> None:
    assert compare_export(net, fp32_file, wafers) >= 0.999
    other = WaferNet(net.config).eval()
    with pytest.raises(ModelError, match="to mark the dies that the network marks"):
        compare_export(other, fp32_file, wafers)


def test_the_ladder_is_climbed_down_until_the_masks_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[QuantConfig] = []

    def quantise(_: Path, target: Path, __: object, config: QuantConfig) -> Path:
        tried.append(config)
        target.write_bytes(b"x" * 100)
        return target

    monkeypatch.setattr(module, "quantise", quantise)
    losses = iter([0.01, 0.001])
    monkeypatch.setattr(module, "quantisation_loss", lambda *_: next(losses))
    target = tmp_path / "int8.onnx"
    assert quantise_gently(tmp_path / "fp32.onnx", target, []) == (target, 0.001)
    assert tried == [QuantConfig(), QuantConfig(operators=("Conv",))]


@pytest.mark.parametrize(("lost", "most"), [(0.5, 40_000_000), (0.0, 99)])
def test_a_file_that_loses_too_much_or_is_too_large_is_refused(
    lost: float, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quantise(_: Path, target: Path, *__: object) -> Path:
        target.write_bytes(b"x" * 100)
        return target

    monkeypatch.setattr(module, "quantise", quantise)
    monkeypatch.setattr(module, "quantisation_loss", lambda *_: lost)
    monkeypatch.setattr(module, "MOST_BYTES", most)
    with pytest.raises(ModelError, match="Expected an int8 file of at most"):
        quantise_gently(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", [])


@pytest.mark.usefixtures("few")
def test_ranges_are_measured_on_training_wafers(tmp_path: Path) -> None:
    assert len(range_wafers(None)) == 4
    data = write_data(tmp_path / "data", np.random.default_rng(5))
    wafers = range_wafers(data)
    assert len(wafers) == 4 + 2 + 2
    assert [w.shape for w in wafers[4:]] == [(27, 27)] * 2 + [(52, 52)] * 2
    assert [w.fingerprint for w in wafers] == [w.fingerprint for w in range_wafers(data)]


@pytest.mark.usefixtures("few")
def test_a_small_folder_gives_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RANGE_WAFERS", 400)
    data = write_data(tmp_path / "data", np.random.default_rng(5))
    assert len(range_wafers(data)) == 4 + 16 + 9


@pytest.mark.usefixtures("few")
def test_the_loss_is_the_difference_in_mean_die_iou(tmp_path: Path) -> None:
    one = build_tiny_model(tmp_path / "one.onnx", overrides={"mask_thresholds": [0.3] * 8})
    other = build_tiny_model(tmp_path / "other.onnx", overrides={"mask_thresholds": [1.0] * 8})
    assert quantisation_loss(one, one) == 0.0
    expected = [
        _mean_iou(load_predictor(p, threads=1), list(synthetic(FIT_SEED + 2, 4)))
        for p in (one, other)
    ]
    lost = expected[0] - expected[1]
    assert quantisation_loss(one, other) == pytest.approx(lost)
    assert lost > 0


def _mean_iou(predictor: Predictor, truths: list[Truth]) -> float:
    """The mean of the pooled IoU of the classes present, die by die."""
    both, either, there = (np.zeros(8) for _ in range(3))
    for truth in truths:
        masks = predictor.predict(truth.wafer).masks
        both += (masks & truth.masks).sum(axis=(1, 2))
        either += (masks | truth.masks).sum(axis=(1, 2))
        there += truth.masks.sum(axis=(1, 2))
    return float(np.mean((both / np.maximum(either, 1))[there > 0]))
