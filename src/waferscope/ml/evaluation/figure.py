"""Figures with their confidence intervals, by bootstrap over groups that are drawn whole.

Counts are summed by group first ([G, ...]) and ratios taken after, of the whole set and of each
resample alike. Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13
(percentile intervals); two models are compared on the same resamples (paired).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.ml.metrics import divide

Floats = npt.NDArray[np.float64]
Ratio = Callable[[Floats], Floats]
"""From counts [..., K] to a figure [...]; NaN where it is not defined."""

RESAMPLES: Final = 1000
SEED: Final = 8_000_000
TAIL: Final = 2.5
"""Per cent cut off at either end: 95 % lie between."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and the interval that holds 95 % of its resamples; None where not defined."""

    value: float | None
    low: float | None
    high: float | None

    def to_dict(self) -> dict[str, float | None]:
        """Return plain JSON-ready values."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts by group, [G, ...], from which a ``ratio`` makes a figure."""

    counts: Floats
    ratio: Ratio

    def figure(self) -> Figure:
        """Return the figure of the whole set with its interval."""
        if not len(self.counts):
            return Figure(None, None, None)
        return Figure(_plain(self.ratio(self.counts.sum(axis=0))), *_ends(self.resampled()))

    def resampled(self) -> Floats:
        """Return the figure of each resample, [B]."""
        counts = self.counts
        flat = counts.reshape(len(counts), -1)
        drawn = draw_weights(len(counts)) @ flat
        return np.asarray(self.ratio(drawn.reshape(-1, *counts.shape[1:])), np.float64)

    def against(self, other: Tally) -> dict[str, float | None]:
        """Return how much more than another model's this figure is, paired group by group.

        ``better`` is the share of resamples in which it is more.
        """
        if not len(self.counts):
            return {**Figure(None, None, None).to_dict(), "better": None}
        gain = self.resampled() - other.resampled()
        value = self.ratio(self.counts.sum(axis=0)) - other.ratio(other.counts.sum(axis=0))
        sure = gain[np.isfinite(gain)]
        better = float(np.mean(sure > 0)) if len(sure) else None
        return {**Figure(_plain(value), *_ends(gain)).to_dict(), "better": better}


def sum_groups(counts: npt.NDArray[Any], groups: npt.NDArray[np.int64]) -> Floats:
    """Return counts [N, ...] summed by group [G, ...], groups in the order of their numbers.

    >>> sum_groups(np.array([1, 2, 4]), np.array([7, 3, 7])).tolist()
    [2.0, 5.0]
    """
    _, places = np.unique(groups, return_inverse=True)
    sums = np.zeros((int(places.max(initial=-1)) + 1, *counts.shape[1:]))
    np.add.at(sums, places, counts)
    return sums


def tally(counts: npt.NDArray[Any], groups: npt.NDArray[np.int64], ratio: Ratio) -> Tally:
    """Return the tally of counts [N, ...] whose ``groups`` [N] are drawn whole."""
    return Tally(sum_groups(counts, groups), ratio)


def share(hits: npt.NDArray[Any], groups: npt.NDArray[np.int64]) -> Tally:
    """Return the tally of a share: how many of N are true."""
    return tally(np.stack([hits, np.ones(len(hits))], axis=-1), groups, quotient)


def quotient(counts: Floats) -> Floats:
    """Return the first count over the second, NaN over 0."""
    return divide(counts[..., 0], counts[..., 1])


def figures_of(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree of tallies with each as its figure and interval, JSON-ready."""
    return _walk(tree, lambda leaf, _: leaf.figure().to_dict() if isinstance(leaf, Tally) else leaf)


def gains(tree: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return for each tally that both trees have how much more the first one's figure is."""

    def gain(leaf: Any, there: Any) -> Any:
        paired = isinstance(leaf, Tally) and isinstance(there, Tally)
        return (
            leaf.against(there)
            if paired and leaf.counts.shape[0] == there.counts.shape[0]
            else None
        )

    return _walk(tree, gain, other)


def _walk(
    tree: Mapping[str, Any], act: Callable[[Any, Any], Any], other: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, leaf in tree.items():
        there = None if other is None else other.get(name)
        if isinstance(leaf, Mapping):
            below = there if isinstance(there, Mapping) else None if other is None else {}
            found: Any = _walk(leaf, act, below)
        else:
            found = act(leaf, there)
        if other is None or found not in (None, {}):
            out[name] = found
    return out


@lru_cache(maxsize=3)
def draw_weights(groups: int) -> Floats:
    """Return how often each group is drawn in each resample, [B, G]; the same every time."""
    rng = np.random.default_rng((SEED, groups))
    return rng.multinomial(groups, np.full(groups, 1.0 / groups), RESAMPLES).astype(np.float64)


def _ends(values: Floats) -> tuple[float | None, float | None]:
    sure = values[np.isfinite(values)]
    if not len(sure):
        return None, None
    low, high = np.percentile(sure, (TAIL, 100 - TAIL))
    return float(low), float(high)


def _plain(value: Floats) -> float | None:
    return float(value) if np.isfinite(value) else None
