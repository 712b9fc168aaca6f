"""Bending a trained network to a new product: heads and decoder first, then the last stages.

Few annotated wafers would ruin an encoder that learned from a hundred thousand, so it stands still
at first; and batches of a few wafers would spoil the statistics of batch norms, so those are kept.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from waferscope.errors import ConfigError
from waferscope.ml.config import TrainConfig
from waferscope.ml.task import SegmentationTask


class AdaptTask(SegmentationTask):
    """A run in which the encoder stands still at first and only some of its stages learn later.

    The encoder of the label branch stands still throughout.
    """

    def __init__(self, config: TrainConfig, data_fingerprint: str = "") -> None:
        super().__init__(config, data_fingerprint)
        if config.adapt is None:
            raise ConfigError("Expected a recipe with `adapt` settings, got none. Add them.")
        self.adapt = config.adapt
        named = dict(self.net.encoder.named_children())
        unknown = sorted(set(self.adapt.thawed) - set(named))
        if unknown:
            raise ConfigError(
                f"Expected stages of the encoder to thaw ({', '.join(named)}), "
                f"got {', '.join(unknown)}. Fix the recipe."
            )
        self.thawed = [named[name] for name in self.adapt.thawed]
        self.still = [self.net.encoder]
        if self.net.glance is not None:
            self.still.append(self.net.glance.encoder)
        for encoder in self.still:
            encoder.requires_grad_(False)
        self.keep_norms()

    def keep_norms(self) -> None:
        """Let every batch norm use what it has seen, and see nothing new."""
        for module in self.net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()

    def on_train_batch_start(self, *_: Any) -> None:
        """Thaw the last stages when their time has come; the step alone says when."""
        frozen = self.global_step < self.adapt.frozen * self.config.steps
        for stage in self.thawed:
            stage.requires_grad_(not frozen)
        self.keep_norms()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what learns: all but the encoders, and the thawed stages at a lower rate."""
        inside = {id(p) for encoder in self.still for p in encoder.parameters()}
        outer = [p for p in self.net.parameters() if id(p) not in inside]
        stages = [p for stage in self.thawed for p in stage.parameters()]
        rate = self.config.learning_rate
        decay = {"weight_decay": self.config.weight_decay}
        return [
            {"params": outer, "lr": rate, **decay},
            {"params": stages, "lr": rate * self.adapt.rate, **decay},
        ]
