"""One optimiser step and one validation pass, as a Lightning module.

Shapes: B batch, C classes, P patterns, H and W the canvas.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, Final, cast

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.ml.batches import Batch
from waferscope.ml.budget import TimeBudget
from waferscope.ml.config import LossConfig, TrainConfig
from waferscope.ml.encoder import load_encoder_weights
from waferscope.ml.losses import bag_loss, dice_loss, focal_loss, pattern_loss
from waferscope.ml.metrics import MaskCounts, die_iou
from waferscope.ml.model import WaferNet, WaferOutput

BRANCHES: Final = ("glance", "sketch")
"""Parts of a network that another of the same kind may lack."""
ABOUT: Final = "waferscope"
"""Key of a checkpoint under which it says what it holds."""


class SegmentationTask(lightning.LightningModule):
    """Trains `WaferNet`; ``ema`` holds the running mean of its weights, which is what ships."""

    def __init__(self, config: TrainConfig, data_fingerprint: str = "") -> None:
        super().__init__()
        self.config = config
        self.data_fingerprint = data_fingerprint
        self.net = WaferNet(config.model)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if config.encoder_weights is not None:
            load_encoder_weights(self.net.encoder, config.encoder_weights)
        self.ema = AveragedModel(
            self.net, multi_avg_fn=ema_update(config.ema_decay), use_buffers=True
        ).requires_grad_(False)
        self.run_net = torch.compile(self.net, dynamic=False) if config.compile else self.net
        self.compiled = {b.side for b in config.buckets[:2]} if config.compile else set()
        self.seen = MaskCounts.zero(config.model.classes)
        self.budget = None if config.minutes is None else TimeBudget(config.minutes)

    def configure_callbacks(self) -> list[lightning.Callback]:
        """Return what watches the run: the clock, where its time is bounded."""
        return [] if self.budget is None else [self.budget]

    @property
    def mean(self) -> WaferNet:
        """The network with the running mean of the weights."""
        return cast(WaferNet, self.ema.module)

    def start_from(self, net: WaferNet) -> None:
        """Begin with the weights of a trained network of the same settings.

        A label branch that it lacks begins anew, and says nothing yet; a sketch that it lacks
        begins anew too, and one that this run has no place for is left out. Raises RuntimeError for
        other settings.
        """
        state = net.state_dict()
        if self.net.sketch is None:
            state = {k: v for k, v in state.items() if not k.startswith("sketch.")}
        lacking = [
            f"{name}."
            for name in BRANCHES
            if getattr(net, name) is None and getattr(self.net, name) is not None
        ]
        if net.glance is None and self.net.glance is not None:
            nn.init.zeros_(self.net.glance.head.weight)
            nn.init.zeros_(self.net.glance.head.bias)
        mine = self.net.state_dict()
        state |= {k: v for k, v in mine.items() if k.startswith(tuple(lacking))}
        for own in (self.net, self.mean):
            own.load_state_dict(state)

    def seed_step(self) -> None:
        """Seed dropout by the step, so that a resumed run drops the same."""
        torch.manual_seed(self.config.seed * 1_000_003 + self.global_step)

    def network(self, side: int) -> Any:
        """Return the network for canvases of a side: compiled for the most frequent ones."""
        return self.run_net if side in self.compiled else self.net

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of one batch and log its terms."""
        self.seed_step()
        net = self.network(batch.dies.shape[1])
        terms = loss_terms(net(batch.dies, batch.fold), batch, self.config.loss)
        total = torch.stack(list(terms.values())).sum()
        self.log_dict({f"loss/{k}": v.detach() for k, v in terms.items()})
        self.log("loss", total.detach(), prog_bar=True)
        return total

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the running mean towards the weights just updated."""
        self.ema.update_parameters(self.net)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say in the file, in plain values, what the network is and what it was trained on."""
        checkpoint[ABOUT] = {
            "model": asdict(self.config.model),
            "recipe": self.config.name,
            "steps": int(self.global_step),
            "seed": self.config.seed,
            "data_fingerprint": self.data_fingerprint,
        }

    def configure_optimizers(self) -> Any:
        """AdamW under linear warm-up and a cosine."""
        fused = "mixed" not in self.config.precision  # Lightning clips no gradients for a fused one
        rate = self.config.learning_rate
        optimizer = torch.optim.AdamW(self.parameter_groups(), lr=rate, fused=fused)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what learns, biases and norms without decay."""
        return decayed_groups(self.net, self.config.weight_decay)

    def _rate(self, step: int) -> float:
        """Return the rate at a step, or at the later one where the clock says the run should be.

        The clock does not cut the warm-up short, and lowers the rate meanwhile.
        """
        steps, warmup = self.config.steps, self.config.warmup_steps
        due = 0 if self.budget is None else int(self.budget.share * steps)
        warm = min(1.0, (step + 1) / warmup) if warmup else 1.0
        return warm * warmup_cosine(max(step, due, warmup), warmup, steps)

    def on_validation_epoch_start(self) -> None:
        """Forget the counts of the pass before."""
        self.seen = MaskCounts.zero(self.config.model.classes)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Count dies at threshold 0.5 where the truth is known, and score the labels."""
        out: WaferOutput = self.ema(batch.dies, batch.fold)
        known = (batch.target >= 0) & (batch.dies == 2)[:, None]
        preds = (out.mask_logits >= 0) & known
        truth = (batch.target == 1) & known
        axes = (0, 2, 3)
        self.seen = self.seen + MaskCounts(
            *(t.sum(dim=axes).cpu().numpy().astype(np.int64) for t in (preds & truth, preds, truth))
        )
        labels_right = ((out.pattern_logits >= 0) == (batch.patterns == 1)).all(dim=1).float()
        self.log("val/labels_exact", labels_right.mean(), batch_size=len(batch.dies))

    def on_validation_epoch_end(self) -> None:
        """Log pooled die IoU per class and its mean."""
        iou = die_iou(self.seen)
        for name, value in zip(DEFAULT_TAXONOMY.class_names, iou, strict=False):
            if not math.isnan(value):
                self.log(f"val/iou_{name}", float(value))
        self.log("val/iou_mean", float(np.nanmean(iou)) if np.isfinite(iou).any() else 0.0)


