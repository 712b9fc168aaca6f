"""The pattern head fitted anew, on real labels alone, while the rest of the network stands still.

Masks are learned from many sources, most of which say little of how people label whole wafers. Once
they are learned, the head that names patterns is fitted by itself: what it reads is computed once
for every labelled wafer and kept, so that thousands of steps take minutes.
Shapes: N wafers of one canvas, K channels, P patterns, h and w the canvas over `STRIDE`.
Source: Kang et al., "Decoupling Representation and Classifier", ICLR 2020.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from waferscope.errors import ConfigError
from waferscope.infer.batching import plan_batches, stack
from waferscope.infer.fold import fold_rates
from waferscope.ml.corpus import MIXED_FILE, REAL_FILE
from waferscope.ml.data import LabelledWafer, WaferSet, load_wafer_set, pattern_target
from waferscope.ml.model import STRIDE, WaferNet
from waferscope.ml.sources import RUN_NOTE, note_beginning
from waferscope.ml.task import ABOUT
from waferscope.ml.train import AVERAGED, LAST, load_network

Ints = npt.NDArray[np.intp]
RECIPE: Final = "refit"


@dataclass(frozen=True, slots=True)
class RefitConfig:
    """How the head is fitted.

    Every set of wafers is drawn as often as any other, and a label of n wafers as often as
    ``n ** (1 - balance)`` says: 0 as they come, 1 all alike.
    """

    steps: int = 4000
    batch: int = 128
    learning_rate: float = 1.0e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.01
    balance: float = 0.25
    dropout: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2 or not 0.0 <= self.balance <= 1.0:
            raise ConfigError(
                "Expected at least one step, batches of at least 2 and a balance of 0 to 1, got "
                f"{self.steps}, {self.batch} and {self.balance}. Correct them."
            )


@dataclass(frozen=True, eq=False)
class Kept:
    """What the head reads of wafers of one canvas.

    ``features`` float16 [N, K, h, w], ``share`` of dies on the wafer float16 [N, 1, h, w],
    ``labels`` float32 [N, P], ``weight`` float32 [N]; ``odds`` [N] of drawing each, summing to
    ``mass`` over all canvases of a set.
    """

    features: Tensor
    share: Tensor
    labels: Tensor
    weight: Tensor
    odds: npt.NDArray[np.float64]


def refit(checkpoint: Path, folder: Path, data: Path, config: RefitConfig | None = None) -> Path:
    """Fit the pattern head of a checkpoint to the real labels below ``data``.

    Return the new checkpoint's path, in ``folder``, with notes of where it comes from beside it.
    Raises ModelError for a file that is no checkpoint, ConfigError for data that is not there.
    """
    config = config or RefitConfig()
    net, about = load_network(checkpoint)
    sets = [load_wafer_set(data / file.format(split="train")) for file in (REAL_FILE, MIXED_FILE)]
    refit_patterns(net, sets, config)
    folder.mkdir(parents=True, exist_ok=True)
    mix = {"real": 0.5, "mixed": 0.5}
    note = {"buckets": [{"mix": mix}], "start_from": str(checkpoint), **asdict(config)}
    (folder / RUN_NOTE).write_text(json.dumps(note, indent=1), encoding="utf-8")
    note_beginning(folder, checkpoint)
    about |= {"recipe": RECIPE, "steps": config.steps, "seed": config.seed}
    weights = {f"{AVERAGED}{name}": tensor for name, tensor in net.state_dict().items()}
    torch.save({ABOUT: about, "state_dict": weights}, folder / LAST)
    return folder / LAST


def refit_patterns(
    net: WaferNet, sets: Sequence[WaferSet], config: RefitConfig | None = None
) -> WaferNet:
    """Fit the pattern head of ``net`` to the labels of ``sets``, in place; return the network.

    It starts from the head as it is. Masks do not change. Raises ConfigError without wafers.
    """
    config = config or RefitConfig()
    kept = [part for wafers in sets for part in keep_features(net, wafers.wafers, config.balance)]
    if not kept:
        raise ConfigError("Expected labelled wafers to fit the pattern head to, got none.")
    fit_head(net, kept, config)
    return net.eval()


def keep_features(net: WaferNet, wafers: Sequence[LabelledWafer], balance: float) -> list[Kept]:
    """Return what the pattern head reads of each wafer, canvas by canvas."""
    odds = label_odds([w.labels for w in wafers], balance)
    parts: dict[tuple[int, int], list[tuple[Ints, Tensor, Tensor]]] = {}
    read: list[Tensor] = []
    hook = net.pattern_features.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    try:
        for batch in plan_batches([w.dies.shape for w in wafers]):
            grids = [wafers[i].dies for i in batch.indices]
            dies = torch.from_numpy(stack(grids, batch.canvas))
            fold = torch.from_numpy(stack([fold_rates(g) for g in grids], batch.canvas))
            with torch.no_grad():
                net.eval()(dies, fold)
                share = F.avg_pool2d((dies > 0).float()[:, None], STRIDE)
            found = (np.array(batch.indices), read.pop().half(), share.half())
            parts.setdefault(batch.canvas, []).append(found)
    finally:
        hook.remove()
    return [_join([wafers[i] for p in some for i in p[0]], some, odds) for some in parts.values()]


def label_odds(labels: Iterable[tuple[str, ...]], balance: float) -> npt.NDArray[np.float64]:
    """Return the odds of drawing each wafer, summing to 1, by how many share its labels.

    >>> label_odds([("Loc",), (), (), (), ()], 0.5).round(3).tolist()
    [0.333, 0.167, 0.167, 0.167, 0.167]
    """
    _, kind, count = np.unique(
        [",".join(some) for some in labels], return_inverse=True, return_counts=True
    )
    odds: npt.NDArray[np.float64] = count[kind].astype(np.float64) ** -balance
    return odds / max(float(odds.sum()), 1.0e-12)


def fit_head(net: WaferNet, kept: Sequence[Kept], config: RefitConfig) -> None:
    """Fit `WaferNet.pattern_features` and `WaferNet.pattern_head` to what was kept."""
    head = nn.ModuleList((net.pattern_features, net.pattern_head)).train()
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    for weight in head.parameters():
        weight.requires_grad_(True)
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, config.steps, pct_start=0.05
    )
    mass = np.array([part.odds.sum() for part in kept])
    for _ in range(config.steps):
        part = kept[int(rng.choice(len(kept), p=mass / mass.sum()))]
        drawn = rng.choice(len(part.odds), config.batch, p=part.odds / part.odds.sum())
        loss = _loss(net, part, torch.from_numpy(drawn), config)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()


def _loss(net: WaferNet, part: Kept, drawn: Tensor, config: RefitConfig) -> Tensor:
    share = part.share[drawn].float()
    patterns = net.pattern_features(part.features[drawn].float())
    pooled = (patterns * share).sum(dim=(2, 3)) / share.sum(dim=(2, 3)).clamp(min=1.0e-6)
    logits = net.pattern_head(F.dropout(pooled, config.dropout))
    smooth = config.label_smoothing
    truth = part.labels[drawn] * (1.0 - 2.0 * smooth) + smooth
    each = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(dim=1)
    weight = part.weight[drawn]
    return (each * weight).sum() / weight.sum().clamp(min=1.0e-6)


def _join(
    wafers: Sequence[LabelledWafer],
    parts: Sequence[tuple[Ints, Tensor, Tensor]],
    odds: npt.NDArray[np.float64],
) -> Kept:
    truth = np.stack([pattern_target(w.labels) for w in wafers]).astype(np.float32)
    return Kept(
        features=torch.cat([p[1] for p in parts]),
        share=torch.cat([p[2] for p in parts]),
        labels=torch.from_numpy(truth),
        weight=torch.tensor([w.weight for w in wafers], dtype=torch.float32),
        odds=odds[np.concatenate([p[0] for p in parts])],
    )
