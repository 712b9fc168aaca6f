"""What the model says about one wafer, and what follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.defects import Defect, find_defects
from waferscope.domain.masks import build_masks, mask_to_rle
from waferscope.domain.measures import SeverityLevel, WaferMetrics, measure_wafer
from waferscope.domain.taxonomy import Taxonomy
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import InputError

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

SCHEMA: Final = "waferscope.prediction/1"
"""Name and version of the JSON that `Prediction.to_dict` gives; docs/prediction-schema.json."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Prediction:
    """The model's output for one wafer; masks, defects and metrics are computed once, on demand.

    ``probs`` is float32 ``[C, rows, cols]``: the probability that a die lies in the zone of each
    class, 0 off the wafer. ``thresholds`` has one number per class. ``patterns`` maps each label
    to its calibrated probability, ``pattern_thresholds`` to the probability from which it is
    decided. ``embedding`` is float32 ``[d]`` of unit length, ``evidence`` float32
    ``[P, rows/k, cols/k]``: where on the wafer each pattern is seen.

    Raises InputError when shapes or names do not fit the taxonomy and the wafer, and for
    probabilities outside 0 to 1.
    """

    wafer: WaferMap
    taxonomy: Taxonomy
    probs: Floats
    thresholds: tuple[float, ...]
    patterns: dict[str, float]
    pattern_thresholds: dict[str, float]
    embedding: Floats
    evidence: Floats
    model_version: str

    def __post_init__(self) -> None:
        for name in ("probs", "embedding", "evidence"):
            array = np.asarray(getattr(self, name), dtype=np.float32).view()
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "thresholds", tuple(float(t) for t in self.thresholds))
        _check_shapes(self)
        _check_labels(self)

    @cached_property
    def masks(self) -> Mask:
        """Bool ``[C, rows, cols]``: the failing dies of each class, specks removed; read-only."""
        masks = build_masks(self.probs, self.wafer.dies, self.thresholds, self.taxonomy)
        masks.setflags(write=False)
        return masks

    @cached_property
    def labels(self) -> list[str]:
        """Pattern labels decided present, the largest probability / threshold first."""
        lead = {
            label: prob / limit if (limit := self.pattern_thresholds[label]) > 0 else np.inf
            for label, prob in self.patterns.items()
        }
        decided = [p for p in self.patterns if self.patterns[p] >= self.pattern_thresholds[p]]
        return sorted(decided, key=lambda label: -lead[label])

    @cached_property
    def conflicts(self) -> list[str]:
        """Where labels and masks disagree, in words; empty when they tell one story."""
        mapping = self.taxonomy.pattern_class
        marked = self.metrics.affected_dies
        said = [
            f"Labelled {label} ({self.patterns[label]:.2f}), but no die is marked {mapping[label]}."
            for label in self.labels
            if label in mapping and not marked[mapping[label]]
        ]
        for name, count in marked.items():
            names = [label for label in self.taxonomy.patterns if mapping.get(label) == name]
            if count and names and not set(names) & set(self.labels):
                best = max(names, key=self.patterns.__getitem__)
                dies = "1 die is" if count == 1 else f"{count:,} dies are"
                said.append(
                    f"{dies} marked {name}, but the wafer is not labelled {' or '.join(names)} "
                    f"({self.patterns[best]:.2f})."
                )
        return said

    @cached_property
    def defects(self) -> list[Defect]:
        """Connected regions of one class each, measured; class by class, the largest first."""
        return find_defects(self.masks, self.probs, self.wafer, self.taxonomy)

    @cached_property
    def metrics(self) -> WaferMetrics:
        """Figures of the whole wafer."""
        counts = Counter(defect.class_name for defect in self.defects)
        return measure_wafer(self.masks, counts, self.wafer, self.taxonomy)

    @property
    def severity(self) -> float:
        """Severity, 0 (nothing found) to 100."""
        return self.metrics.severity

    @property
    def severity_level(self) -> SeverityLevel:
        """The severity in a word: low, medium or critical."""
        return self.metrics.severity_level

    def to_dict(self, *, polygons: bool = True, arrays: bool = False) -> dict[str, Any]:
        """Return the JSON-ready record that programs and files share (`SCHEMA`).

        Masks are COCO run lengths. ``polygons`` adds the zone polygon to each defect, ``arrays``
        adds probs, embedding and evidence as nested lists.
        """
        record: dict[str, Any] = {
            "schema": SCHEMA,
            "model_version": self.model_version,
            "taxonomy": {
                "version": self.taxonomy.version,
                "classes": [
                    {"id": c.id, "name": c.name, "color": c.color} for c in self.taxonomy.classes
                ],
            },
            "wafer": _wafer_record(self.wafer),
            "thresholds": dict(zip(self.taxonomy.class_names, self.thresholds, strict=True)),
            "patterns": dict(self.patterns),
            "pattern_thresholds": dict(self.pattern_thresholds),
            "labels": list(self.labels),
            "conflicts": list(self.conflicts),
            "severity": self.severity,
            "severity_level": self.severity_level,
            "metrics": self.metrics.to_dict(),
            "masks": {
                name: mask_to_rle(mask)
                for name, mask in zip(self.taxonomy.class_names, self.masks, strict=True)
            },
            "defects": [defect.to_dict(polygon=polygons) for defect in self.defects],
        }
        if arrays:
            for name in ("probs", "embedding", "evidence"):
                record[name] = getattr(self, name).tolist()
        return record


