"""A training run as one frozen value; a recipe is a function that returns it whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from waferscope.errors import ConfigError
from waferscope.ml.augment import StrongConfig
from waferscope.ml.model import ModelConfig
from waferscope.ml.selection import Selection


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of a batch by where its wafers come from; scaled to a sum of 1.

    ``synth``: synthetic with exact masks; ``real``: WM-811K with labels and derived masks;
    ``mixed``: MixedWM38 with labels; ``composed``: real patterns laid over real ``none`` wafers;
    ``enlarged``: the same of 33 to 64 dies a side, without scratches, on the bucket's grid, which
    has to be larger;
    ``annotated``: wafers with masks that people drew; ``noise``: dies that fail independently;
    ``textbook``: plain shapes with the habits of MixedWM38, on canvases of 64.
    """

    synth: float = 1.0
    real: float = 0.0
    mixed: float = 0.0
    composed: float = 0.0
    annotated: float = 0.0
    noise: float = 0.0
    textbook: float = 0.0
    enlarged: float = 0.0

    def counts(self, size: int) -> dict[str, int]:
        """Return wafers per source in a batch of ``size``; rounding goes to the first source.

        >>> {name: count for name, count in Mix(synth=1, real=1).counts(5).items() if count}
        {'synth': 3, 'real': 2}
        """
        shares = asdict(self)
        total = sum(shares.values())
        if total <= 0 or min(shares.values()) < 0:
            raise ConfigError(
                f"Expected shares of at least 0 with a positive sum, got {shares}. Fix the recipe."
            )
        counts = {name: int(size * share / total) for name, share in shares.items()}
        first = next(name for name, share in shares.items() if share > 0)
        counts[first] += size - sum(counts.values())
        return counts


