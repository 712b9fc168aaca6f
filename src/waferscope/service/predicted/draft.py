"""A prediction on its way into the records: its blob is put, its rows are still to be added."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from waferscope.domain.prediction import Prediction
from waferscope.service.ids import new_id
from waferscope.service.predicted.blob import pack
from waferscope.service.storage import Blobs, blob_name


@dataclass(frozen=True)
class Choices:
    """What a prediction depends on besides the wafer and the model."""

    threshold: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what is kept of them."""
        return {"threshold": self.threshold}

    @cached_property
    def sha256(self) -> str:
        """Their digest: equal choices have the same."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


PLAIN = Choices()
"""The thresholds of the model itself."""


@dataclass(frozen=True)
class Found:
    """One label of a wafer: a ``pattern`` that was decided, or a ``class`` with marked dies."""

    label: str
    kind: Literal["pattern", "class"]
    probability: float | None
    dies: int


@dataclass(frozen=True)
class Draft:
    """What the rows of a prediction are made of; ``embedding`` is float32, little endian."""

    wafer_id: str
    user_id: str
    choices: Choices
    blob: str
    model_version: str
    labels: tuple[str, ...]
    patterns: dict[str, float]
    metrics: dict[str, Any]
    severity: float
    severity_level: str
    found: tuple[Found, ...]
    embedding: bytes
    id: str = field(default_factory=lambda: new_id("pred"))

    @property
    def key(self) -> tuple[str, str, str]:
        """What there is one prediction of: wafer, model, digest of choices."""
        return self.wafer_id, self.model_version, self.choices.sha256


def draft(
    blobs: Blobs, wafer_id: str, user_id: str, prediction: Prediction, choices: Choices = PLAIN
) -> Draft:
    """Put the blob of a prediction and return the draft of its rows.

    The blob is named after wafer, model and choices: doing it twice leaves one blob.
    """
    key = f"{wafer_id}/{prediction.model_version}/{choices.sha256}"
    name = blob_name("predictions", hashlib.sha256(key.encode()).hexdigest())
    blobs.put(name, pack(prediction))
    return Draft(
        wafer_id=wafer_id,
        user_id=user_id,
        choices=choices,
        blob=name,
        model_version=prediction.model_version,
        labels=tuple(prediction.labels),
        patterns=dict(prediction.patterns),
        metrics=prediction.metrics.to_dict(),
        severity=prediction.severity,
        severity_level=prediction.severity_level,
        found=tuple(_found(prediction)),
        embedding=prediction.embedding.astype(np.dtype("<f4")).tobytes(),
    )


def _found(prediction: Prediction) -> list[Found]:
    patterns = [
        Found(label, "pattern", prediction.patterns[label], 0) for label in prediction.labels
    ]
    marked = prediction.metrics.affected_dies
    return patterns + [Found(name, "class", None, dies) for name, dies in marked.items() if dies]
