"""Named training runs: each function returns the whole of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from waferscope.errors import ConfigError
from waferscope.infer.batching import canvas_shape
from waferscope.infer.model_file import find_model
from waferscope.ml.annotated import read_annotated
from waferscope.ml.config import AdaptConfig, Bucket, Mix, SemiConfig, TrainConfig
from waferscope.ml.corpus import TEXTBOOK_SIDE
from waferscope.ml.model import ModelConfig
from waferscope.ml.released_runs import (
    blended,
    branch,
    branch_real,
    branch_wide,
    dense,
    glance,
    glance_masks,
    glance_more,
    mingled,
    refined,
    released,
    released_gpu,
    sketch,
    sketch_more,
    usable,
    widened,
)
from waferscope.ml.selection import Selection

ADAPT_CELLS: Final = 16 * 64 * 64
"""Most cells in a batch of `adapt`, of at most 24 wafers: a step stays within seconds on a CPU."""


def quick(data: Path | None) -> TrainConfig:
    """ResNet-18, ten minutes on two cores: for trying an idea."""
    buckets = (
        Bucket(32, 48, 0.7, 0.5, Mix(synth=0.4, real=0.4, composed=0.2)),
        Bucket(64, 24, 0.3, 0.5, Mix(synth=0.3, real=0.2, mixed=0.35, composed=0.15)),
    )
    return TrainConfig(
        name="quick",
        model=ModelConfig(depth=18, glance=0),
        buckets=usable(buckets, data),
        data=data,
        steps=600,
    )


def smoke(data: Path | None) -> TrainConfig:
    """ResNet-18 for a few steps on tiny synthetic batches: to see the machinery turn."""
    del data
    widths = (32, 24, 16, 12, 8)
    model = ModelConfig(
        depth=18, decoder=widths, fine=8, embedding=32, glance=8, sketch=(16, 16, 12, 8, 8)
    )
    return TrainConfig(
        name="smoke",
        model=model,
        buckets=(Bucket(32, 4, 1.0, 1.0, Mix()),),
        steps=4,
        round_steps=2,
        validate_rounds=1,
        validation_wafers=8,
        workers=0,
        warmup_steps=2,
    )


def supervised(data: Path | None) -> TrainConfig:
    """ResNet-18 on labels alone, WM-811K and synthetic wafers: what `fixmatch` is held against."""
    buckets = (
        Bucket(32, 64, 0.5, 0.45, Mix(synth=0.3, real=0.7)),
        Bucket(64, 24, 0.5, 0.55, Mix(synth=0.3, real=0.7)),
    )
    return TrainConfig(
        name="supervised",
        model=ModelConfig(depth=18, decoder=(128, 96, 64, 24, 16), glance=0),
        buckets=usable(buckets, data),
        data=data,
        steps=800,
        round_steps=50,
        validate_rounds=8,
        ema_decay=0.99,
        threads=1,
        selection=Selection(mixed=False),
    )


def fixmatch(data: Path | None) -> TrainConfig:
    """`supervised` with unlabelled wafers on top: for runs that keep a fraction of the labels."""
    plain = supervised(data)
    return replace(plain, name="fixmatch", semi=SemiConfig())


def few_labels(data: Path | None) -> TrainConfig:
    """Train the label branch on labels of WM-811K: what `few_fixmatch` is held against."""
    buckets = (
        Bucket(32, 32, 1.0, 1.0, Mix(synth=0.1, real=0.86, noise=0.04)),
        Bucket(64, 32, 1.0, 1.0, Mix(synth=0.1, real=0.88, noise=0.02)),
    )
    return replace(
        glance(data),
        name="few_labels",
        buckets=usable(buckets, data),
        selection=Selection(mixed=False),
        steps=1500,
        ema_decay=0.995,
        start_from=None,
        minutes=None,
    )


def few_fixmatch(data: Path | None) -> TrainConfig:
    """`few_labels` with unlabelled wafers on top, one and a half for each labelled one."""
    semi = SemiConfig(ratio=1.5, weight=1.0)
    return replace(few_labels(data), name="few_fixmatch", semi=semi)


def mixtures(data: Path | None) -> TrainConfig:
    """`glance` from nothing for half an hour, on mixtures most: for combinations left out."""
    buckets = (
        Bucket(32, 24, 1.0, 1.0, Mix(synth=0.05, real=0.85, composed=0.1)),
        Bucket(64, 104, 1.0, 1.0, Mix(synth=0.05, real=0.15, mixed=0.7, composed=0.1)),
    )
    return replace(
        glance(data),
        name="mixtures",
        buckets=usable(buckets, data),
        start_from=None,
        minutes=32.0,
    )


def transfer(data: Path | None) -> TrainConfig:
    """Train a label branch for MixedWM38 without a wafer of it: on textbook wafers alone."""
    del data
    return replace(
        glance(None),
        name="transfer",
        buckets=(Bucket(TEXTBOOK_SIDE, 128, 1.0, 1.0, Mix(synth=0.0, textbook=1.0)),),
        strong=None,
        start_from=None,
        minutes=25.0,
    )


def adapt(data: Path | None) -> TrainConfig:
    """Bend the released model to a new product: ``data`` holds some 50 annotated wafers of it."""
    if data is None:
        raise ConfigError(
            "Expected a folder of annotated wafers to adapt to, got none. "
            "Give it with --data; docs/training.md says what may be in it."
        )
    sides = Counter(max(canvas_shape(s.dies.shape)) for s in read_annotated(data))
    total = sum(sides.values())
    mix = Mix(synth=0.4, annotated=0.6)
    buckets = tuple(
        Bucket(side, max(2, min(24, ADAPT_CELLS // side**2)), count / total, count / total, mix)
        for side, count in sorted(sides.items())
    )
    return TrainConfig(
        name="adapt",
        buckets=buckets,
        annotated=data,
        adapt=AdaptConfig(),
        steps=240,
        round_steps=40,
        validate_rounds=6,
        validation_wafers=48,
        learning_rate=3.0e-4,
        warmup_steps=20,
        ema_decay=0.98,
        start_from=find_model(),
    )


RECIPES: dict[str, Callable[[Path | None], TrainConfig]] = {
    "released": released,
    "refined": refined,
    "widened": widened,
    "dense": dense,
    "mingled": mingled,
    "blended": blended,
    "branch": branch,
    "branch_wide": branch_wide,
    "branch_real": branch_real,
    "glance": glance,
    "glance_more": glance_more,
    "glance_masks": glance_masks,
    "sketch": sketch,
    "sketch_more": sketch_more,
    "quick": quick,
    "smoke": smoke,
    "supervised": supervised,
    "fixmatch": fixmatch,
    "released_gpu": released_gpu,
    "few_labels": few_labels,
    "few_fixmatch": few_fixmatch,
    "mixtures": mixtures,
    "transfer": transfer,
    "adapt": adapt,
}


def build_recipe(name: str, data: Path | None = None) -> TrainConfig:
    """Return a named run; raise ConfigError for an unknown name.

    >>> build_recipe("quick").model.depth
    18
    """
    if name not in RECIPES:
        raise ConfigError(
            f"Expected a recipe of {', '.join(RECIPES)}, got {name!r}. Choose one of them."
        )
    return RECIPES[name](data)
