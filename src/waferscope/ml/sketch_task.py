"""Training what draws zones from the features of the label branch; all else stands still.

Labels stay what they are. Wafers come as thumbnails, so a wafer of any size costs the same, and
each weighs the same. Shapes: B batch, C classes, S the side of the thumbnail.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from waferscope.errors import ConfigError
from waferscope.ml.branch_task import BranchTask
from waferscope.ml.config import LossConfig, TrainConfig
from waferscope.ml.glance import Glance
from waferscope.ml.losses import dice_loss, focal_loss
from waferscope.ml.model import WaferNet
from waferscope.ml.sketch import Sketch
from waferscope.ml.sketch_batches import SketchBatch
from waferscope.ml.thumbnail import THUMBNAIL

_LITTLE = 1.0e-6


class SketchTask(BranchTask):
    """A run in which the sketch of a trained network alone learns.

    Raises ConfigError when it begins with nothing, or with a network that names no patterns: what
    it draws from stands still.
    """

    def __init__(self, config: TrainConfig, data_fingerprint: str = "") -> None:
        super().__init__(config, data_fingerprint)
        if config.start_from is None:
            raise ConfigError("Expected a trained network to sketch with, got none. Name it.")

    def start_from(self, net: WaferNet) -> None:
        """Begin with the weights of a network that has a label branch."""
        glance_of(net)
        super().start_from(net)

    def branch_of(self, net: WaferNet) -> nn.Module:
        """Return what learns of a network: its sketch."""
        return sketch_of(net)

    def training_step(self, batch: SketchBatch, _: int) -> Tensor:  # type: ignore[override]
        """Return the loss of one batch and log it; the decoder is not run."""
        self.seed_step()
        self.net.eval()
        loss = self.batch_loss(batch)
        self.log("loss", loss.detach(), prog_bar=True)
        return loss

    def batch_loss(self, batch: SketchBatch) -> Tensor:
        """Return the loss of one batch, a scalar."""
        with torch.no_grad():
            features = look(glance_of(self.net), batch)
        return self.mask_loss(features, batch)

    def mask_loss(self, features: list[Tensor], batch: SketchBatch) -> Tensor:
        """Return the loss of the zones that the sketch draws from features, a scalar."""
        logits = sketch_of(self.net).train()(batch.planes, features)
        return sketch_loss(logits.float(), batch, self.config.loss)


def sketch_of(net: WaferNet) -> Sketch:
    """Return the sketch of a network; raise ConfigError where it has none."""
    if net.sketch is None:
        raise ConfigError("Expected a network that sketches, got none. Set its widths.")
    return net.sketch


def glance_of(net: WaferNet) -> Glance:
    """Return the label branch of a network; raise ConfigError where it has none."""
    if net.glance is None:
        raise ConfigError(
            "Expected a network with a label branch to sketch with, got one without. "
            "Train one with `glance` first."
        )
    return net.glance


def look(glance: Glance, batch: SketchBatch) -> list[Tensor]:
    """Return the features of a batch of thumbnails, the finest first."""
    features: list[Tensor] = glance.encoder(batch.planes[:, : len(THUMBNAIL)])
    return features


def sketch_loss(logits: Tensor, batch: SketchBatch, config: LossConfig) -> Tensor:
    """Return the loss of logits [B, C, S, S] against the dies that lie in each cell, a scalar.

    A cell weighs as much as its known dies, passing ones by ``config.passing``.
    """
    fails, known_fails = batch.fails.float().unbind(dim=1)
    passes, known_passes = batch.passes.float().unbind(dim=1)
    weight = known_fails + config.passing * known_passes
    share = (fails + config.passing * passes) / weight.clamp(min=_LITTLE)
    focal = focal_loss(logits, share, weight, config.focal_gamma)
    dice = dice_loss(logits, fails / known_fails.clamp(min=_LITTLE), known_fails)
    return config.focal * focal + config.dice * dice
