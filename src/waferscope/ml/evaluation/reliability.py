"""Whether probabilities are true: expected calibration error, Brier score, reliability diagram.

Shapes: N decisions with a ``confidence`` each, B bins. Source: Guo et al., "On Calibration of
Modern Neural Networks", ICML 2017; Brier, "Verification of Forecasts", 1950.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.ml.metrics import divide

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BINS: Final = 15
DRAWS: Final = 400
_SEED: Final = 8_100_000


def bin_counts(confidence: Floats, right: Bools) -> Floats:
    """Return each decision in its bin of equal width, [N, B, 3]: count, confidence, right."""
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.zeros((len(confidence), BINS, 3))
    counts[np.arange(len(places)), places] = np.stack(
        [np.ones(len(places)), confidence, right.astype(np.float64)], axis=-1
    )
    return counts


def ece(counts: Floats) -> Floats:
    """Return the expected calibration error of bin counts [..., B, 3].

    >>> sums = bin_counts(np.array([0.9, 0.9]), np.array([True, False])).sum(axis=0)
    >>> round(float(ece(sums)), 6)
    0.4
    """
    gaps = np.abs(counts[..., 1] - counts[..., 2]).sum(axis=-1)
    return divide(gaps, counts[..., 0].sum(axis=-1))


def perfect_ece(confidence: Floats) -> float:
    """Return the mean ECE of a model whose ``confidence`` [N] is exactly true: chance alone."""
    rng = np.random.default_rng(_SEED)
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    said = np.bincount(places, confidence, BINS)
    errors = []
    for _ in range(DRAWS):
        right = rng.random(len(confidence)) < confidence
        gaps = np.abs(said - np.bincount(places, right, BINS)).sum()
        errors.append(gaps / max(1, len(confidence)))
    return float(np.mean(errors))


def diagram(counts: Floats) -> list[dict[str, float]]:
    """Return the bins that hold decisions, of summed counts [B, 3]: share, confidence, right."""
    total = max(1.0, float(counts[:, 0].sum()))
    return [
        {"share": float(n / total), "confidence": float(said / n), "right": float(right / n)}
        for n, said, right in counts
        if n
    ]
