"""Named training runs: each function returns the whole of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from waferscope.errors import ConfigError
from waferscope.ml.config import Bucket, Mix, TrainConfig
from waferscope.ml.model import ModelConfig


def released(data: Path | None) -> TrainConfig:
    """ResNet-50 on everything: the run behind the model file that ships (CPU, about two hours)."""
    buckets = (
        Bucket(32, 48, 0.75, 0.35, Mix(synth=0.4, real=0.4, composed=0.2)),
        Bucket(64, 24, 0.24, 0.58, Mix(synth=0.25, real=0.2, mixed=0.35, composed=0.2)),
        Bucket(96, 10, 0.01, 0.04, Mix(synth=0.5, real=0.3, composed=0.2)),
        Bucket(160, 4, 0.0, 0.03, Mix(synth=0.6, real=0.3, composed=0.1)),
    )
    return TrainConfig(
        name="released",
        buckets=_usable(buckets, data),
        data=data,
        steps=2600,
        ema_decay=0.995,
        threads=2,
    )


def refined(data: Path | None) -> TrainConfig:
    """Go on with a first model: larger batches, thin lines, fields and mixtures more often."""
    buckets = (
        Bucket(32, 64, 0.42, 0.36, Mix(synth=0.42, real=0.38, composed=0.2)),
        Bucket(64, 32, 0.53, 0.57, Mix(synth=0.44, real=0.14, mixed=0.3, composed=0.12)),
        Bucket(96, 14, 0.03, 0.04, Mix(synth=0.65, real=0.25, composed=0.1)),
        Bucket(160, 5, 0.02, 0.03, Mix(synth=0.7, real=0.2, composed=0.1)),
    )
    return TrainConfig(
        name="refined",
        buckets=_usable(buckets, data),
        data=data,
        steps=3800,
        round_steps=100,
        validate_rounds=10,
        learning_rate=8.0e-4,
        warmup_steps=150,
        ema_decay=0.997,
        seed=1,
        threads=1,
        start_from=Path("runs/released/last.ckpt"),
    )


def quick(data: Path | None) -> TrainConfig:
    """ResNet-18, ten minutes on two cores: for trying an idea."""
    buckets = (
        Bucket(32, 48, 0.7, 0.5, Mix(synth=0.4, real=0.4, composed=0.2)),
        Bucket(64, 24, 0.3, 0.5, Mix(synth=0.3, real=0.2, mixed=0.35, composed=0.15)),
    )
    return TrainConfig(
        name="quick",
        model=ModelConfig(depth=18),
        buckets=_usable(buckets, data),
        data=data,
        steps=600,
    )


def smoke(data: Path | None) -> TrainConfig:
    """ResNet-18 for a few steps on tiny synthetic batches: to see the machinery turn."""
    del data
    model = ModelConfig(depth=18, decoder=(32, 24, 16, 12, 8), fine=8, embedding=32)
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


RECIPES: dict[str, Callable[[Path | None], TrainConfig]] = {
    "released": released,
    "refined": refined,
    "quick": quick,
    "smoke": smoke,
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


def _usable(buckets: tuple[Bucket, ...], data: Path | None) -> tuple[Bucket, ...]:
    """Without real wafers every batch is synthetic."""
    return buckets if data is not None else tuple(replace(b, mix=Mix()) for b in buckets)
