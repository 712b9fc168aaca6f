"""Small wafers, networks, runs and data folders, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.ml.config import TrainConfig
from waferscope.ml.data import LabelledWafer
from waferscope.ml.model import ModelConfig, WaferNet
from waferscope.ml.recipes import smoke
from waferscope.ml.task import ABOUT, SegmentationTask
from waferscope.ml.train import AVERAGED, LAST

Dies = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

TINY: Final[ModelConfig] = smoke(None).model
CLASSES: Final = DEFAULT_TAXONOMY.class_names
PATTERNS: Final = DEFAULT_TAXONOMY.patterns
ALL_OVER: Final = ("Near-full", "Random")


def disc(rows: int, cols: int) -> tuple[Mask, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the dies of a round wafer, x and y, -1 to 1."""
    y = ((np.arange(rows) - (rows - 1) / 2) / (rows / 2))[:, None] * np.ones((1, cols))
    x = ((np.arange(cols) - (cols - 1) / 2) / (cols / 2))[None, :] * np.ones((rows, 1))
    return np.hypot(x, y) < 1, x, y


def draw_dies(
    rng: np.random.Generator, labels: Sequence[str] = (), shape: tuple[int, int] = (27, 27)
) -> Dies:
    """Return a wafer of 5 % background fails and a dense, plain zone for every label."""
    present, x, y = disc(*shape)
    rho = np.hypot(x, y)
    zones = {
        "Center": rho < 0.3,
        "Donut": (rho > 0.35) & (rho < 0.6),
        "Edge-Loc": (rho > 0.8) & (x > 0) & (y > 0),
        "Edge-Ring": rho > 0.85,
        "Loc": np.hypot(x - 0.5, y) < 0.22,
        "Near-full": np.ones(shape, bool),
        "Scratch": np.abs(x - y) < 0.09,
        "Random": np.ones(shape, bool),
    }
    chance = np.full(shape, 0.05)
    for label in labels:
        chance[zones[label]] = 0.5 if label == "Random" else 0.95
    dies: Dies = present.astype(np.uint8) + (present & (rng.random(shape) < chance))
    return dies


def labelled_wafer(
    rng: np.random.Generator, *labels: str, shape: tuple[int, int] = (27, 27), lot: int = 0
) -> LabelledWafer:
    """Return a wafer that shows its labels."""
    name = f"{'-'.join(labels) or 'none'}-{int(rng.integers(1 << 40)):x}"
    return LabelledWafer(draw_dies(rng, labels, shape), labels, name, str(lot))


def write_wafers(path: Path, wafers: Sequence[LabelledWafer], *, lots: bool = True) -> Path:
    """Write a labelled Parquet file in the documented columns."""
    columns = {
        "wafer_id": pa.array([w.wafer_id for w in wafers], pa.string()),
        "lot_group": pa.array([int(w.lot) for w in wafers], pa.int64()),
        "rows": pa.array([w.dies.shape[0] for w in wafers], pa.int16()),
        "cols": pa.array([w.dies.shape[1] for w in wafers], pa.int16()),
        "dies": pa.array([w.dies.tobytes() for w in wafers], pa.binary()),
        "patterns": pa.array([list(w.labels) for w in wafers], pa.list_(pa.string())),
    }
    if not lots:
        del columns["lot_group"]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def write_masks(
    path: Path,
    truths: Sequence[tuple[str, Mask, Mask]],
    classes: Sequence[str] = CLASSES,
) -> Path:
    """Write hand-checked masks, (wafer_id, masks, ignore) each, as bits one wafer after another."""
    np.savez(
        path,
        wafer_id=np.array([name for name, _, _ in truths]),
        shapes=np.array([ignore.shape for _, _, ignore in truths], np.int32),
        masks=np.concatenate([np.packbits(masks) for _, masks, _ in truths]),
        ignore=np.concatenate([np.packbits(ignore) for _, _, ignore in truths]),
        classes=np.array(classes),
    )
    return path


