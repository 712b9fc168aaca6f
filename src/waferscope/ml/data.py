"""Labelled wafers for training: where they come from and what is known of each die.

Shapes: C classes, P patterns, rows and cols the die grid, H and W the canvas. A die target is 1
(in the zone), 0 (outside) or -1 (unknown).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.domain.wafermap import FAIL, DieGrid, Reticle
from waferscope.errors import ConfigError
from waferscope.infer.batching import canvas_shape
from waferscope.synth.derive import derive_masks
from waferscope.synth.generate import SynthWafer

Targets = npt.NDArray[np.int8]
UNLABELLED_CLASSES: Final = ("lithography", "etching")
"""Mechanisms that the public label sets never name: unknown wherever another label stands."""
DOUBTED: Final = 0.5
"""Weight of a label below which it says nothing of the dies any more."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One wafer and what is known of it.

    ``target`` int8 [C, rows, cols]; ``bag`` bool [C]: present at unknown dies; ``patterns`` int8
    [P] of 1, 0 or -1; ``weight`` of its pattern labels.
    """

    dies: DieGrid
    target: Targets = field(repr=False)
    bag: npt.NDArray[np.bool_]
    patterns: Targets
    weight: float = 1.0
    reticle: Reticle | None = None


@dataclass(frozen=True, eq=False)
class LabelledWafer:
    """A real wafer with its image-level labels (empty: free of patterns) and its lot.

    ``weight``, 0 to 1, is how far the labels are believed.
    """

    dies: DieGrid
    labels: tuple[str, ...]
    wafer_id: str = ""
    lot: str = ""
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class WaferSet:
    """Labelled wafers of one file, with the fingerprint of that file."""

    wafers: tuple[LabelledWafer, ...]
    fingerprint: str

    @cached_property
    def by_side(self) -> dict[int, npt.NDArray[np.intp]]:
        """Indices of the wafers by the longer side of their canvas."""
        sides = np.array([max(canvas_shape(w.dies.shape)) for w in self.wafers])
        return {int(side): np.flatnonzero(sides == side) for side in np.unique(sides)}

    @cached_property
    def label_groups(self) -> dict[int, list[npt.NDArray[np.intp]]]:
        """For each side, the indices of its wafers grouped by their labels."""
        labels = np.array([",".join(w.labels) for w in self.wafers])
        return {
            side: [indices[labels[indices] == label] for label in np.unique(labels[indices])]
            for side, indices in self.by_side.items()
        }


def load_wafer_set(path: Path) -> WaferSet:
    """Read a labelled Parquet file (columns wafer_id, rows, cols, dies, patterns, lot_group).

    Raises ConfigError when the file or a column is missing.
    """
    try:
        raw = path.read_bytes()
        table = pq.read_table(path)
        rows, cols = (table[name].to_pylist() for name in ("rows", "cols"))
        blobs, labels, names = (table[n].to_pylist() for n in ("dies", "patterns", "wafer_id"))
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ConfigError(
            f"Expected a labelled wafer file at {path}, got {error}. "
            "Point the recipe at the folder that holds the data."
        ) from error
    lots = table["lot_group"].to_pylist() if "lot_group" in table.column_names else names
    wafers = tuple(
        LabelledWafer(
            np.frombuffer(blob, np.uint8).reshape(r, c), tuple(found or ()), str(name), str(lot)
        )
        for blob, r, c, found, name, lot in zip(blobs, rows, cols, labels, names, lots, strict=True)
    )
    return WaferSet(wafers, hashlib.sha256(raw).hexdigest())


def pattern_target(labels: tuple[str, ...], taxonomy: Taxonomy = DEFAULT_TAXONOMY) -> Targets:
    """Return int8 [P], 1 for each label present.

    >>> pattern_target(("Loc",)).tolist()
    [0, 0, 0, 0, 1, 0, 0, 0]
    """
    return np.array([int(name in labels) for name in taxonomy.patterns], np.int8)


def from_synth(
    wafer: SynthWafer, weight: float, ignore: npt.NDArray[np.bool_] | None = None
) -> Sample:
    """Return a sample of a wafer whose zones are known on every die."""
    target = wafer.zones.astype(np.int8)
    target[:, wafer.dies == 0] = -1
    if ignore is not None:
        target[:, ignore] = -1
    return Sample(
        dies=wafer.dies,
        target=target,
        bag=np.zeros(len(target), bool),
        patterns=pattern_target(wafer.patterns),
        weight=weight,
        reticle=wafer.reticle,
    )


def from_label(wafer: LabelledWafer, taxonomy: Taxonomy = DEFAULT_TAXONOMY) -> Sample:
    """Return a sample of a real wafer with at most one label: derived masks, the rest by rule.

    A class that the label excludes is absent on every failing die; mechanisms that are never
    labelled are unknown, unless the wafer is labelled free of patterns. Passing dies are unknown,
    and all dies of a wafer whose label is doubted.
    """
    label = wafer.labels[0] if wafer.labels else "none"
    target, fail = _weak_target(wafer, taxonomy)
    bag = np.zeros(len(taxonomy.classes), bool)
    if label != "none" and wafer.weight >= DOUBTED:
        masks, ignore = derive_masks(wafer.dies, label)
        channel = taxonomy.channel(taxonomy.pattern_class[label])
        found = masks[channel]
        target[channel][fail] = np.where(found[fail], 1, np.where(ignore[fail], -1, 0))
        bag[channel] = not found.any()
    labels = pattern_target(wafer.labels, taxonomy)
    return Sample(wafer.dies, target, bag, labels, wafer.weight)


def from_mixture(wafer: LabelledWafer, taxonomy: Taxonomy = DEFAULT_TAXONOMY) -> Sample:
    """Return a sample of a real wafer with any number of labels.

    With one label at most it is that of `from_label`; with several, present classes are bags of
    dies, because no rule says which die is whose.
    """
    if len(wafer.labels) < 2:
        return from_label(wafer, taxonomy)
    target, _ = _weak_target(wafer, taxonomy)
    bag = np.zeros(len(taxonomy.classes), bool)
    for label in wafer.labels:
        channel = taxonomy.channel(taxonomy.pattern_class[label])
        target[channel] = -1
        bag[channel] = wafer.weight >= DOUBTED
    labels = pattern_target(wafer.labels, taxonomy)
    return Sample(wafer.dies, target, bag, labels, wafer.weight)


def _weak_target(wafer: LabelledWafer, taxonomy: Taxonomy) -> tuple[Targets, npt.NDArray[np.bool_]]:
    fail = wafer.dies == FAIL
    target = np.full((len(taxonomy.classes), *wafer.dies.shape), -1, np.int8)
    if wafer.weight < DOUBTED:
        return target, fail
    target[:, fail] = 0
    if wafer.labels:
        for name in UNLABELLED_CLASSES:
            if name in taxonomy.class_names:
                target[taxonomy.channel(name)] = -1
    return target, fail
