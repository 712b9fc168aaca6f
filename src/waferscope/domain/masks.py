"""From probabilities to masks, and masks as COCO run lengths."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from waferscope.domain.regions import label_regions
from waferscope.domain.taxonomy import DefectClass, Taxonomy
from waferscope.domain.wafermap import FAIL
from waferscope.errors import InputError

Mask = npt.NDArray[np.bool_]


def build_masks(
    probs: npt.NDArray[np.float32],
    dies: npt.NDArray[np.uint8],
    thresholds: Sequence[float],
    taxonomy: Taxonomy,
) -> Mask:
    """Return bool ``[C, rows, cols]``: failing dies in the zone of each class, specks removed.

    ``probs`` is float32 ``[C, rows, cols]``, ``dies`` uint8 ``[rows, cols]``, ``thresholds`` one
    number per class. A die is marked when it fails and its probability reaches the threshold.
    Regions with fewer dies than the class's ``min_dies`` are removed; a ``whole`` class is one
    region. Raises InputError when the shapes do not fit each other.
    """
    channels = len(taxonomy.classes)
    if probs.shape != (channels, *dies.shape) or len(thresholds) != channels:
        raise InputError(
            f"Expected probs of shape {(channels, *dies.shape)} and {channels} thresholds, "
            f"got {probs.shape} and {len(thresholds)}. "
            "Give one channel and one threshold per class of the taxonomy."
        )
    limits = np.asarray(thresholds, dtype=probs.dtype)[:, None, None]
    masks: Mask = probs >= limits
    masks &= dies == FAIL
    for channel in np.flatnonzero(masks.any(axis=(1, 2))):
        remove_specks(masks[channel], taxonomy.classes[channel])
    return masks


def remove_specks(mask: Mask, rule: DefectClass) -> None:
    """Clear, in place, the regions of ``mask`` that hold fewer dies than ``rule.min_dies``."""
    if rule.min_dies <= 1:
        return
    image = mask.view(np.uint8)
    if rule.grouping == "whole" or cv2.countNonZero(image) < rule.min_dies:
        if cv2.countNonZero(image) < rule.min_dies:
            mask[:] = False
        return
    col, row, width, height = cv2.boundingRect(image)
    crop = mask[row : row + height, col : col + width]
    _, labels = label_regions(crop, rule.closing)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    if (sizes[1:] < rule.min_dies).any():
        crop &= (sizes >= rule.min_dies)[labels]


def mask_to_rle(mask: Mask) -> dict[str, list[int]]:
    """Return a mask as uncompressed COCO run lengths: column by column, zeros first.

    >>> mask_to_rle(np.array([[0, 1], [1, 1]], dtype=bool))
    {'size': [2, 2], 'counts': [1, 3]}
    """
    if not mask.any():
        return {"size": list(mask.shape), "counts": [mask.size]}
    flat = mask.ravel(order="F")
    edges = [0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), flat.size]
    counts = [end - start for start, end in itertools.pairwise(edges)]
    if flat.size and flat[0]:
        counts.insert(0, 0)
    return {"size": list(mask.shape), "counts": counts}


def rle_to_mask(rle: Mapping[str, Any]) -> Mask:
    """Return the bool ``[rows, cols]`` mask of run lengths; the inverse of `mask_to_rle`.

    Raises InputError when the runs do not fill the size.
    """
    try:
        rows, cols = (int(side) for side in rle["size"])
        counts = np.asarray(rle["counts"], dtype=np.int64)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"Expected run lengths with a size of two sides and a list of counts, got {rle!r:.80}. "
            "Write them as mask_to_rle does."
        ) from error
    if counts.ndim != 1 or (counts < 0).any() or counts.sum() != rows * cols:
        raise InputError(
            f"Expected counts that add up to {rows} x {cols} cells, got {int(counts.sum())}. "
            "The run lengths belong to another map or are damaged."
        )
    values = np.arange(counts.size) % 2 == 1
    flat: Mask = np.repeat(values, counts)
    return flat.reshape((rows, cols), order="F")
