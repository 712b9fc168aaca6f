"""The peer learns what is plain to see, and goes on exactly where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import waferscope.ml.peer as module
from tests.ml.small import PATTERNS, draw_dies
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ConfigError
from waferscope.ml.peer import (
    SIDE,
    PeerConfig,
    peer_probs,
    resize,
    single_labels,
    train_peer,
)

QUICK = PeerConfig(epochs=2, batch=4, keep_steps=1)


@pytest.fixture
def wafers(rng: np.random.Generator) -> list[WaferMap]:
    kinds = [(), ("Center",), ("Edge-Ring",)]
    return [WaferMap(draw_dies(rng, kinds[n % 3]), patterns=kinds[n % 3]) for n in range(12)]


@pytest.mark.parametrize("shape", [(20, 31), (64, 64), (100, 77)])
def test_maps_are_resized_by_nearest_neighbour(
    shape: tuple[int, int], rng: np.random.Generator
) -> None:
    dies = rng.integers(0, 3, shape).astype(np.uint8)
    theirs = cv2.resize(dies, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT)
    np.testing.assert_array_equal(resize(dies), theirs)


def test_labels_are_places_in_the_taxonomy(wafers: list[WaferMap]) -> None:
    found = single_labels(wafers[:3])
    assert found.tolist() == [len(PATTERNS), PATTERNS.index("Center"), PATTERNS.index("Edge-Ring")]


def test_a_stopped_training_ends_with_the_same_weights(
    wafers: list[WaferMap], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    whole = train_peer(wafers, tmp_path / "whole", QUICK)
    keep = module._keep

    def stop_at_three(*arguments: object) -> None:
        keep(*arguments)  # type: ignore[arg-type]
        if arguments[-1] == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "_keep", stop_at_three)
        with pytest.raises(KeyboardInterrupt):
            train_peer(wafers, tmp_path / "part", QUICK)
    part = train_peer(wafers, tmp_path / "part", QUICK)
    one, other = (torch.load(p, weights_only=True) for p in (whole, part))
    assert one["step"] == other["step"] == 6
    assert all(torch.equal(one["net"][k], other["net"][k]) for k in one["net"])


def test_it_learns_what_is_plain_to_see(wafers: list[WaferMap], tmp_path: Path) -> None:
    torch.set_num_threads(1)
    longer = replace(QUICK, epochs=14, keep_steps=100)
    probs = peer_probs(train_peer(wafers, tmp_path, longer), wafers)
    assert probs.shape == (12, len(PATTERNS) + 1)
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-5)
    assert np.mean(probs.argmax(axis=1) == single_labels(wafers)) > 0.8


def test_other_settings_need_a_folder_of_their_own(wafers: list[WaferMap], tmp_path: Path) -> None:
    train_peer(wafers, tmp_path, replace(QUICK, epochs=1))
    with pytest.raises(ConfigError, match="its own folder"):
        train_peer(wafers, tmp_path, QUICK)
