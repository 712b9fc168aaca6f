"""ResNet encoders whose state-dict keys are those of torchvision.

Shapes: B batch, H and W the canvas sides (multiples of 32), features at strides 2, 4, 8, 16, 32.
Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; the stride of a
bottleneck sits on its 3x3 convolution, as torchvision does ("ResNet v1.5").
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor, nn

from waferscope.errors import ModelError

Depth = Literal[18, 50]
NOT_TENSORS: Final = (pickle.UnpicklingError, EOFError, AttributeError, IndexError, ValueError)
"""What torch raises, beside OSError and RuntimeError, on a file that is no dict of tensors."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (ResNet-18)."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, inputs, H, W]`` to ``[B, width, H/stride, W/stride]``."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut (ResNet-50)."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * 4)
        self.downsample = _shortcut(inputs, width * 4, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, inputs, H, W]`` to ``[B, 4 * width, H/stride, W/stride]``."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class ResNetEncoder(nn.Module):
    """Stock ResNet without its classifier; `channels` are those of its five feature maps.

    ``width`` is that of the stem and the first level (stock: 64); without ``pool`` the levels stay
    twice as fine.
    """

    def __init__(self, depth: Depth, inputs: int, width: int = 64, *, pool: bool = True) -> None:
        super().__init__()
        block, counts = (Bottleneck, (3, 4, 6, 3)) if depth == 50 else (BasicBlock, (2, 2, 2, 2))
        self.conv1 = nn.Conv2d(inputs, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if pool else nn.Identity()
        before, widths = width, tuple(width * 2**level for level in range(4))
        for level, (wide, count) in enumerate(zip(widths, counts, strict=True), 1):
            blocks: list[nn.Module] = []
            for index in range(count):
                stride = 2 if level > 1 and index == 0 else 1
                blocks.append(block(before, wide, stride))
                before = wide * block.expansion
            setattr(self, f"layer{level}", nn.Sequential(*blocks))
        self.channels = (width, *(wide * block.expansion for wide in widths))
        _initialise(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map ``[B, inputs, H, W]`` to features at strides 2, 4, 8, 16, 32 (2, 2, 4, 8, 16)."""
        stem = torch.relu(self.bn1(self.conv1(x)))
        features = [stem]
        x = self.maxpool(stem)
        for level in (1, 2, 3, 4):
            x = getattr(self, f"layer{level}")(x)
            features.append(x)
        return features


def _initialise(encoder: nn.Module) -> None:
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)
        elif isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)


def load_encoder_weights(encoder: ResNetEncoder, path: Path | str) -> None:
    """Load a torchvision ResNet state dict from a file, tensors only.

    A stem trained on another number of input planes is averaged over them and spread over ours.
    Raises ModelError when keys or shapes do not fit.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        weights = {k: v for k, v in loaded.items() if not k.startswith("fc.")}
        stem, planes = weights.get("conv1.weight"), encoder.conv1.in_channels
        if stem is not None and stem.shape[1] != planes:
            share = stem.shape[1] / planes
            weights["conv1.weight"] = stem.mean(1, keepdim=True).repeat(1, planes, 1, 1) * share
    except (OSError, RuntimeError, *NOT_TENSORS) as error:
        raise ModelError(
            f"Expected a readable torch state dict, got {path} ({error}). Check the path."
        ) from error
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(
            f"Expected a torchvision ResNet of the same depth, got {path} ({error}). "
            "Use weights of the encoder named in the recipe."
        ) from error
