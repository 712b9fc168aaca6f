"""What is drawn around the dies of a wafer map: a frame of paper, the wafer's rim.

Shapes: pictures are ``[h, w]``, their pixels numbers of colours.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.io.picture_file import Labels

_FRAMES: Final = 2
_PAPER: Final = 0.02
"""Share of a picture's pixels that may have the colour of the frame around it."""
_REACH: Final = 0.6
_THIN: Final = 0.12
"""Share of its ellipse that a rim, or the line of a frame, covers."""


def find_background(labels: Labels) -> int | None:
    """Return the colour of the four corners, None when they have several."""
    corners = np.unique(labels[np.ix_((0, -1), (0, -1))])
    return int(corners[0]) if len(corners) == 1 else None


def strip_frame(labels: Labels) -> Labels:
    """Return the map without the paper around it and without a line around the wafer.

    Paper of one colour around a rectangle whose own corners have another is cut off, as plotting
    tools leave it. A thin line that encloses most of the picture becomes background.
    """
    for _ in range(_FRAMES):
        labels = _cut(labels)
    background = find_background(labels)
    return labels if background is None else _erase_lines(labels, background)


def extent(mask: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns of the smallest box around what is true; all when nothing is."""
    if not mask.any():
        return slice(None), slice(None)
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def is_beside(dies: npt.NDArray[np.bool_]) -> bool:
    """Tell cells outside the box around the largest piece, and not next to it: no dies of it."""
    import cv2

    count, _, stats, _ = cv2.connectedComponentsWithStats(dies.astype(np.uint8), connectivity=8)
    if count < 3:
        return False
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    left, top, wide, tall, _ = (int(part) for part in stats[largest])
    rest = dies.copy()
    rest[max(0, top - 1) : top + tall + 1, max(0, left - 1) : left + wide + 1] = False
    return bool(rest.any())


def is_one_piece(dies: npt.NDArray[np.bool_]) -> bool:
    """Tell cells that hang together but for a few."""
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats(dies.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    return bool(areas.max() >= 0.995 * areas.sum())


def _cut(labels: Labels) -> Labels:
    paper = find_background(labels)
    if paper is None:
        return labels
    inner = labels[extent(labels != paper)]
    own = find_background(inner)
    whole = own is not None and own != paper and inner.shape != labels.shape
    return inner if whole and (inner == paper).mean() <= _PAPER else labels


def _erase_lines(labels: Labels, background: int) -> Labels:
    import cv2

    drawn = labels != background
    box = drawn[extent(drawn)].shape
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(
        drawn.astype(np.uint8), connectivity=8
    )
    tall, wide, area = (
        stats[1:, part] for part in (cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH, cv2.CC_STAT_AREA)
    )
    around = (tall >= _REACH * box[0]) & (wide >= _REACH * box[1])
    lines = 1 + np.flatnonzero(around & (area <= _THIN * tall * wide))
    if lines.size in (0, count - 1):
        return labels
    return np.where(np.isin(pieces, lines), np.uint8(background), labels)
