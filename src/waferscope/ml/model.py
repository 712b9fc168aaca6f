"""The network: die encoding, ResNet encoder, U-Net decoder, mask head and pattern heads.

Shapes: B batch, C defect classes, P patterns, D embedding, H and W the canvas (multiples of 32),
k = 4 the stride of the evidence maps.
Sources: Ronneberger et al., "U-Net", MICCAI 2015; Zhou et al., "Learning Deep Features for
Discriminative Localization", CVPR 2016 (class activation maps).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from waferscope.errors import ConfigError
from waferscope.ml.blocks import ConvBlock
from waferscope.ml.encode import PLANES, DieEncoding
from waferscope.ml.encoder import Depth, ResNetEncoder
from waferscope.ml.glance import Glance
from waferscope.ml.sketch import Sketch

VOICE: Final = 3.0
"""How much the label branch counts against the decoder; see docs/decisions/0006."""
SAY: Final = 0.5
"""How much a sketch counts in the logits of masks; the decoder has the rest. Decision 0011."""
FOLD: Final = PLANES.index("fold")
STRIDE = 4
"""Stride of the evidence maps and of the features that the pattern head pools."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Everything that shapes the network.

    ``glance`` is the width of the label branch (0: none), ``sketch`` the channels of the decoder
    that draws zones from what it sees, the coarsest first (none: no such decoder).
    """

    depth: Depth = 50
    classes: int = 8
    patterns: int = 8
    embedding: int = 256
    decoder: tuple[int, int, int, int, int] = (256, 160, 96, 32, 24)
    fine: int = 16
    dropout: float = 0.1
    glance: int = 32
    sketch: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.sketch and (len(self.sketch) != 5 or not self.glance):
            raise ConfigError(
                "Expected a sketch of five widths beside a label branch, got "
                f"{self.sketch} beside a branch of width {self.glance}. Fix the recipe."
            )

    @property
    def label(self) -> str:
        """What a file says of its network.

        >>> ModelConfig(depth=18, glance=0).label
        'ResNet-18 U-Net'
        """
        branch = f", label branch ResNet-18 of width {self.glance}" if self.glance else ""
        sketch = ", which draws zones too" if self.sketch else ""
        return f"ResNet-{self.depth} U-Net{branch}{sketch}"


class WaferOutput(NamedTuple):
    """What the network says of a batch."""

    mask_logits: Tensor  # [B, C, H, W]
    pattern_logits: Tensor  # [B, P]
    embedding: Tensor  # [B, D], unit length
    evidence: Tensor  # [B, P, H/k, W/k]; its mean over dies plus the bias is the decoder's logit


class Decoder(nn.Module):
    """U-Net decoder with 1x1 laterals and a thin full-resolution skip."""

    def __init__(self, channels: tuple[int, ...], config: ModelConfig) -> None:
        super().__init__()
        w5, w4, w3, w2, w1 = config.decoder
        stem, c2, c3, c4, c5 = channels
        self.top = ConvBlock(c5, w5, 1)
        self.lateral4 = ConvBlock(c4, w4, 1)
        self.lateral3 = ConvBlock(c3, w3, 1)
        self.lateral2 = ConvBlock(c2, w3 * 2 // 3, 1)
        self.lateral1 = ConvBlock(stem, w2, 1)
        self.merge4 = ConvBlock(w5 + w4, w4)
        self.merge3 = ConvBlock(w4 + w3, w3)
        self.merge2 = ConvBlock(w3 + w3 * 2 // 3, w3)
        self.merge1 = ConvBlock(w3 + w2, w2)
        self.fine = nn.Sequential(
            ConvBlock(len(PLANES), config.fine), ConvBlock(config.fine, config.fine)
        )
        self.merge0 = nn.Sequential(ConvBlock(w2 + config.fine, w1), ConvBlock(w1, w1))
        self.dropout = nn.Dropout2d(config.dropout)

    def forward(self, planes: Tensor, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return features at stride 4 [B, w3, H/4, W/4] and at full size [B, w1, H, W]."""
        stem, f2, f3, f4, f5 = features
        x = self.dropout(self.top(f5))
        x = self.dropout(self.merge4(_join(x, self.lateral4(f4))))
        x = self.merge3(_join(x, self.lateral3(f3)))
        coarse = self.merge2(_join(x, self.lateral2(f2)))
        x = self.merge1(_join(coarse, self.lateral1(stem)))
        return coarse, self.merge0(_join(x, self.fine(planes)))


