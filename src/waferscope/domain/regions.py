"""Connected regions of one class: gaps bridged, touching clusters parted."""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]

NECK: Final = 0.75
"""Two clusters are parted where the neck is below this share of the smaller one's half-width."""
SMALLEST_CORE: Final = 2.5
"""Half-width, in dies, below which a bulge is noise of the outline, not a cluster."""
_SQUARE: Final = np.ones((3, 3), np.uint8)
_CROSS: Final = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


class DieTable(NamedTuple):
    """The dies of ``regions`` regions, int64 ``[n]`` each, in order of region, row and column.

    Regions are numbered from 0, have a die each at least, and may share dies: those of two
    classes do.
    """

    region: Ints
    row: Ints
    col: Ints
    regions: int

    @property
    def starts(self) -> Ints:
        """Where the dies of each region begin, int64 ``[regions]``."""
        return np.searchsorted(self.region, np.arange(self.regions))


class Boxes(NamedTuple):
    """The boxes of regions, half-open, int64 ``[regions]`` each."""

    top: Ints
    left: Ints
    bottom: Ints
    right: Ints


def bounding_boxes(table: DieTable) -> Boxes:
    """Return the smallest box around each region; the table has at least one."""
    first = table.starts
    last = np.append(first[1:], table.row.size) - 1
    left, right = (end.reduceat(table.col, first) for end in (np.minimum, np.maximum))
    return Boxes(table.row[first], left, table.row[last] + 1, right + 1)


def label_regions(mask: Mask, closing: int = 0) -> tuple[int, Labels]:
    """Return how many regions ``mask`` has and their labels: int32 ``[rows, cols]``, 0 outside.

    Two dies are in one region when a chain of dies joins them in which at most ``closing`` dies
    lie between one and the next in row and column (0: they touch, corners included). Bridging
    adds no die: every die outside the mask stays 0.

    >>> label_regions(np.array([[1, 0, 1, 0, 0, 1]], dtype=bool), closing=1)
    (2, array([[1, 0, 1, 0, 0, 2]], dtype=int32))
    """
    image = np.ascontiguousarray(mask, dtype=np.uint8)
    if not closing:
        count, found = cv2.connectedComponents(image, connectivity=8)
        return count - 1, np.asarray(found, np.int32)
    # Every die grown to a square of closing + 1: squares touch exactly when the gap is bridged.
    square = np.ones((closing + 1, closing + 1), np.uint8)
    grown = cv2.dilate(image, square, anchor=(closing, closing))
    count, found = cv2.connectedComponents(grown, connectivity=8)
    labels = np.asarray(found, np.int32)
    labels[image == 0] = 0
    return count - 1, labels


def split_touching(mask: Mask, min_dies: int = 1) -> tuple[int, Labels]:
    """Part one region into the clusters that touch in it; labels as in `label_regions`.

    Watershed by immersion (Vincent and Soille, 1991) of the distance to the outline, from the
    cores whose half-width exceeds that of every neck to a larger core by 1 / `NECK`. Passing
    dies inside do not count as outline. A region is left whole when a piece of it would hold
    fewer than ``min_dies`` dies. OpenCV's and SciPy's watersheds flood along differences between
    neighbours, which are the same everywhere on a distance map, and miss the neck.
    """
    whole = mask.astype(np.int32)
    if not mask.any():
        return 0, whole
    pad = 2
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    depth = _depth(np.asarray(padded, np.uint8))
    if depth.max() < SMALLEST_CORE:
        return 1, whole
    count, cores = _cores(depth)
    if count < 2:
        return 1, whole
    labels = _flood(depth, cores)[pad:-pad, pad:-pad].copy()
    labels[~mask] = 0
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    stray = np.count_nonzero(mask & (labels == 0))
    return (count, labels) if sizes.min() >= min_dies and not stray else (1, whole)


def _depth(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the distance to the outline, drawn at half the density of the dies and without holes.

    A morphological closing would fill passing dies as well, and with them the notch between two
    clusters: by 4 dies where two discs of radius 9 meet.
    """
    density = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0)
    inside = image > 0
    solid = (inside | (density >= density[inside].mean() / 2)).astype(np.uint8)
    outside = solid.copy()
    cv2.floodFill(outside, None, (0, 0), 1)
    solid |= outside ^ 1
    return np.asarray(cv2.distanceTransform(solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


def _cores(depth: npt.NDArray[np.float32]) -> tuple[int, Labels]:
    """Label the summits of ``depth`` that stand out of their surroundings by 1 / NECK."""
    lowered = depth * np.float32(NECK)
    level = lowered
    while True:  # grey reconstruction: each summit spreads at NECK of its height
        grown = np.minimum(cv2.dilate(level, _SQUARE), depth)
        if np.array_equal(grown, level):
            break
        level = grown
    # A summit that keeps its own lowered height meets no higher ground above that height.
    own = (level <= lowered) & (depth >= SMALLEST_CORE)
    flat = (level >= cv2.dilate(level, _SQUARE)) & (depth > 0)
    _, plateaus = cv2.connectedComponents(flat.astype(np.uint8), connectivity=8)
    kept = np.unique(plateaus[own & flat])
    number = np.zeros(int(plateaus.max()) + 1, np.int32)
    number[kept] = np.arange(1, kept.size + 1)
    return kept.size, number[plateaus]


def _flood(depth: npt.NDArray[np.float32], cores: Labels) -> Labels:
    """Grow ``cores`` downhill, level by level, until the ground is taken."""
    labels = cores.astype(np.float32)
    for level in np.unique(np.ceil(depth * 4))[::-1] / 4 - 0.25:
        ground = depth > max(float(level), 0.0)
        while True:
            free = ground & (labels == 0)
            for reach in (_CROSS, _SQUARE):  # over corners only where there is no other way
                grown = cv2.dilate(labels, reach)
                taken = free & (grown > 0)
                if taken.any():
                    break
            else:
                break
            labels[taken] = grown[taken]
    return labels.astype(np.int32)
