"""What a prediction says of each die in the words of KLARF: a class number and a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from waferscope.domain.prediction import Prediction

Grid = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Class number and cluster per die, int32 ``[rows, cols]`` (0: none), and the class names."""

    classes: Grid
    clusters: Grid
    names: dict[int, str]


def build_marks(prediction: Prediction) -> Marks:
    """Return the marks of a prediction.

    A die's class is that of its mask, its cluster the number of its defect in ``defects``, from 1
    on. Of a die in several the one of the largest probability counts.
    """
    masks, probs = prediction.masks, prediction.probs
    ids = np.array([c.id for c in prediction.taxonomy.classes], np.int32)
    surest = np.where(masks, probs, -1.0)
    channel = surest.argmax(axis=0)
    classes = np.where(masks.any(axis=0), ids[channel], 0).astype(np.int32)
    clusters = np.zeros(classes.shape, np.int32)
    for number, defect in enumerate(prediction.defects, 1):
        row0, col0, row1, col1 = defect.bbox
        box = np.s_[row0:row1, col0:col1]
        clusters[box][defect.mask & (classes[box] == defect.class_id)] = number
    return Marks(classes, clusters, {c.id: c.name for c in prediction.taxonomy.classes})