def decayed_groups(part: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return what learns of a part of the network: weights with decay, biases and norms without."""
    learning = [p for p in part.parameters() if p.requires_grad]
    return [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]


def loss_terms(out: WaferOutput, batch: Batch, config: LossConfig) -> dict[str, Tensor]:
    """Return the weighted loss terms of a batch, reckoned in single precision whatever the run."""
    out = WaferOutput(*(part.float() for part in out))
    fail = batch.dies == 2
    known = (batch.target >= 0).to(out.mask_logits.dtype)
    on_fail = known * fail[:, None]
    weight = on_fail + config.passing * (known - on_fail)
    return {
        "focal": config.focal
        * focal_loss(out.mask_logits, batch.target, weight, config.focal_gamma),
        "dice": config.dice * dice_loss(out.mask_logits, batch.target, on_fail),
        "bag": config.bag * bag_loss(out.mask_logits, batch.bag, fail),
        "patterns": config.patterns
        * pattern_loss(out.pattern_logits, batch.patterns, batch.weight, config.label_smoothing),
    }


def warmup_cosine(step: int, warmup: int, steps: int) -> float:
    """Return the share of the peak learning rate at a step.

    >>> [round(warmup_cosine(s, 10, 110), 3) for s in (0, 9, 60, 110)]
    [0.1, 1.0, 0.5, 0.0]
    """
    if step < warmup:
        return (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return 0.5 * (1.0 + math.cos(math.pi * done))


def ema_update(decay: float) -> Any:
    """Return the update of `AveragedModel`: short memory first, ``decay`` later."""

    @torch.no_grad()
    def update(mean: list[Tensor], now: list[Tensor], count: Tensor) -> None:
        seen = float(count)
        weight = 1.0 - min(decay, (1.0 + seen) / (10.0 + seen))
        for old, new in zip(mean, now, strict=True):
            if old.is_floating_point():
                old.lerp_(new.to(old.dtype), weight)
            else:
                old.copy_(new)

    return update
