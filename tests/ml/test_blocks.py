"""The block that decoders are built of: a convolution, its norm and no negative answer."""

from __future__ import annotations

import torch
from torch import nn

from waferscope.ml.blocks import ConvBlock


def test_a_block_keeps_the_size_and_gives_nothing_negative() -> None:
    torch.manual_seed(0)
    block = ConvBlock(3, 5)
    answer = block(torch.randn(2, 3, 8, 6))
    assert answer.shape == (2, 5, 8, 6)
    assert float(answer.detach().min()) == 0.0
    assert [type(part) for part in block] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
