"""Zones drawn on the thumbnail: half of what masks are, wherever the wafer lies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.ml.small import TINY, Dies, draw_dies
from waferscope.errors import ConfigError
from waferscope.ml.model import SAY, ModelConfig, WaferNet
from waferscope.ml.sketch import Sketch
from waferscope.ml.thumbnail import SIDE


def drawn(net: WaferNet, dies: Dies, fold: Tensor | None = None) -> Tensor:
    """Return what the sketch of a network says of one wafer, [C, rows, cols]."""
    assert net.sketch is not None
    assert net.glance is not None
    held = torch.from_numpy(dies)[None]
    rates = torch.zeros(1, 1, *dies.shape) if fold is None else fold[None, None]
    with torch.no_grad():
        logits: Tensor = net.sketch.draw(net.glance.see(held), rates)[0]
    return logits


@pytest.mark.parametrize("shape", [(27, 25), (64, 64), (150, 211)])
def test_a_wafer_of_any_size_is_drawn_die_by_die(
    shape: tuple[int, int], net: WaferNet, rng: np.random.Generator
) -> None:
    logits = drawn(net, draw_dies(rng, ["Loc"], shape))
    assert logits.shape == (8, *shape)
    assert bool(torch.isfinite(logits).all())
    assert float(logits.std()) > 0.0


def test_padding_moves_the_drawing_and_changes_nothing_in_it(
    net: WaferNet, rng: np.random.Generator
) -> None:
    dies = draw_dies(rng, ["Donut"], (27, 25))
    canvas = np.zeros((64, 96), np.uint8)
    canvas[9:36, 40:65] = dies
    padded = drawn(net, canvas)[:, 9:36, 40:65]
    torch.testing.assert_close(padded, drawn(net, dies), rtol=1e-3, atol=1e-3)


def test_masks_are_the_mean_of_decoder_and_sketch(net: WaferNet, rng: np.random.Generator) -> None:
    dies = torch.from_numpy(draw_dies(rng, ["Center"], (32, 32)))[None]
    fold = torch.zeros(1, 32, 32)
    sketch = net.sketch
    assert sketch is not None
    with torch.no_grad():
        both = net(dies, fold)
        net.sketch = None
        decoder = net(dies, fold)
        net.sketch = sketch
    asked = (1.0 - SAY) * decoder.mask_logits + SAY * drawn(net, dies[0].numpy())
    torch.testing.assert_close(both.mask_logits, asked, rtol=1e-4, atol=1e-4)
    for name in ("pattern_logits", "embedding", "evidence"):
        assert torch.equal(getattr(both, name), getattr(decoder, name)), name


def test_the_fold_is_looked_at(net: WaferNet, rng: np.random.Generator) -> None:
    dies = draw_dies(rng, ["Loc"], (32, 32))
    fold = torch.from_numpy(rng.random((32, 32), np.float32))
    assert float((drawn(net, dies, fold) - drawn(net, dies)).abs().max()) > 1e-3


def test_a_new_sketch_says_no() -> None:
    torch.manual_seed(0)
    sketch = Sketch((8, 8, 16, 32, 64), (16, 16, 12, 8, 8), 5, 0.0).eval()
    features = [
        torch.randn(2, c, s, s).relu() for c, s in ((8, 32), (8, 32), (16, 16), (32, 8), (64, 4))
    ]
    with torch.no_grad():
        logits = sketch(torch.rand(2, 5, SIDE, SIDE), features)
    assert logits.shape == (2, 5, SIDE, SIDE)
    assert float(torch.sigmoid(logits).mean()) < 0.3


@pytest.mark.parametrize("wrong", [{"sketch": (8, 8)}, {"glance": 0}])
def test_a_sketch_needs_five_widths_and_a_label_branch(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="five widths beside a label branch"):
        replace(TINY, **wrong)  # type: ignore[arg-type]
    assert ModelConfig().sketch == ()
