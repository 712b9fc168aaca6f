"""How strange a wafer is: the distance of its embedding from those of wafers that are known.

numpy alone, so it works beside a model file. Shapes: N reference wafers, D the embedding, K
labels. Sources: Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022;
Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples", NeurIPS 2018
(Mahalanobis distance to the nearest class with a shared covariance).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from waferscope.errors import InputError

Floats = npt.NDArray[np.float64]

NEIGHBOURS: Final = 5
SHRINKAGE: Final = 0.1
"""Part of the covariance that is taken as round: embeddings lie near fewer dimensions than D."""
FEWEST: Final = 3
"""Wafers of a label that its centre is taken from, at least."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Embeddings of known wafers, unit length ``[N, D]``, and the label of each, ``[N]``."""

    embeddings: Floats
    labels: npt.NDArray[np.str_]

    def __post_init__(self) -> None:
        shape = self.embeddings.shape
        if len(shape) != 2 or len(self.labels) != shape[0] or shape[0] <= NEIGHBOURS:
            raise InputError.build(
                expected=f"embeddings [N, D] of more than {NEIGHBOURS} wafers with a label each",
                got=f"embeddings {shape} and {len(self.labels)} labels",
                cure="Take them from predictions of wafers whose labels are known.",
            )

    def neighbour_distance(self, embeddings: npt.NDArray[Any]) -> Floats:
        """Return the cosine distance [M] to the fifth nearest known wafer, 0 to 2."""
        near = np.sort(1.0 - _unit(embeddings) @ self.embeddings.T, axis=1)
        return np.asarray(near[:, NEIGHBOURS - 1], np.float64)

    def class_distance(self, embeddings: npt.NDArray[Any]) -> Floats:
        """Return the squared Mahalanobis distance [M] to the nearest label's centre."""
        centres, within = [], []
        for label in np.unique(self.labels):
            members = self.embeddings[self.labels == label]
            if len(members) >= FEWEST:
                centres.append(members.mean(axis=0))
                within.append(members - members.mean(axis=0))
        if not centres:
            centres, within = [self.embeddings.mean(axis=0)], [self.embeddings]
        spread = np.concatenate(within)
        covariance = spread.T @ spread / len(spread)
        size = len(covariance)
        ground = np.trace(covariance) / size * np.eye(size)
        factor = cho_factor(
            (1.0 - SHRINKAGE) * covariance + SHRINKAGE * ground + 1e-12 * np.eye(size)
        )
        away = _unit(embeddings)[:, None] - np.array(centres)  # [M, K, D]
        solved = cho_solve(factor, away.reshape(-1, size).T).T.reshape(away.shape)
        return np.asarray((away * solved).sum(axis=2).min(axis=1), np.float64)

    def save(self, path: Path) -> None:
        """Write the reference as npz."""
        np.savez_compressed(path, embeddings=self.embeddings.astype(np.float32), labels=self.labels)


def build_reference(embeddings: npt.NDArray[Any], labels: Any) -> Reference:
    """Return the reference of embeddings [N, D], whatever their length, and their labels [N]."""
    return Reference(_unit(np.asarray(embeddings)), np.asarray(labels, np.str_))


def load_reference(path: Path) -> Reference:
    """Return a reference from npz; raise InputError for a file without one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return build_reference(file["embeddings"], file["labels"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError.build(
            expected=f"an npz of embeddings and labels at {path}",
            got=str(error),
            cure="Write one with Reference.save.",
        ) from error


def _unit(embeddings: npt.NDArray[Any]) -> Floats:
    wide = np.asarray(embeddings, np.float64)
    length = np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), 1.0e-12)
    return np.asarray(wide / length, np.float64)