@dataclass(frozen=True, slots=True)
class Bucket:
    """Batches of one canvas: its ``side``, wafers per ``batch``, and how often it is drawn.

    ``share`` is its weight at the first step and ``final_share`` at the last: the curriculum.
    """

    side: int
    batch: int
    share: float
    final_share: float
    mix: Mix


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the loss terms; see `waferscope.ml.losses`.

    Where a label branch is held to a teacher, ``patterns`` weighs how far it has gone from it.
    """

    focal: float = 1.0
    focal_gamma: float = 1.5
    dice: float = 1.0
    bag: float = 0.2
    patterns: float = 1.0
    passing: float = 0.1
    label_smoothing: float = 0.02


@dataclass(frozen=True, slots=True)
class SemiConfig:
    """How unlabelled wafers are learned from (FixMatch); see `waferscope.ml.semi`.

    Each batch holds ``ratio`` unlabelled wafers per labelled one, on top of them: labels alone
    see as many labelled wafers in as many steps. The weight of their loss is 0 for the first
    ``wait`` of the run (a share of its steps), then grows over ``ramp`` to ``weight``.
    Pseudo-labels count from a confidence that starts at ``threshold`` for every class and follows
    the class's mean confidence with ``momentum``, but never falls below ``floor``; a pattern label
    is taught as present on the surest wafers, ``surest`` times as many as have it among the
    labelled ones, where the teacher gives it at least ``lowest``. With a
    ``feature_weight`` the weak view is learned from as well, a ``feature_dropout`` of the
    encoder's channels taken away.
    """

    ratio: float = 0.5
    weight: float = 0.5
    wait: float = 0.1
    ramp: float = 0.3
    threshold: float = 0.95
    floor: float = 0.7
    momentum: float = 0.98
    surest: float = 0.5
    lowest: float = 0.35
    feature_weight: float = 0.0
    feature_dropout: float = 0.5
    strong: StrongConfig = field(default_factory=StrongConfig)

    def __post_init__(self) -> None:
        if not 0.0 < self.ratio <= 8.0:
            raise ConfigError(
                "Expected more than 0 and at most 8 unlabelled wafers for each labelled one, "
                f"got {self.ratio}. Leave `semi` out of the recipe to train on labels alone."
            )
        if not 0.5 <= self.floor <= self.threshold < 1.0:
            raise ConfigError(
                "Expected 0.5 <= floor <= threshold < 1 for pseudo-labels, got "
                f"{self.floor} and {self.threshold}. Fix the recipe."
            )


@dataclass(frozen=True, slots=True)
class AdaptConfig:
    """How a trained network is bent to a new product; see `waferscope.ml.adapt`.

    The encoder stands still for the first ``frozen`` of the run (a share of its steps); then its
    stages ``thawed`` learn too, at ``rate`` times the learning rate. Batch norms keep what they
    have seen.
    """

    frozen: float = 0.5
    thawed: tuple[str, ...] = ("layer4",)
    rate: float = 0.2


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The whole of a training run.

    ``steps`` optimiser steps in rounds of ``round_steps``; a checkpoint closes each round, and a
    run that was killed goes on from the last one exactly as if it had not been. ``start_from`` is
    what this run's weights begin with: the checkpoint of an earlier run (its averaged weights) or
    a model file. ``selection`` says which labels may be used, ``strong`` asks for die-level
    augmentation of labelled wafers, ``semi`` for learning from unlabelled ones, ``adapt`` for a
    trained encoder that stands still. ``annotated`` is a folder of wafers with drawn masks,
    ``counts[n]`` the weight of synthetic wafers with n classes (the generator's own if left out).
    With ``glance`` the label branch alone learns, with ``sketch`` what draws zones from its
    features, each batch drawn from all buckets at once; with a ``branch_rate`` above 0 the label
    branch learns along, at that share of the learning rate.
    A run of ``minutes`` ends after that time if not by its steps, its learning rate lowered in
    time.
    """

    name: str
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    buckets: tuple[Bucket, ...] = (Bucket(32, 48, 1.0, 1.0, Mix()),)
    data: Path | None = None
    steps: int = 1000
    round_steps: int = 50
    validate_rounds: int = 20
    validation_wafers: int = 256
    learning_rate: float = 1.0e-3
    weight_decay: float = 0.02
    warmup_steps: int = 100
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    seed: int = 0
    workers: int = 1
    threads: int | None = None
    compile: bool = False
    precision: str = "32-true"
    encoder_weights: Path | None = None
    start_from: Path | None = None
    selection: Selection = field(default_factory=Selection)
    strong: StrongConfig | None = None
    semi: SemiConfig | None = None
    adapt: AdaptConfig | None = None
    glance: bool = False
    sketch: bool = False
    branch_rate: float = 0.0
    annotated: Path | None = None
    counts: tuple[float, ...] | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or self.round_steps < 1 or not self.buckets:
            raise ConfigError(
                "Expected at least one step, one step per round and one bucket, got "
                f"{self.steps}, {self.round_steps} and {len(self.buckets)}. Fix the recipe."
            )
        if self.minutes is not None and self.minutes <= 0.0:
            raise ConfigError(
                f"Expected minutes above 0 for a run, got {self.minutes}. Leave them out for a run "
                "that ends by its steps."
            )
        kinds = (self.semi is not None, self.adapt is not None, self.glance)
        if self.sketch and any(kinds):
            raise ConfigError(
                "Expected a run of the sketch, got one that also asks for `semi`, `adapt` or "
                "`glance`. Run one after the other."
            )
        if not 0.0 <= self.branch_rate <= 1.0 or (self.branch_rate and not self.sketch):
            raise ConfigError(
                "Expected 0 to 1 of the rate for the label branch, in a run of the sketch, got "
                f"{self.branch_rate} with sketch={self.sketch}. Fix the recipe."
            )
        bad = [b.side for b in self.buckets if b.side % 32 or b.side < 32 or b.batch < 2]
        if bad:
            raise ConfigError(
                f"Expected bucket sides that are multiples of 32 with batches of at least 2, "
                f"got sides {bad}. Fix the recipe."
            )
