"""The encoder: torchvision's names and sizes, the published block, and weights from files."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from waferscope.errors import ModelError
from waferscope.ml.encoder import BasicBlock, Bottleneck, Depth, ResNetEncoder, load_encoder_weights


def norm_keys(name: str) -> list[str]:
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return [f"{name}.{part}" for part in parts]


def torchvision_keys(depth: int) -> Iterator[str]:
    """The keys of torchvision's state dict without the classifier, written out by rule."""
    blocks, convs = ((3, 4, 6, 3), 3) if depth == 50 else ((2, 2, 2, 2), 2)
    yield from ("conv1.weight", *norm_keys("bn1"))
    for layer, count in enumerate(blocks, 1):
        for block in range(count):
            place = f"layer{layer}.{block}"
            for conv in range(1, convs + 1):
                yield f"{place}.conv{conv}.weight"
                yield from norm_keys(f"{place}.bn{conv}")
            if block == 0 and (depth == 50 or layer > 1):
                yield f"{place}.downsample.0.weight"
                yield from norm_keys(f"{place}.downsample.1")


# Entries and parameters of torchvision's models: 320 and 25,557,032 for ResNet-50, 122 and
# 11,689,512 for ResNet-18, less the two entries and 512 (or 2,048) * 1,000 + 1,000 of `fc`.
@pytest.mark.parametrize(
    ("depth", "entries", "parameters"), [(50, 318, 23_508_032), (18, 120, 11_176_512)]
)
def test_keys_and_sizes_are_torchvisions(depth: Depth, entries: int, parameters: int) -> None:
    with torch.device("meta"):
        encoder = ResNetEncoder(depth, 3)
    assert list(encoder.state_dict()) == list(torchvision_keys(depth))
    assert len(encoder.state_dict()) == entries
    assert sum(p.numel() for p in encoder.parameters()) == parameters


@pytest.mark.parametrize("depth", [18, 50])
def test_features_halve_five_times(depth: Depth) -> None:
    with torch.device("meta"):
        encoder = ResNetEncoder(depth, 6)
        features = encoder(torch.empty(2, 6, 64, 160))
    sizes = [
        (2, c, 64 // s, 160 // s) for c, s in zip(encoder.channels, (2, 4, 8, 16, 32), strict=True)
    ]
    assert [tuple(f.shape) for f in features] == sizes


def normed(x: Tensor, conv: nn.Conv2d, bn: nn.BatchNorm2d) -> Tensor:
    """A convolution without bias and its batch norm, from their formulas."""
    y = F.conv2d(x, conv.weight, None, conv.stride, conv.padding)
    mean, var, scale, shift = (
        t[:, None, None]
        for t in (bn.running_mean, bn.running_var, bn.weight, bn.bias)
        if t is not None
    )
    return (y - mean) / (var + 1e-5).sqrt() * scale + shift


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_a_block_is_the_published_one(block: type[BasicBlock | Bottleneck], stride: int) -> None:
    torch.manual_seed(stride)
    made = block(8, 4, stride).eval()
    for bn in (m for m in made.modules() if isinstance(m, nn.BatchNorm2d)):
        for tensor in (bn.running_mean, bn.running_var, bn.weight, bn.bias):
            assert tensor is not None
            nn.init.uniform_(tensor, 0.5, 1.5)
    x = torch.randn(2, 8, 12, 10)
    pairs = [
        (getattr(made, f"conv{n}"), getattr(made, f"bn{n}"))
        for n in range(1, 4)
        if hasattr(made, f"conv{n}")
    ]
    y = x
    for n, (conv, bn) in enumerate(pairs):
        y = normed(y, conv, bn)
        y = F.relu(y) if n < len(pairs) - 1 else y
    shortcut = x
    if made.downsample is not None:
        first, second = made.downsample.children()
        assert isinstance(first, nn.Conv2d)
        assert isinstance(second, nn.BatchNorm2d)
        shortcut = normed(x, first, second)
    torch.testing.assert_close(made(x), F.relu(y + shortcut), rtol=1e-4, atol=1e-4)


def test_the_stride_of_a_bottleneck_is_on_its_middle() -> None:
    block = Bottleneck(8, 4, 2)
    assert [block.conv1.stride, block.conv2.stride, block.conv3.stride] == [(1, 1), (2, 2), (1, 1)]


def test_a_new_block_passes_its_input_on() -> None:
    encoder = ResNetEncoder(18, 6).eval()
    block = encoder.get_submodule("layer1.1")
    x = torch.rand(1, 64, 8, 8)
    assert torch.equal(block(x), x)


def test_published_weights_load_and_the_stem_is_spread(tmp_path: Path) -> None:
    torch.manual_seed(0)
    published = ResNetEncoder(18, 3)
    weights = {
        **published.state_dict(),
        "fc.weight": torch.zeros(10, 512),
        "fc.bias": torch.zeros(10),
    }
    torch.save(weights, tmp_path / "resnet18.pt")
    encoder = ResNetEncoder(18, 6)
    load_encoder_weights(encoder, tmp_path / "resnet18.pt")
    for name, tensor in encoder.state_dict().items():
        if name != "conv1.weight":
            assert torch.equal(tensor, weights[name]), name
    # A grey picture in all planes is answered as the published stem answers it.
    grey = torch.rand(1, 1, 16, 16)
    ours, theirs = encoder.conv1(grey.repeat(1, 6, 1, 1)), published.conv1(grey.repeat(1, 3, 1, 1))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_weights_of_the_same_planes_load_unchanged(tmp_path: Path) -> None:
    source, encoder = ResNetEncoder(18, 6), ResNetEncoder(18, 6)
    torch.save(source.state_dict(), tmp_path / "own.pt")
    load_encoder_weights(encoder, tmp_path / "own.pt")
    assert torch.equal(encoder.conv1.weight, source.conv1.weight)


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with torch.device("meta"):
        encoder = ResNetEncoder(50, 6)
    (tmp_path / "text.pt").write_text("no weights")
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "object.pt").write_bytes(pickle.dumps(Path("x")))
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "stem.pt")
    torch.save({"conv1.weight": "x"}, tmp_path / "words.pt")
    for name in ("missing", "text", "empty", "object", "list", "stem", "words"):
        with pytest.raises(ModelError, match="Expected a"):
            load_encoder_weights(encoder, tmp_path / f"{name}.pt")
