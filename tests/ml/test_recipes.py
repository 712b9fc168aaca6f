"""Recipes: whole runs by name, usable with and without real wafers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.ml.small import CLASSES
from waferscope.cli.synthetic import write_synthetic
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.errors import ConfigError
from waferscope.ml.config import Mix
from waferscope.ml.corpus import TEXTBOOK_SIDE
from waferscope.ml.model import WaferNet
from waferscope.ml.recipes import RECIPES, build_recipe
from waferscope.synth import build_wafer

DATA = Path("data")


PLAIN = [name for name in RECIPES if name != "adapt"]  # which reads its folder


@pytest.mark.parametrize("name", PLAIN)
def test_every_recipe_fits_the_taxonomy_and_can_be_built(name: str) -> None:
    config = build_recipe(name, DATA)
    assert config.name == name
    assert config.model.classes == len(DEFAULT_TAXONOMY.classes)
    assert config.model.patterns == len(DEFAULT_TAXONOMY.patterns)
    assert config.model.embedding <= 256
    with torch.device("meta"):
        WaferNet(config.model)


@pytest.mark.parametrize("name", PLAIN)
def test_without_data_every_wafer_is_synthetic(name: str) -> None:
    config = build_recipe(name)
    assert config.data is None
    assert all(bucket.mix in (Mix(), Mix(synth=0.0, textbook=1.0)) for bucket in config.buckets)


@pytest.mark.parametrize("name", ["released", "quick", "released_gpu"])
def test_with_data_real_wafers_are_in_every_bucket(name: str) -> None:
    config = build_recipe(name, DATA)
    assert config.data == DATA
    for bucket in config.buckets:
        counts = bucket.mix.counts(bucket.batch)
        assert counts["real"] > 0
        assert counts["synth"] > 0
    # MixedWM38 is 52 x 52: its wafers are found on canvases of 64 alone.
    assert {b.side for b in config.buckets if b.mix.mixed} == {64}


def test_smoke_is_over_in_a_few_tiny_steps() -> None:
    config = build_recipe("smoke", DATA)
    assert config.data is None
    assert config.steps * sum(b.batch * b.side**2 for b in config.buckets) < 20_000


def test_labels_alone_and_fixmatch_differ_in_what_is_unlabelled_and_nothing_else() -> None:
    plain, semi = build_recipe("supervised", DATA), build_recipe("fixmatch", DATA)
    assert plain.semi is None
    assert semi.semi is not None
    assert replace(semi, name="supervised", semi=None) == plain


def test_the_label_branch_too_is_compared_with_nothing_else_changed() -> None:
    plain, semi = build_recipe("few_labels", DATA), build_recipe("few_fixmatch", DATA)
    assert plain.glance
    assert plain.start_from is None  # no label reaches it by way of a trained network
    assert not plain.selection.mixed
    assert semi.semi is not None
    assert replace(semi, name="few_labels", semi=None) == plain


def test_the_transfer_run_never_sees_a_real_wafer() -> None:
    config = build_recipe("transfer", DATA)
    assert config.data is None
    assert config.start_from is None
    for bucket in config.buckets:
        counts = bucket.mix.counts(bucket.batch)
        assert {name for name, count in counts.items() if count} == {"textbook"}
        assert bucket.side == TEXTBOOK_SIDE


def test_adapting_takes_the_sizes_of_the_annotated_wafers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = [(27, 25)] * 3 + [(60, 30)]
    made = [build_wafer(rng, shape=shape) for shape in shapes]
    write_synthetic(made, tmp_path / "made.npz", prefix="w", class_names=CLASSES)
    config = build_recipe("adapt", tmp_path)
    assert [(b.side, b.batch) for b in config.buckets] == [(32, 24), (64, 16)]
    assert [b.share for b in config.buckets] == [0.75, 0.25]
    assert config.annotated == tmp_path
    assert config.data is None
    assert config.start_from is not None
    assert config.start_from.suffix == ".onnx"
    with pytest.raises(ConfigError, match="--data"):
        build_recipe("adapt")


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=", ".join(RECIPES)) as caught:
        build_recipe("slow")
    assert "'slow'" in str(caught.value)
