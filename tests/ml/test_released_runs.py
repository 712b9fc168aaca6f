"""The runs behind the released files: sizes, shares and clocks that the file depends on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from waferscope.ml.corpus import ENLARGED_SIDE
from waferscope.ml.model import WaferNet
from waferscope.ml.recipes import build_recipe

DATA = Path("data")


def test_what_ships_is_a_resnet_50_under_the_size_limit() -> None:
    config = build_recipe("released")
    assert config.model.depth == 50
    with torch.device("meta"):
        net = WaferNet(config.model)
    # Weights are one byte each in int8; biases and the graph take little more.
    assert sum(p.numel() for p in net.parameters()) < 39e6


def test_the_shares_of_the_released_run_are_whole() -> None:
    buckets = build_recipe("released").buckets
    assert sum(b.share for b in buckets) == pytest.approx(1.0)
    assert sum(b.final_share for b in buckets) == pytest.approx(1.0)
    small, large = buckets[0], buckets[-1]
    assert small.share > small.final_share
    assert large.share < large.final_share


def test_the_label_branch_is_trained_beside_the_model_that_ships() -> None:
    config = build_recipe("glance", DATA)
    assert config.glance
    assert config.start_from is not None
    assert config.start_from.suffix == ".onnx"
    assert config.model.depth == 50
    with torch.device("meta"):
        net = WaferNet(config.model)
    assert sum(p.numel() for p in net.parameters()) < 39e6


def test_the_sketch_is_trained_beside_the_model_that_ships_and_is_small() -> None:
    config = build_recipe("sketch", DATA)
    assert config.sketch
    assert config.start_from is not None
    assert config.start_from.suffix == ".onnx"
    with torch.device("meta"):
        net = WaferNet(config.model)
    assert net.sketch is not None
    assert sum(p.numel() for p in net.sketch.parameters()) < 1e6
    assert sum(p.numel() for p in net.parameters()) < 39e6


def test_the_sketch_goes_on_with_features_that_learn_and_sees_large_mixtures() -> None:
    first, more = build_recipe("sketch", DATA), build_recipe("sketch_more", DATA)
    assert more.sketch
    assert 0.0 < more.branch_rate < 1.0
    assert more.model == first.model
    batches = [sum(b.batch for b in config.buckets) for config in (first, more)]
    assert batches[0] == batches[1]
    enlarged = {b.side for b in more.buckets if b.mix.enlarged}
    assert enlarged
    assert min(enlarged) > ENLARGED_SIDE


def test_the_run_for_a_gpu_fits_its_time() -> None:
    """Batches and prefetched ones are bounded by the workers; the clock leaves time to set up."""
    config = build_recipe("released_gpu", DATA)
    assert config.model == build_recipe("released", DATA).model
    assert config.precision == "bf16-mixed"
    assert config.compile
    assert config.workers > 8
    assert config.minutes is not None
    assert config.minutes <= 22
