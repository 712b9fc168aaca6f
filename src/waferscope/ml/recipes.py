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
from waferscope.ml.model import ModelConfig
from waferscope.ml.selection import Selection

ADAPT_CELLS: Final = 16 * 64 * 64
"""Most cells in a batch of `adapt`, of at most 24 wafers: a step stays within seconds on a CPU."""


def released(data: Path | None) -> TrainConfig:
    """ResNet-50 on everything: the run that all later ones began with (CPU, two hours)."""
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
        steps=4000,
        round_steps=100,
        validate_rounds=10,
        learning_rate=8.0e-4,
        warmup_steps=150,
        ema_decay=0.997,
        seed=1,
        threads=1,
        start_from=Path("runs/released/last.ckpt"),
    )


def widened(data: Path | None) -> TrainConfig:
    """Go on with `refined` on larger grids: one of 120 dies a side counts as sixteen of 30."""
    buckets = (
        Bucket(32, 64, 0.28, 0.24, Mix(synth=0.4, real=0.4, composed=0.2)),
        Bucket(64, 32, 0.46, 0.44, Mix(synth=0.46, real=0.12, mixed=0.3, composed=0.12)),
        Bucket(96, 14, 0.10, 0.12, Mix(synth=0.75, real=0.17, composed=0.08)),
        Bucket(128, 8, 0.13, 0.16, Mix(synth=0.85, real=0.12, composed=0.03)),
        Bucket(160, 5, 0.03, 0.04, Mix(synth=0.8, real=0.2)),
    )
    return TrainConfig(
        name="widened",
        buckets=_usable(buckets, data),
        data=data,
        steps=1750,
        round_steps=100,
        validate_rounds=9,
        learning_rate=5.0e-4,
        warmup_steps=50,
        ema_decay=0.995,
        seed=2,
        threads=1,
        start_from=Path("runs/refined/last.ckpt"),
    )


def dense(data: Path | None) -> TrainConfig:
    """Go on with the model that ships, on dense mixtures, large grids and noise, by the clock.

    In bf16: with AMX or ``avx512_bf16`` a step takes a fraction of what it takes otherwise.
    """
    buckets = (
        Bucket(32, 64, 0.22, 0.22, Mix(synth=0.4, real=0.38, composed=0.16, noise=0.06)),
        Bucket(64, 32, 0.58, 0.58, Mix(synth=0.44, real=0.1, mixed=0.28, composed=0.1, noise=0.08)),
        Bucket(96, 14, 0.09, 0.09, Mix(synth=0.66, real=0.12, composed=0.06, noise=0.16)),
        Bucket(128, 10, 0.08, 0.08, Mix(synth=0.84, real=0.1, composed=0.03, noise=0.03)),
        Bucket(160, 6, 0.03, 0.03, Mix(synth=0.8, real=0.2)),
    )
    return TrainConfig(
        name="dense",
        buckets=_usable(buckets, data),
        data=data,
        steps=9000,
        round_steps=200,
        validate_rounds=100,
        learning_rate=6.0e-4,
        warmup_steps=40,
        ema_decay=0.997,
        seed=3,
        threads=2,
        precision="bf16-mixed",
        start_from=find_model(),
        minutes=115.0,
    )


def mingled(data: Path | None) -> TrainConfig:
    """Go on with the model that ships on synthetic mixtures, of small and large grids most.

    On one core, by the clock: two runs side by side see more wafers than one on two threads.
    """
    buckets = (
        Bucket(32, 64, 0.26, 0.26, Mix(synth=0.56, real=0.26, composed=0.12, noise=0.06)),
        Bucket(
            64, 32, 0.44, 0.44, Mix(synth=0.62, real=0.08, mixed=0.16, composed=0.08, noise=0.06)
        ),
        Bucket(96, 14, 0.13, 0.13, Mix(synth=0.78, real=0.08, composed=0.06, noise=0.08)),
        Bucket(128, 10, 0.15, 0.15, Mix(synth=0.88, real=0.1, noise=0.02)),
        Bucket(160, 6, 0.02, 0.02, Mix(synth=0.8, real=0.2)),
    )
    return replace(
        dense(data),
        name="mingled",
        buckets=_usable(buckets, data),
        counts=(0.1, 0.3, 0.32, 0.19, 0.09),
        steps=4000,
        learning_rate=5.0e-4,
        ema_decay=0.995,
        seed=4,
        threads=1,
        precision="32-true",
        minutes=102.0,
    )


def blended(data: Path | None) -> TrainConfig:
    """Go on with `mingled`: its grids and mixtures, as many real and composed wafers as `dense`."""
    buckets = (
        Bucket(32, 64, 0.25, 0.25, Mix(synth=0.46, real=0.34, composed=0.14, noise=0.06)),
        Bucket(64, 32, 0.46, 0.46, Mix(synth=0.46, real=0.1, mixed=0.28, composed=0.1, noise=0.06)),
        Bucket(96, 14, 0.12, 0.12, Mix(synth=0.68, real=0.12, composed=0.1, noise=0.1)),
        Bucket(128, 10, 0.14, 0.14, Mix(synth=0.76, real=0.12, composed=0.08, noise=0.04)),
        Bucket(160, 6, 0.03, 0.03, Mix(synth=0.7, real=0.2, composed=0.1)),
    )
    return replace(
        mingled(data),
        name="blended",
        buckets=_usable(buckets, data),
        seed=5,
        start_from=Path("runs/mingled/last.ckpt"),
        minutes=96.0,
    )


