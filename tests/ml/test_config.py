"""Runs as values: shares that add up, and recipes that are refused before they start."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope.errors import ConfigError
from waferscope.ml.config import Bucket, LossConfig, Mix, SemiConfig, TrainConfig
from waferscope.ml.corpus import SOURCES

SHARES = st.floats(0.0, 10.0).map(lambda x: 0.0 if x < 0.01 else x)


@given(st.tuples(*[SHARES] * len(SOURCES)).filter(any), st.integers(1, 300))
def test_a_batch_is_parted_by_its_shares(shares: tuple[float, ...], size: int) -> None:
    counts = Mix(*shares).counts(size)
    assert sum(counts.values()) == size
    first = next(n for n, share in zip(counts, shares, strict=True) if share > 0)
    for (name, count), share in zip(counts.items(), shares, strict=True):
        wanted = size * share / sum(shares)
        if share == 0:
            assert count == 0
        # Every other source is rounded down; the first takes what that leaves.
        assert abs(count - wanted) < (len(SOURCES) if name == first else 1) + 1e-6


@pytest.mark.parametrize("mix", [Mix(synth=0.0), Mix(synth=2.0, real=-1.0)])
def test_shares_that_cannot_be_are_refused(mix: Mix) -> None:
    with pytest.raises(ConfigError, match="positive sum"):
        mix.counts(4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "at least one step"),
        ({"round_steps": 0}, "at least one step"),
        ({"buckets": ()}, "one bucket"),
        ({"buckets": (Bucket(48, 4, 1.0, 1.0, Mix()),)}, "multiples of 32"),
        ({"buckets": (Bucket(0, 4, 1.0, 1.0, Mix()),)}, "multiples of 32"),
        ({"buckets": (Bucket(32, 1, 1.0, 1.0, Mix()),)}, "batches of at least 2"),
        ({"minutes": 0.0}, "minutes"),
    ],
)
def test_runs_that_cannot_be_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TrainConfig("bad", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes", [{"ratio": 0.0}, {"ratio": 9.0}, {"floor": 0.99}, {"threshold": 1.0}, {"floor": 0.4}]
)
def test_pseudo_labels_that_cannot_be_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="recipe"):
        SemiConfig(**changes)  # type: ignore[arg-type]


def test_a_run_is_one_frozen_value() -> None:
    config = TrainConfig("a")
    with pytest.raises(FrozenInstanceError):
        config.steps = 3  # type: ignore[misc]
    assert config == TrainConfig("a") != TrainConfig("a", seed=1)
    assert asdict(config)["loss"] == asdict(LossConfig())
