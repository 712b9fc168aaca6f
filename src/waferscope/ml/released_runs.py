"""The runs that made the released files, one after the other: see docs/training.md.

Each is the whole of a run, kept so that a file can be made again from the one before it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from waferscope.infer.model_file import find_model
from waferscope.ml.augment import StrongConfig
from waferscope.ml.config import Bucket, LossConfig, Mix, TrainConfig
from waferscope.ml.model import ModelConfig


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
        buckets=usable(buckets, data),
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
        buckets=usable(buckets, data),
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
        buckets=usable(buckets, data),
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
        buckets=usable(buckets, data),
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
        buckets=usable(buckets, data),
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
        buckets=usable(buckets, data),
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
        buckets=usable(buckets, data),
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
        buckets=usable(buckets, data),
        seed=9,
        start_from=Path("runs/branch_wide/last.ckpt"),
        minutes=54.0,
    )


def glance(data: Path | None) -> TrainConfig:
    """Train a label branch beside the model that ships: its decoder stays as it is."""
    buckets = (
        Bucket(32, 40, 1.0, 1.0, Mix(synth=0.08, real=0.76, composed=0.08, noise=0.08)),
        Bucket(64, 76, 1.0, 1.0, Mix(synth=0.07, real=0.3, mixed=0.53, composed=0.08, noise=0.02)),
        Bucket(96, 8, 1.0, 1.0, Mix(synth=0.13, real=0.74, composed=0.13)),
        Bucket(128, 2, 1.0, 1.0, Mix(synth=0.5, real=0.5)),
        Bucket(160, 2, 1.0, 1.0, Mix(synth=0.5, real=0.5)),
    )
    return TrainConfig(
        name="glance",
        buckets=usable(buckets, data),
        data=data,
        steps=10_000,
        round_steps=250,
        validate_rounds=100,
        learning_rate=2.0e-3,
        weight_decay=0.05,
        warmup_steps=200,
        ema_decay=0.999,
        threads=1,
        precision="bf16-mixed",
        strong=StrongConfig(share=0.6, most_false=0.03, most_missed=0.1, pasted=0.0),
        glance=True,
        start_from=find_model(),
        minutes=108.0,
    )


def glance_more(data: Path | None) -> TrainConfig:
    """Go on with `glance` at a lower rate, on mixtures most: they were still being learned."""
    buckets = (
        Bucket(32, 36, 1.0, 1.0, Mix(synth=0.06, real=0.82, composed=0.06, noise=0.06)),
        Bucket(64, 80, 1.0, 1.0, Mix(synth=0.05, real=0.24, mixed=0.65, composed=0.05, noise=0.01)),
        Bucket(96, 8, 1.0, 1.0, Mix(synth=0.13, real=0.74, composed=0.13)),
        Bucket(128, 2, 1.0, 1.0, Mix(synth=0.5, real=0.5)),
        Bucket(160, 2, 1.0, 1.0, Mix(synth=0.5, real=0.5)),
    )
    return replace(
        glance(data),
        name="glance_more",
        buckets=usable(buckets, data),
        learning_rate=1.5e-3,
        seed=1,
        start_from=Path("runs/glance/last.ckpt"),
        minutes=96.0,
    )


def glance_masks(data: Path | None) -> TrainConfig:
    """Go on with the label branch that ships, on what masks are scored on too: they listen to it.

    Twice as many synthetic wafers and mixtures as in `glance_more`, and more of the large grids.
    """
    buckets = (
        Bucket(32, 34, 1.0, 1.0, Mix(synth=0.14, real=0.7, composed=0.1, noise=0.06)),
        Bucket(64, 74, 1.0, 1.0, Mix(synth=0.14, real=0.22, mixed=0.5, composed=0.12, noise=0.02)),
        Bucket(96, 12, 1.0, 1.0, Mix(synth=0.34, real=0.5, composed=0.16)),
        Bucket(128, 6, 1.0, 1.0, Mix(synth=0.66, real=0.34)),
        Bucket(160, 2, 1.0, 1.0, Mix(synth=0.5, real=0.5)),
    )
    return replace(
        glance(data),
        name="glance_masks",
        buckets=usable(buckets, data),
        learning_rate=1.2e-3,
        seed=2,
        minutes=72.0,
    )


def sketch(data: Path | None) -> TrainConfig:
    """Draw zones from what the label branch that ships sees: a second opinion on masks.

    All else stands still. Wafers of all sizes in one batch, each as a thumbnail.
    """
    mixed = Mix(synth=0.5, real=0.12, mixed=0.16, composed=0.18, noise=0.04)
    buckets = (
        Bucket(32, 40, 1.0, 1.0, Mix(synth=0.52, real=0.26, composed=0.16, noise=0.06)),
        Bucket(64, 66, 1.0, 1.0, mixed),
        Bucket(96, 13, 1.0, 1.0, Mix(synth=0.55, real=0.2, composed=0.2, noise=0.05)),
        Bucket(128, 6, 1.0, 1.0, Mix(synth=0.67, real=0.17, composed=0.16)),
        Bucket(160, 3, 1.0, 1.0, Mix(synth=0.34, real=0.33, composed=0.33)),
    )
    return TrainConfig(
        name="sketch",
        model=ModelConfig(sketch=(96, 80, 64, 40, 20)),
        loss=LossConfig(focal_gamma=1.0, passing=0.15),
        buckets=usable(buckets, data),
        data=data,
        steps=10_000,
        round_steps=100,
        validate_rounds=100,
        learning_rate=3.0e-3,
        warmup_steps=150,
        ema_decay=0.998,
        seed=31,
        threads=2,
        sketch=True,
        start_from=find_model(),
        minutes=62.0,
    )


def sketch_more(data: Path | None) -> TrainConfig:
    """Go on with the sketch that ships, its features learning too, near to the labels they gave.

    More large grids than in `sketch`, with real mixtures enlarged to them.
    """
    first = sketch(data)
    buckets = (
        Bucket(32, 36, 1.0, 1.0, Mix(synth=0.52, real=0.24, composed=0.18, noise=0.06)),
        Bucket(64, 58, 1.0, 1.0, Mix(synth=0.5, real=0.1, mixed=0.14, composed=0.22, noise=0.04)),
        Bucket(
            96, 16, 1.0, 1.0, Mix(synth=0.44, real=0.12, composed=0.2, enlarged=0.2, noise=0.04)
        ),
        Bucket(128, 10, 1.0, 1.0, Mix(synth=0.4, real=0.1, composed=0.2, enlarged=0.3)),
        Bucket(160, 8, 1.0, 1.0, Mix(synth=0.25, real=0.25, composed=0.25, enlarged=0.25)),
    )
    return replace(
        first,
        name="sketch_more",
        buckets=usable(buckets, data),
        loss=replace(first.loss, patterns=2.0),
        learning_rate=1.0e-3,
        warmup_steps=100,
        branch_rate=0.15,
        seed=41,
        minutes=80.0,
    )


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
        buckets=usable(buckets, data),
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


def usable(buckets: tuple[Bucket, ...], data: Path | None) -> tuple[Bucket, ...]:
    """Without real wafers every batch is synthetic."""
    return buckets if data is not None else tuple(replace(b, mix=Mix()) for b in buckets)
