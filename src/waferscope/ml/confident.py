"""Labels that are probably wrong: confident learning on out-of-fold predictions.

Shapes: N wafers, K labels (the last one none). Source: Northcutt, Jiang and Chuang, "Confident
Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import ConfigError
from waferscope.ml.peer import PeerConfig, peer_probs, single_labels, train_peer

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NONE: Final = "none"
LEAST_WEIGHT: Final = 0.1
"""Weight of the most doubtful label: none is thrown away for good."""


@dataclass(frozen=True, eq=False)
class Doubt:
    """For each wafer the label it was given, the one that is likelier, and its weight, all [N].

    ``joint`` [K, K] counts wafers by given and by confidently found label.
    """

    given: Ints
    likelier: Ints
    weight: Floats
    joint: Ints

    @property
    def doubted(self) -> npt.NDArray[np.bool_]:
        """Whether another label is confidently found."""
        return np.asarray(self.likelier != self.given)


def find_doubt(probs: Floats, labels: Ints) -> Doubt:
    """Return which labels [N] out-of-fold probabilities [N, K] speak against.

    A wafer counts as confidently of label k when its probability of k reaches the mean that the
    wafers given k have, and no other such label is likelier. One that is confidently of another
    label than its own is doubted, and weighs what its own label's probability is worth against
    the other's, at least a tenth.
    """
    count = probs.shape[1]
    own = probs[np.arange(len(labels)), labels]
    mean = np.array([own[labels == k].mean() if (labels == k).any() else 1.0 for k in range(count)])
    reached = probs >= mean
    best = np.where(reached, probs, -1.0).argmax(axis=1)
    confident = np.where(reached.any(axis=1), best, labels)
    joint = np.zeros((count, count), np.int64)
    np.add.at(joint, (labels, confident), reached.any(axis=1).astype(np.int64))
    other = probs[np.arange(len(labels)), confident]
    weight = np.where(confident == labels, 1.0, own / np.maximum(own + other, 1.0e-12))
    return Doubt(labels, confident.astype(np.int64), np.maximum(weight, LEAST_WEIGHT), joint)


def fold_of(lots: Sequence[str], folds: int) -> Ints:
    """Return the fold of each wafer [N]: whole lots, the folds about equally large.

    >>> fold_of(["a", "b", "a", "c"], 2).tolist()
    [0, 1, 0, 1]
    """
    if folds < 2:
        raise ConfigError(f"Expected at least 2 folds, got {folds}. Give 3 or more.")
    names, index, counts = np.unique(np.array(lots), return_inverse=True, return_counts=True)
    sizes, fold = np.zeros(folds, np.int64), np.zeros(len(names), np.int64)
    for lot in np.argsort(-counts, kind="stable"):
        fold[lot] = int(np.argmin(sizes))
        sizes[fold[lot]] += counts[lot]
    return np.asarray(fold[index], np.int64)


def out_of_fold(
    wafers: Sequence[WaferMap], folder: Path, folds: int, config: PeerConfig | None = None
) -> Floats:
    """Return the probabilities [N, K] that a peer trained without a wafer's lots gives it.

    One plain classifier is trained per fold, below ``folder``; a fold that is finished, or begun,
    is gone on with.
    """
    where = fold_of([w.lot_id or w.wafer_id for w in wafers], folds)
    probs = np.zeros((len(wafers), len(DEFAULT_TAXONOMY.patterns) + 1))
    for fold in range(folds):
        inside = np.flatnonzero(where == fold)
        others = [wafers[int(n)] for n in np.flatnonzero(where != fold)]
        checkpoint = train_peer(others, folder / f"fold-{fold}", config)
        probs[inside] = peer_probs(checkpoint, [wafers[int(n)] for n in inside])
    return probs


def write_weights(
    wafers: Sequence[WaferMap],
    folder: Path,
    path: Path,
    folds: int = 3,
    config: PeerConfig | None = None,
) -> Doubt:
    """Write how far the labels of single-label wafers are believed, as Parquet; return the doubt.

    Columns: ``wafer_id``, ``weight`` (0 to 1), ``label`` and ``likelier``.
    """
    doubt = find_doubt(out_of_fold(wafers, folder, folds, config), single_labels(wafers))
    names = np.array([*DEFAULT_TAXONOMY.patterns, NONE])
    columns = {
        "wafer_id": [w.wafer_id for w in wafers],
        "weight": doubt.weight.tolist(),
        "label": names[doubt.given].tolist(),
        "likelier": names[doubt.likelier].tolist(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    pq.write_table(pa.table(columns), fresh)
    fresh.replace(path)
    return doubt