def write_data(folder: Path, rng: np.random.Generator) -> Path:
    """Write a whole data folder: four lots of WM-811K, MixedWM38, and masks of two classes."""
    kinds: list[tuple[str, ...]] = [(), ("Center",), ("Edge-Ring",), ("Random",)]
    real = [labelled_wafer(rng, *kinds[n % 4], lot=n // 4) for n in range(16)]
    mixtures: list[tuple[str, ...]] = [(), ("Center",), ("Center", "Edge-Ring")]
    mixed = [labelled_wafer(rng, *mixtures[n % 3], shape=(52, 52)) for n in range(9)]
    for split in ("train", "val"):
        write_wafers(folder / "wm811k" / f"{split}.parquet", real)
        write_wafers(folder / "mixedwm38" / f"{split}.parquet", mixed, lots=False)
    truths = []
    for wafer in real:
        if wafer.labels in [("Center",), ("Edge-Ring",)]:
            _, x, y = disc(*wafer.dies.shape)
            zones = np.zeros((len(CLASSES), *wafer.dies.shape), bool)
            zones[CLASSES.index("center")] = (np.hypot(x, y) < 0.3) & ("Center" in wafer.labels)
            zones[CLASSES.index("edge")] = (np.hypot(x, y) > 0.85) & ("Edge-Ring" in wafer.labels)
            fails = wafer.dies == 2
            truths.append((wafer.wafer_id, zones & fails, np.zeros_like(fails)))
    write_masks(folder / "wm811k" / "val_masks.npz", truths)
    return folder


def build_net(seed: int = 0, config: ModelConfig = TINY) -> WaferNet:
    """Return a network whose batch norms fit its activations, and whose masks are not empty.

    Its labels are likely enough that masks are hardly lessened by them, but for those that say
    that a wafer fails all over.
    """
    torch.manual_seed(seed)
    net = WaferNet(config)
    for head in (net.mask_head, net.sketch.head if net.sketch else net.mask_head):
        assert head.bias is not None
        nn.init.normal_(head.weight, std=0.5)
        nn.init.zeros_(head.bias)
    nn.init.constant_(net.pattern_head.bias, 2.0)
    for place, label in enumerate(PATTERNS[: config.patterns]):
        if label in ALL_OVER:
            nn.init.constant_(net.pattern_head.bias[place : place + 1], -9.0)
    if net.glance is not None:
        nn.init.zeros_(net.glance.head.bias)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.7, 1.3)
        nn.init.uniform_(norm.bias, -0.3, 0.3)
        norm.momentum = None
    rng = np.random.default_rng(seed)
    dies = np.stack([draw_dies(rng, [label], (64, 64)) for label in PATTERNS])
    with torch.no_grad():
        net(torch.from_numpy(dies), torch.from_numpy(rng.random(dies.shape, np.float32)))
    for norm in norms:
        norm.momentum = 0.1
    return net.eval()


def pooled_iou(one: Sequence[Mask], other: Sequence[Mask]) -> float:
    """Return the IoU of two lists of masks, all classes and wafers taken together."""
    both = sum(np.count_nonzero(a & b) for a, b in zip(one, other, strict=True))
    return both / sum(np.count_nonzero(a | b) for a, b in zip(one, other, strict=True))


def short_run() -> TrainConfig:
    """Return the smoke recipe with one thread and a dropout that is felt: two rounds."""
    return replace(smoke(None), model=replace(TINY, dropout=0.5), threads=1)


def write_checkpoint(folder: Path, net: WaferNet) -> Path:
    """Write a checkpoint of the tiny network, as a run leaves it."""
    about = {"model": asdict(TINY), "recipe": "smoke", "steps": 6, "seed": 2}
    about["data_fingerprint"] = "d" * 64
    state = {f"{AVERAGED}{name}": tensor for name, tensor in net.state_dict().items()}
    torch.save({ABOUT: about, "state_dict": state}, folder / LAST)
    return folder / LAST


def take_steps(task: SegmentationTask, batch: Any, count: int, rate: float) -> list[float]:
    """Take steps on one batch at a rate that stands still; return the losses before each."""
    optimizer = task.configure_optimizers()["optimizer"]
    losses = []
    for _ in range(count):
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = task.training_step(batch, 0)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return losses
