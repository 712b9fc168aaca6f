"""What may be changed of a recipe without writing another one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from waferscope.ml.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Changes:
    """Settings that stand in for those of a recipe; None and empty ones leave it as it is.

    ``leave_combinations`` are labels with a plus between them: ``Center+Scratch``.
    """

    fraction: float | None = None
    seed: int | None = None
    steps: int | None = None
    leave_labels: tuple[str, ...] = ()
    leave_combinations: tuple[str, ...] = ()
    weights: Path | None = None
    start_from: Path | None = None


def change(config: TrainConfig, changes: Changes) -> TrainConfig:
    """Return a run with some settings changed; raise ConfigError for values that cannot be.

    >>> change(TrainConfig("a"), Changes(steps=7, fraction=0.1)).selection.fraction
    0.1
    """
    combinations = tuple(tuple(text.split("+")) for text in changes.leave_combinations)
    selection = _given(
        fraction=changes.fraction,
        leave_labels=changes.leave_labels or None,
        leave_combinations=combinations or None,
        weights=changes.weights,
    )
    run = _given(seed=changes.seed, steps=changes.steps, start_from=changes.start_from)
    return replace(config, selection=replace(config.selection, **selection), **run)


def _given(**settings: Any) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
