"""What surrounds each die: how many of its neighbours fail, and how far the outside is."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from waferscope.domain.grid import FloatGrid

Mask = npt.NDArray[np.bool_]


def fail_density(fails: Mask, present: Mask, sigma: float) -> FloatGrid:
    """Return the share of failing dies around every die, Gaussian weights, 0 off the wafer.

    Only dies that are there count, so the density does not fade towards the rim. ``sigma`` is in
    dies.

    >>> present = np.ones((5, 5), dtype=bool)
    >>> fail_density(present, present, sigma=1.0).min().item()
    1.0
    """
    outside = cv2.BORDER_CONSTANT
    hits = cv2.GaussianBlur(fails.astype(np.float32), (0, 0), sigma, borderType=outside)
    dies = cv2.GaussianBlur(present.astype(np.float32), (0, 0), sigma, borderType=outside)
    return np.where(present, hits / np.maximum(dies, 1e-6), np.float32(0))


def rim_depth(present: Mask) -> npt.NDArray[np.int32]:
    """Return each die's layer: 1 touches the outside by side or corner, 0 is off the wafer.

    Single unprobed dies inside the wafer do not count as outside.

    >>> rim_depth(np.ones((5, 5), dtype=bool))[2].tolist()
    [1, 2, 3, 2, 1]
    """
    pad = 4  # closing needs room, or OpenCV treats the array's border as part of the wafer
    padded = cv2.copyMakeBorder(present.astype(np.uint8), pad, pad, pad, pad, cv2.BORDER_CONSTANT)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    distance = cv2.distanceTransform(closed, cv2.DIST_C, 3)[pad:-pad, pad:-pad]
    return np.where(present, np.rint(distance), 0).astype(np.int32)
