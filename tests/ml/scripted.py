"""A predictor that says what it was told to say, so that figures can be counted by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from tests.ml.small import CLASSES, PATTERNS
from waferscope.domain.prediction import Prediction
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.domain.wafermap import WaferMap
from waferscope.infer import Predictor

Probs = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ScriptedModel:
    """The part of a model's facts that evaluation looks at."""

    taxonomy: Taxonomy = DEFAULT_TAXONOMY
    temperature: tuple[float, ...] = (1.0,) * len(PATTERNS)
    bias: tuple[float, ...] = (0.0,) * len(PATTERNS)


class Scripted:
    """Answers each wafer with the ``probs`` [C, rows, cols] written under its name, else with 0."""

    model = ScriptedModel()

    def __init__(self, probs: Mapping[str, Probs]) -> None:
        self.probs = probs

    def predict_stream(self, wafers: Iterable[WaferMap]) -> Iterator[Prediction]:
        """Yield the scripted answers, thresholds 0.5."""
        for wafer in wafers:
            nothing = np.zeros((len(CLASSES), *wafer.shape), np.float32)
            yield Prediction(
                wafer=wafer,
                taxonomy=DEFAULT_TAXONOMY,
                probs=self.probs.get(wafer.wafer_id, nothing),
                thresholds=(0.5,) * len(CLASSES),
                patterns=dict.fromkeys(PATTERNS, 0.1),
                pattern_thresholds=dict.fromkeys(PATTERNS, 0.5),
                embedding=np.ones(1, np.float32),
                evidence=np.zeros((len(PATTERNS), 4, 4), np.float32),
                model_version="scripted",
            )


def scripted(probs: Mapping[str, Probs]) -> Predictor:
    """Return a `Scripted` where a `Predictor` is asked for."""
    return cast(Predictor, Scripted(probs))