def branch(data: Path | None) -> TrainConfig:
    """Go on with the model that ships on one core: one of several runs, by seed, to average."""
    return replace(
        blended(data),
        name="branch",
        steps=6000,
        learning_rate=6.0e-4,
        ema_decay=0.997,
        seed=6,
        precision="bf16-mixed",
        start_from=find_model(),
        minutes=105.0,
    )


def branch_wide(data: Path | None) -> TrainConfig:
    """`branch` with large grids and noise more often: to be averaged with runs of `branch`."""
    buckets = (
        Bucket(32, 64, 0.18, 0.18, Mix(synth=0.46, real=0.32, composed=0.14, noise=0.08)),
        Bucket(64, 32, 0.37, 0.37, Mix(synth=0.46, real=0.1, mixed=0.26, composed=0.1, noise=0.08)),
        Bucket(96, 14, 0.17, 0.17, Mix(synth=0.68, real=0.12, composed=0.1, noise=0.1)),
        Bucket(128, 10, 0.24, 0.24, Mix(synth=0.76, real=0.12, composed=0.08, noise=0.04)),
        Bucket(160, 6, 0.04, 0.04, Mix(synth=0.7, real=0.2, composed=0.1)),
    )
    return replace(
        branch(data),
        name="branch_wide",
        buckets=_usable(buckets, data),
        seed=7,
        minutes=96.0,
    )


def branch_real(data: Path | None) -> TrainConfig:
    """Go on with `branch_wide` on real wafers most: to be averaged with runs of `branch`."""
    buckets = (
        Bucket(32, 64, 0.25, 0.25, Mix(synth=0.28, real=0.58, composed=0.1, noise=0.04)),
        Bucket(64, 32, 0.55, 0.55, Mix(synth=0.24, real=0.2, mixed=0.44, composed=0.1, noise=0.02)),
        Bucket(96, 14, 0.1, 0.1, Mix(synth=0.5, real=0.26, composed=0.2, noise=0.04)),
        Bucket(128, 10, 0.08, 0.08, Mix(synth=0.6, real=0.28, composed=0.1, noise=0.02)),
        Bucket(160, 6, 0.02, 0.02, Mix(synth=0.6, real=0.3, composed=0.1)),
    )
    return replace(
        branch(data),
        name="branch_real",
        buckets=_usable(buckets, data),
        seed=9,
        start_from=Path("runs/branch_wide/last.ckpt"),
        minutes=54.0,
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


def supervised(data: Path | None) -> TrainConfig:
    """ResNet-18 on labels alone, WM-811K and synthetic wafers: what `fixmatch` is held against."""
    buckets = (
        Bucket(32, 64, 0.5, 0.45, Mix(synth=0.3, real=0.7)),
        Bucket(64, 24, 0.5, 0.55, Mix(synth=0.3, real=0.7)),
    )
    return TrainConfig(
        name="supervised",
        model=ModelConfig(depth=18, decoder=(128, 96, 64, 24, 16)),
        buckets=_usable(buckets, data),
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


def released_gpu(data: Path | None) -> TrainConfig:
    """`released` for one large GPU: bf16, compiled, fed by many workers, over in 25 minutes."""
    buckets = (
        Bucket(32, 1024, 0.42, 0.34, Mix(synth=0.42, real=0.38, composed=0.2)),
        Bucket(64, 512, 0.53, 0.56, Mix(synth=0.4, real=0.16, mixed=0.3, composed=0.14)),
        Bucket(96, 224, 0.03, 0.06, Mix(synth=0.6, real=0.28, composed=0.12)),
        Bucket(160, 80, 0.02, 0.04, Mix(synth=0.7, real=0.2, composed=0.1)),
    )
    return TrainConfig(
        name="released_gpu",
        buckets=_usable(buckets, data),
        data=data,
        steps=8000,
        round_steps=400,
        validate_rounds=5,
        validation_wafers=2048,
        learning_rate=2.0e-3,
        warmup_steps=300,
        ema_decay=0.999,
        workers=14,
        compile=True,
        precision="bf16-mixed",
        minutes=21.0,
    )


def transfer(data: Path | None) -> TrainConfig:
    """`refined` without a label of MixedWM38: single patterns, and mixtures composed of them."""
    buckets = (
        Bucket(32, 64, 0.42, 0.36, Mix(synth=0.34, real=0.34, composed=0.32)),
        Bucket(64, 32, 0.53, 0.57, Mix(synth=0.3, real=0.25, composed=0.45)),
        Bucket(96, 14, 0.03, 0.04, Mix(synth=0.6, real=0.25, composed=0.15)),
        Bucket(160, 5, 0.02, 0.03, Mix(synth=0.7, real=0.2, composed=0.1)),
    )
    return replace(
        refined(data),
        name="transfer",
        buckets=_usable(buckets, data),
        selection=Selection(mixed=False),
        start_from=None,
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
    "quick": quick,
    "smoke": smoke,
    "supervised": supervised,
    "fixmatch": fixmatch,
    "released_gpu": released_gpu,
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


def _usable(buckets: tuple[Bucket, ...], data: Path | None) -> tuple[Bucket, ...]:
    """Without real wafers every batch is synthetic."""
    return buckets if data is not None else tuple(replace(b, mix=Mix()) for b in buckets)
