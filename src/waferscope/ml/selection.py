"""Which of the labelled wafers a run may learn from, and how far their labels are believed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.errors import ConfigError
from waferscope.ml.data import WaferSet

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is taken of the labelled sets; the default is all of them.

    ``fraction`` of the wafers of each label, and never fewer than ``least``, keep their label; the
    others are unlabelled. ``mixed``: whether MixedWM38 is used. Wafers that carry any of
    ``leave_labels`` are not used at all, nor synthetic ones of that mechanism; MixedWM38 wafers
    with exactly the labels of one of ``leave_combinations`` neither. ``weights`` is a Parquet
    file of ``wafer_id`` and ``weight``, 0 to 1: how far each label is believed.
    """

    fraction: float = 1.0
    least: int = 3
    mixed: bool = True
    leave_labels: tuple[str, ...] = ()
    leave_combinations: tuple[tuple[str, ...], ...] = ()
    weights: Path | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.fraction <= 1.0 or self.least < 1:
            raise ConfigError(
                "Expected a fraction of labels above 0 and up to 1, and at least 1 wafer of each, "
                f"got {self.fraction} and {self.least}. Give a fraction such as 0.05."
            )
        known = DEFAULT_TAXONOMY.patterns
        named = {*self.leave_labels, *(n for c in self.leave_combinations for n in c)}
        if named - set(known):
            raise ConfigError(
                f"Expected pattern labels of {', '.join(known)} to leave out, "
                f"got {', '.join(sorted(named - set(known)))}. Spell them as the data does."
            )

    @property
    def left_classes(self) -> tuple[str, ...]:
        """Defect classes that synthetic wafers must not show, since they would carry the labels."""
        of = DEFAULT_TAXONOMY.pattern_class
        return tuple(dict.fromkeys(of[label] for label in self.leave_labels))


def select(wafers: WaferSet, selection: Selection) -> WaferSet:
    """Return the wafers that may be used, with the weights of their labels."""
    if not (selection.leave_labels or selection.leave_combinations or selection.weights):
        return wafers
    left = {frozenset(names) for names in selection.leave_combinations}
    barred = set(selection.leave_labels)
    kept = [
        n
        for n, wafer in enumerate(wafers.wafers)
        if not barred & set(wafer.labels) and frozenset(wafer.labels) not in left
    ]
    chosen = take(wafers, np.array(kept, np.intp))
    if selection.weights is None:
        return chosen
    return weigh(chosen, read_weights(selection.weights))


def keep_fraction(wafers: WaferSet, selection: Selection, seed: int) -> WaferSet:
    """Return the wafers that keep their labels: a fraction of each label, drawn by the seed."""
    if selection.fraction == 1.0:
        return wafers
    labels = np.array([",".join(w.labels) for w in wafers.wafers])
    rng = np.random.default_rng((seed, len(labels)))
    kept: list[Indices] = []
    for label in np.unique(labels):
        there = np.flatnonzero(labels == label)
        count = max(selection.least, round(selection.fraction * len(there)))
        kept.append(rng.permutation(there)[:count])
    return take(wafers, np.sort(np.concatenate(kept)))


def without_labels(sets: Sequence[WaferSet]) -> WaferSet:
    """Return all wafers of some sets, their labels taken away."""
    blank = tuple(replace(w, labels=()) for wafers in sets for w in wafers.wafers)
    mark = hashlib.sha256("unlabelled".join(w.fingerprint for w in sets).encode())
    return WaferSet(blank, mark.hexdigest())


def take(wafers: WaferSet, indices: Indices) -> WaferSet:
    """Return some wafers of a set; the fingerprint tells which."""
    chosen = tuple(wafers.wafers[int(n)] for n in indices)
    mark = hashlib.sha256(wafers.fingerprint.encode() + indices.astype("<i8").tobytes())
    return WaferSet(chosen, mark.hexdigest())


def weigh(wafers: WaferSet, weights: Mapping[str, float]) -> WaferSet:
    """Return the set with each wafer's label weight; those that are not named keep theirs."""
    weighed = tuple(replace(w, weight=weights.get(w.wafer_id, w.weight)) for w in wafers.wafers)
    mark = hashlib.sha256(f"{wafers.fingerprint}{sorted(weights.items())}".encode())
    return WaferSet(weighed, mark.hexdigest())


def read_weights(path: Path) -> dict[str, float]:
    """Return label weights by wafer; raise ConfigError for a file without them."""
    try:
        table = pq.read_table(path, columns=["wafer_id", "weight"])
        names, weights = (table[name].to_pylist() for name in ("wafer_id", "weight"))
        found = {str(n): float(w) for n, w in zip(names, weights, strict=True)}
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise ConfigError(
            f"Expected a Parquet file of wafer_id and weight at {path}, got {error}. "
            "Write one with `waferscope weigh`."
        ) from error
    odd = {n: w for n, w in found.items() if not 0.0 <= w <= 1.0}
    if odd:
        raise ConfigError(f"Expected weights of 0 to 1 in {path}, got {odd}. Write them anew.")
    return found