def _join(low: Tensor, high: Tensor) -> Tensor:
    return torch.cat([F.interpolate(low, scale_factor=2.0, mode="nearest"), high], dim=1)


class WaferNet(nn.Module):
    """Die grids in; mask logits, pattern logits, embedding and evidence out."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encode = DieEncoding()
        self.encoder = ResNetEncoder(config.depth, len(PLANES))
        self.decoder = Decoder(self.encoder.channels, config)
        self.mask_head = nn.Conv2d(config.decoder[4], config.classes, 1)
        self.pattern_features = ConvBlock(config.decoder[2] + config.classes, config.embedding, 1)
        self.pattern_head = nn.Linear(config.embedding, config.patterns)
        self.glance = (
            Glance(config.glance, config.patterns, config.dropout) if config.glance else None
        )
        self.sketch = (
            Sketch(self.glance.encoder.channels, config.sketch, config.classes, config.dropout)
            if self.glance and config.sketch
            else None
        )
        for head in (self.mask_head, self.pattern_head):  # most dies and labels are negative
            if head.bias is not None:
                nn.init.constant_(head.bias, -2.0)

    def forward(self, dies: Tensor, fold: Tensor) -> WaferOutput:
        """Run uint8 ``dies`` [B, H, W] and float ``fold`` [B, H, W]; sides are multiples of 32."""
        planes = self.encode(dies, fold)
        return self._look(dies, planes, self._read(planes, self.encoder(planes)))

    def perturbed(self, dies: Tensor, fold: Tensor, dropout: float) -> WaferOutput:
        """Run with a share ``dropout`` of the encoder's channels taken away, all scales alike.

        The label branch sees all, and so does what draws from it.
        """
        planes = self.encode(dies, fold)
        features = [F.dropout2d(f, dropout) for f in self.encoder(planes)]
        return self._look(dies, planes, self._read(planes, features))

    def _look(self, dies: Tensor, planes: Tensor, out: WaferOutput) -> WaferOutput:
        """Add what the label branch says: weighted logits of labels, and of masks if it draws."""
        if self.glance is None:
            return out
        seen = self.glance.see(dies)
        labels = out.pattern_logits + VOICE * self.glance.name(seen.features)
        masks = out.mask_logits
        if self.sketch is not None:
            drawn = self.sketch.draw(seen, planes[:, FOLD : FOLD + 1])
            masks = masks - SAY * (masks - drawn)  # torch.lerp exports as two sums and a choice
        return out._replace(mask_logits=masks, pattern_logits=labels)

    def _read(self, planes: Tensor, features: list[Tensor]) -> WaferOutput:
        coarse, full = self.decoder(planes, features)
        mask_logits = self.mask_head(full)
        marked = F.avg_pool2d(torch.sigmoid(mask_logits) * planes[:, 1:2], STRIDE)
        patterns = self.pattern_features(torch.cat([coarse, marked], dim=1))
        share = F.avg_pool2d(planes[:, :1], STRIDE)  # [B, 1, H/k, W/k]
        total = share.sum(dim=(2, 3)).clamp(min=1.0e-6)
        pooled = (patterns * share).sum(dim=(2, 3)) / total
        weight = self.pattern_head.weight[:, :, None, None]
        return WaferOutput(
            mask_logits=mask_logits,
            pattern_logits=self.pattern_head(pooled),
            embedding=F.normalize(pooled, dim=1, eps=1.0e-6),
            evidence=F.conv2d(patterns, weight) * (share > 0),
        )