def _check_shapes(preds: Prediction) -> None:
    channels, labels = len(preds.taxonomy.classes), len(preds.taxonomy.patterns)
    expected = (channels, *preds.wafer.shape)
    if preds.probs.shape != expected or len(preds.thresholds) != channels:
        raise InputError(
            f"Expected probs of shape {expected} and {channels} thresholds, "
            f"got {preds.probs.shape} and {len(preds.thresholds)}. "
            "Crop the model's output to the wafer; one channel and threshold per class."
        )
    if preds.embedding.ndim != 1 or preds.evidence.ndim != 3 or len(preds.evidence) != labels:
        raise InputError(
            f"Expected an embedding [d] and evidence [{labels}, rows, cols], "
            f"got shapes {preds.embedding.shape} and {preds.evidence.shape}. "
            "Give one evidence map per pattern of the taxonomy."
        )
    for name in ("embedding", "evidence"):
        if not np.isfinite(getattr(preds, name)).all():
            raise InputError(
                f"Expected finite numbers in {name}, got NaN or infinity. Check the model's output."
            )
    if not np.isfinite(preds.thresholds).all():
        raise InputError(
            f"Expected finite thresholds, got {preds.thresholds}. "
            "Use a number above 1 for a class that is never marked."
        )
    # A NaN fails both comparisons.
    if not (preds.probs.min() >= 0 and preds.probs.max() <= 1):
        raise InputError(
            f"Expected probs between 0 and 1, got {preds.probs.min()} to {preds.probs.max()}. "
            "Apply the sigmoid, and look for NaN in the model's output."
        )


def _check_labels(preds: Prediction) -> None:
    for name in ("patterns", "pattern_thresholds"):
        values: Mapping[str, float] = getattr(preds, name)
        plain = {
            label: float(values[label]) for label in preds.taxonomy.patterns if label in values
        }
        if len(plain) != len(preds.taxonomy.patterns) or len(values) != len(plain):
            raise InputError(
                f"Expected {name} for {', '.join(preds.taxonomy.patterns)}, "
                f"got {', '.join(values) or 'none'}. Give one number per pattern of the taxonomy."
            )
        if not all(0 <= value <= 1 for value in plain.values()):
            raise InputError(
                f"Expected {name} between 0 and 1, got {plain}. Calibrate them as probabilities."
            )
        object.__setattr__(preds, name, plain)


def _wafer_record(wafer: WaferMap) -> dict[str, Any]:
    frame, reticle, source = wafer.frame, wafer.reticle, wafer.source
    return {
        "wafer_id": wafer.wafer_id,
        "lot_id": wafer.lot_id,
        "slot": wafer.slot,
        "product": wafer.product,
        "step": wafer.step,
        "tester": wafer.tester,
        "tested_at": None if wafer.tested_at is None else wafer.tested_at.isoformat(),
        "rows": wafer.shape[0],
        "cols": wafer.shape[1],
        "die_width_mm": wafer.die_width_mm,
        "die_height_mm": wafer.die_height_mm,
        "diameter_mm": wafer.diameter_mm,
        "notch": wafer.notch,
        "centre": None if wafer.centre is None else list(wafer.centre),
        "frame": {
            "x0": frame.x0,
            "y0": frame.y0,
            "dx": frame.dx,
            "dy": frame.dy,
            "swapped": frame.swapped,
        },
        "reticle": None
        if reticle is None
        else {
            "rows": reticle.rows,
            "cols": reticle.cols,
            "row_offset": reticle.row_offset,
            "col_offset": reticle.col_offset,
        },
        "source": None
        if source is None
        else {"format": source.format, "name": source.name, "sha256": source.sha256},
        "patterns": None if wafer.patterns is None else list(wafer.patterns),
        "fingerprint": wafer.fingerprint,
        "notes": list(wafer.notes),
    }
