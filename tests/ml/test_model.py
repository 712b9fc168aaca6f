"""The network: any canvas, pooling over dies alone, evidence that adds up to the logit."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.ml.small import TINY, build_net, disc, draw_dies
from waferscope.ml.blocks import ConvBlock
from waferscope.ml.encode import PLANES
from waferscope.ml.model import STRIDE, VOICE, WaferNet, WaferOutput


def batch(
    rng: np.random.Generator, canvas: tuple[int, int], count: int = 2
) -> tuple[Tensor, Tensor]:
    """Wafers of several sizes somewhere on a canvas, and some fold rates on them."""
    dies = np.zeros((count, *canvas), np.uint8)
    for place in dies:
        rows, cols = (int(rng.integers(side // 2, side + 1)) for side in canvas)
        top, left = (
            int(rng.integers(s - n + 1)) for s, n in zip(canvas, (rows, cols), strict=True)
        )
        place[top : top + rows, left : left + cols] = draw_dies(rng, ["Loc"], (rows, cols))
    fold = rng.random(dies.shape).astype(np.float32) * (dies > 0)
    return torch.from_numpy(dies), torch.from_numpy(fold)


def run(net: WaferNet, dies: Tensor, fold: Tensor) -> WaferOutput:
    with torch.no_grad():
        out: WaferOutput = net(dies, fold)
    return out


@pytest.mark.parametrize("canvas", [(32, 32), (64, 96), (160, 32), (96, 160), (160, 160)])
def test_shapes_on_any_canvas(
    canvas: tuple[int, int], net: WaferNet, rng: np.random.Generator
) -> None:
    out = run(net, *batch(rng, canvas))
    assert out.mask_logits.shape == (2, 8, *canvas)
    assert out.pattern_logits.shape == (2, 8)
    assert out.embedding.shape == (2, 32)
    assert out.evidence.shape == (2, 8, canvas[0] // STRIDE, canvas[1] // STRIDE)
    assert all(torch.isfinite(t).all() for t in out)


def test_nothing_counts_on_eight_classes(rng: np.random.Generator) -> None:
    net = build_net(config=replace(TINY, classes=3, patterns=5, embedding=7))
    out = run(net, *batch(rng, (32, 32)))
    assert [t.shape[1] for t in out] == [3, 5, 7, 5]


def decoder_logits(net: WaferNet, out: WaferOutput, dies: Tensor) -> Tensor:
    """Return the pattern logits without what the label branch adds."""
    assert net.glance is not None
    with torch.no_grad():
        logits: Tensor = out.pattern_logits - VOICE * net.glance(dies)
    return logits


def test_the_mean_evidence_over_dies_and_the_bias_are_the_decoders_logit(
    net: WaferNet, rng: np.random.Generator
) -> None:
    dies, fold = batch(rng, (64, 96), 3)
    out = run(net, dies, fold)
    logits = decoder_logits(net, out, dies)
    bias = net.pattern_head.bias
    for b in range(3):
        weights = np.zeros((16, 24))
        for row, col in itertools.product(range(64), range(96)):
            weights[row // 4, col // 4] += float(dies[b, row, col] > 0)
        mean = (out.evidence[b].numpy() * weights).sum(axis=(1, 2)) / weights.sum()
        np.testing.assert_allclose(logits[b], mean + bias.detach().numpy(), atol=1e-4)
        assert not out.evidence[b][:, torch.from_numpy(weights == 0)].any()


def test_embeddings_have_unit_length(net: WaferNet, rng: np.random.Generator) -> None:
    lengths = run(net, *batch(rng, (64, 64), 4)).embedding.norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(4))


def test_a_wafer_alone_is_answered_as_in_company(net: WaferNet, rng: np.random.Generator) -> None:
    dies, fold = batch(rng, (64, 64), 3)
    together, alone = run(net, dies, fold), run(net, dies[1:2], fold[1:2])
    for one, many in zip(alone, together, strict=True):
        torch.testing.assert_close(one[0], many[1], rtol=1e-4, atol=1e-4)


def test_what_lies_off_the_wafer_is_not_pooled(net: WaferNet, rng: np.random.Generator) -> None:
    """Fold rates off the wafer, which no reader sets, change nothing at all."""
    dies, fold = batch(rng, (64, 64))
    dirty = torch.where(dies > 0, fold, 9.0)
    assert all(map(torch.equal, run(net, dies, fold), run(net, dies, dirty)))


def test_fold_and_fails_are_looked_at(net: WaferNet, rng: np.random.Generator) -> None:
    dies, fold = batch(rng, (32, 32))
    usual = run(net, dies, fold)
    for other in (run(net, dies, fold * 0), run(net, (dies > 0).byte(), fold)):
        assert (usual.mask_logits - other.mask_logits).abs().max() > 1e-3
        assert (usual.pattern_logits - other.pattern_logits).abs().max() > 1e-4


def test_an_empty_canvas_is_finite(net: WaferNet) -> None:
    dies = torch.zeros(1, 32, 32, dtype=torch.uint8)
    out = run(net, dies, torch.zeros(1, 32, 32))
    assert all(torch.isfinite(t).all() for t in out)
    logits = decoder_logits(net, out, dies)[0]
    torch.testing.assert_close(logits, net.pattern_head.bias.detach())


def test_without_a_label_branch_the_decoder_names_the_patterns(rng: np.random.Generator) -> None:
    net = build_net(config=replace(TINY, glance=0, sketch=()))
    assert net.glance is None
    assert run(net, *batch(rng, (32, 32))).pattern_logits.shape == (2, 8)


def test_a_new_network_says_no() -> None:
    torch.manual_seed(0)
    net = WaferNet(TINY)
    assert net.mask_head.bias is not None
    for bias in (net.mask_head.bias, net.pattern_head.bias):
        assert torch.equal(bias, torch.full((8,), -2.0))


def test_every_weight_learns() -> None:
    torch.manual_seed(0)
    net = WaferNet(TINY)
    present, x, y = disc(64, 64)
    dies = torch.from_numpy((present + (present & (np.hypot(x, y) < 0.4))).astype(np.uint8))
    out: WaferOutput = net(dies.repeat(2, 1, 1), torch.rand(2, 64, 64))
    (out.mask_logits.square().mean() + out.pattern_logits.square().mean()).backward()  # type: ignore[no-untyped-call]
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_the_encoding_has_no_weights_and_the_stem_reads_all_planes() -> None:
    with torch.device("meta"):
        net = WaferNet(TINY)
    assert not list(net.encode.parameters())
    fine = net.decoder.fine[0]
    assert isinstance(fine, ConvBlock)
    for conv in (net.encoder.conv1, fine[0]):
        assert isinstance(conv, torch.nn.Conv2d)
        assert conv.in_channels == len(PLANES)
