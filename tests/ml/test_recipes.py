"""Recipes: whole runs by name, usable with and without real wafers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.errors import ConfigError
from waferscope.ml.config import Mix
from waferscope.ml.model import WaferNet
from waferscope.ml.recipes import RECIPES, build_recipe

DATA = Path("data")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_fits_the_taxonomy_and_can_be_built(name: str) -> None:
    config = build_recipe(name, DATA)
    assert config.name == name
    assert config.model.classes == len(DEFAULT_TAXONOMY.classes)
    assert config.model.patterns == len(DEFAULT_TAXONOMY.patterns)
    assert config.model.embedding <= 256
    with torch.device("meta"):
        WaferNet(config.model)


@pytest.mark.parametrize("name", RECIPES)
def test_without_data_every_wafer_is_synthetic(name: str) -> None:
    config = build_recipe(name)
    assert config.data is None
    assert all(bucket.mix == Mix() for bucket in config.buckets)


@pytest.mark.parametrize("name", ["released", "quick"])
def test_with_data_real_wafers_are_in_every_bucket(name: str) -> None:
    config = build_recipe(name, DATA)
    assert config.data == DATA
    for bucket in config.buckets:
        counts = bucket.mix.counts(bucket.batch)
        assert counts["real"] > 0
        assert counts["synth"] > 0
    # MixedWM38 is 52 x 52: its wafers are found on canvases of 64 alone.
    assert {b.side for b in config.buckets if b.mix.mixed} == {64}


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


def test_smoke_is_over_in_a_few_tiny_steps() -> None:
    config = build_recipe("smoke", DATA)
    assert config.data is None
    assert config.steps * sum(b.batch * b.side**2 for b in config.buckets) < 20_000


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=", ".join(RECIPES)) as caught:
        build_recipe("slow")
    assert "'slow'" in str(caught.value)
