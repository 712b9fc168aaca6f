"""Losses over die masks and pattern labels, where much of the truth is unknown.

Shapes: B batch, C classes, P patterns, H and W the canvas. ``target`` is int8 [B, C, H, W]: 1 in
the zone, 0 outside, -1 unknown (never scored). Sources: Lin et al., "Focal Loss for Dense Object
Detection", ICCV 2017; Milletari et al., "V-Net", 3DV 2016 (Dice).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

BAG_SHARE = 0.05
"""Share of the failing dies that a present class must claim at least."""
BAG_DIES = 4


def focal_loss(logits: Tensor, target: Tensor, weight: Tensor, gamma: float) -> Tensor:
    """Return the class-balanced focal loss of dies, a scalar.

    ``weight`` [B, C, H, W] is 0 where the truth is unknown; ``target`` may hold shares. Each class
    is scaled by its own positives, and a class without known dies does not count.
    """
    truth = target.clamp(min=0).to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    missed = torch.abs(truth - torch.sigmoid(logits))
    loss = loss * missed.pow(gamma) * weight
    known = weight.sum(dim=(0, 2, 3))
    scale = (weight * truth).sum(dim=(0, 2, 3)) + 0.05 * known
    per_class = loss.sum(dim=(0, 2, 3)) / scale.clamp(min=1.0)
    return per_class.sum() / (known > 0).sum().clamp(min=1)


def dice_loss(logits: Tensor, target: Tensor, weight: Tensor, smooth: float = 5.0) -> Tensor:
    """Return 1 - Dice pooled over the batch, mean over the classes with known dies, a scalar.

    ``target`` may hold shares; a die counts by its ``weight``.
    """
    truth = target.clamp(min=0).to(logits.dtype) * weight
    probs = torch.sigmoid(logits)
    both = (probs * truth).sum(dim=(0, 2, 3))
    total = (probs * weight).sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    per_class = 1.0 - (2.0 * both + smooth) / (total + smooth)
    known = weight.sum(dim=(0, 2, 3)) > 0
    return (per_class * known).sum() / known.sum().clamp(min=1)


def bag_loss(logits: Tensor, bag: Tensor, fail: Tensor) -> Tensor:
    """Return the multiple-instance loss: a class known to be present marks some failing dies.

    ``bag`` [B, C] is 1 where the class is present at unknown dies; ``fail`` is bool [B, H, W].
    The mean of the surest failing dies (5 % of them, at least four) must be high.
    """
    if not bool(bag.any()):
        return logits.sum() * 0.0
    flat = torch.sigmoid(logits).flatten(2).masked_fill(~fail.flatten(1)[:, None], 0.0)
    counts = fail.sum(dim=(1, 2))
    most = int((counts.max().item() * BAG_SHARE) + BAG_DIES)
    top = flat.topk(min(most, flat.shape[2]), dim=2).values  # [B, C, most]
    wanted = (counts * BAG_SHARE).clamp(min=BAG_DIES).minimum(counts.clamp(min=1))
    rank = torch.arange(top.shape[2], device=top.device)
    chosen = (rank[None, :] < wanted[:, None]).to(top.dtype)[:, None]
    sure = (top * chosen).sum(2) / chosen.sum(2).clamp(min=1.0)
    return -(torch.log(sure.clamp(min=1.0e-4)) * bag).sum() / bag.sum()


def pattern_loss(logits: Tensor, target: Tensor, weight: Tensor, smoothing: float) -> Tensor:
    """Return the mean binary cross-entropy over known labels, a scalar.

    ``target`` [B, P] holds 1, 0 or -1 (unknown), ``weight`` [B] scales each wafer.
    """
    known = (target >= 0).to(logits.dtype) * weight[:, None]
    truth = target.clamp(min=0).to(logits.dtype) * (1.0 - 2.0 * smoothing) + smoothing
    loss = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1.0)


def drift_loss(logits: Tensor, known: Tensor) -> Tensor:
    """Return how far label probabilities have gone from those of a teacher, a scalar.

    Both are logits [B, P]; the Kullback-Leibler divergence of each label, summed over labels, mean
    over wafers: 0 where nothing moved. Source: Hinton et al., "Distilling the Knowledge in a Neural
    Network", 2015.
    """
    truth = torch.sigmoid(known)
    away = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    least = F.binary_cross_entropy_with_logits(known, truth, reduction="none")
    return (away - least).sum(dim=1).mean()
