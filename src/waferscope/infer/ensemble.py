"""Several answers for one wafer, and how far they agree: what a single one cannot know of itself.

`symmetry_ensemble` asks a model for the 8 symmetric views of a wafer and turns the answers back.
It needs no torch. Shapes: M members, C defect classes, P patterns, rows and cols the die grid.
Source: Houlsby et al., "Bayesian Active Learning", 2011 (entropy of the mean against the mean of
the entropies).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import FAIL, WaferMap
from waferscope.infer.predictor import Predictor

Floats = npt.NDArray[np.float32]

SYMMETRIES: Final = tuple((quarters, mirror) for mirror in (False, True) for quarters in range(4))
"""Quarter turns, and whether the map is mirrored left to right before them."""
CHUNK: Final = 32
"""Wafers whose views are asked for together."""
_EDGE: Final = 1.0e-6


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The answers of M members for one wafer.

    ``members`` float32 [M, C, rows, cols] are zone probabilities, ``labels`` float32 [M, P]
    calibrated pattern probabilities, ``embedding`` float32 [d] the mean direction, unit length.
    """

    wafer: WaferMap
    members: Floats
    labels: Floats
    embedding: Floats

    @cached_property
    def probs(self) -> Floats:
        """Mean zone probabilities [C, rows, cols]."""
        return np.asarray(self.members.mean(axis=0), np.float32)

    @cached_property
    def die_entropy(self) -> Floats:
        """Entropy of the mean, in bits, of the least certain class, [rows, cols]: doubt in all."""
        return np.asarray(binary_entropy(self.probs).max(axis=0), np.float32)

    @cached_property
    def die_disagreement(self) -> Floats:
        """Entropy of the mean less the mean entropy of the members, [rows, cols], in bits.

        It is what the members dispute; what all of them find unclear is not in it.
        """
        dispute = binary_entropy(self.probs) - binary_entropy(self.members).mean(axis=0)
        return np.asarray(np.maximum(dispute, 0.0).max(axis=0), np.float32)

    @property
    def wafer_entropy(self) -> float:
        """Mean entropy over the failing dies, in bits; 0 for a wafer without one."""
        return self._over_fails(self.die_entropy)

    @property
    def wafer_disagreement(self) -> float:
        """Mean disagreement over the failing dies, in bits; 0 for a wafer without one."""
        return self._over_fails(self.die_disagreement)

    @property
    def label_entropy(self) -> float:
        """Entropy of the mean pattern probabilities, in bits, summed over the patterns."""
        return float(binary_entropy(self.labels.mean(axis=0)).sum())

    def _over_fails(self, values: Floats) -> float:
        fails = self.wafer.dies == FAIL
        return float(values[fails].mean()) if fails.any() else 0.0


def symmetry_ensemble(predictor: Predictor, wafers: Iterable[WaferMap]) -> Iterator[Ensemble]:
    """Yield the ensemble of each wafer's 8 symmetric views, in the order of the wafers.

    A reticle is left out, since it would have to turn with the map. Takes 8 times as long as the
    predictions alone.
    """
    held = iter(wafers)
    while chunk := list(islice(held, CHUNK)):
        views = [turned(wafer, *s) for wafer in chunk for s in SYMMETRIES]
        answers = predictor.predict_stream(views)
        for wafer in chunk:
            yield join(wafer, list(islice(answers, len(SYMMETRIES))), SYMMETRIES)


def join(
    wafer: WaferMap, answers: Sequence[Prediction], symmetries: Sequence[tuple[int, bool]]
) -> Ensemble:
    """Return the ensemble of a wafer's answers, each turned back from its symmetry."""
    names = tuple(answers[0].patterns)
    back = [turn_back(p.probs, *s) for p, s in zip(answers, symmetries, strict=True)]
    direction = np.mean([p.embedding for p in answers], axis=0)
    length = max(float(np.linalg.norm(direction)), _EDGE)
    return Ensemble(
        wafer=wafer,
        members=np.stack(back),
        labels=np.array([[p.patterns[n] for n in names] for p in answers], np.float32),
        embedding=np.asarray(direction / length, np.float32),
    )


def turned(wafer: WaferMap, quarters: int, mirror: bool) -> WaferMap:
    """Return a map mirrored left to right, or not, and then turned by quarters; its dies alone."""
    dies = wafer.dies[:, ::-1] if mirror else wafer.dies
    return WaferMap(np.ascontiguousarray(np.rot90(dies, quarters)), wafer_id=wafer.wafer_id)


def turn_back(planes: npt.NDArray[Any], quarters: int, mirror: bool) -> npt.NDArray[Any]:
    """Return ``[..., rows, cols]`` of a turned map on the grid it was turned from.

    >>> grid = np.arange(6).reshape(2, 3)
    >>> turn_back(np.rot90(grid[:, ::-1], 3), 3, True).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    upright = np.rot90(planes, -quarters, axes=(-2, -1))
    return upright[..., ::-1] if mirror else upright


def binary_entropy(probs: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the entropy of yes-or-no answers in bits.

    >>> binary_entropy(np.array([0.5, 1.0])).round(3).tolist()
    [1.0, 0.0]
    """
    held = np.clip(np.asarray(probs, np.float64), _EDGE, 1.0 - _EDGE)
    return np.asarray(-held * np.log2(held) - (1.0 - held) * np.log2(1.0 - held))
