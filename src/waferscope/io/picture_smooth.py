"""Maps that were enlarged with smooth transitions: back to a pixel per die.

Programs enlarge a map to 300x300 or 1024x1024 pixels, and many interpolate on the way. Then no
border between dies is left, but at its middle every die still has its own colour. The number of
dies along an axis is the one from whose middles the picture can be rebuilt best, in comparison
with the middles of one die more or less.

Shapes: pixels are uint8 ``[h, w, 4]``.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_FEWEST: Final = 5
_MOST: Final = 400
_LEAST_PITCH: Final = 3
_LINES: Final = 24
"""Lines of pixels that are looked at: those with the most in them."""
_DIP: Final = 0.75
"""How much better than its neighbours the right number is; measured: at most 0.69."""
_WEIGHTS: Final = tuple(np.float32(share) for share in (0.5, 0.3, 0.2))
_LARGEST: Final = 4096
"""Pixels of the longest side: beyond it the search would take seconds."""


def shrink_smooth(pixels: Pixels) -> Pixels | None:
    """Return the picture with a pixel per die, None where no number of dies stands out."""
    if max(pixels.shape) > _LARGEST:
        return None
    grey = np.zeros(pixels.shape[:2], np.float32)
    for channel, weight in enumerate(_WEIGHTS):
        grey += weight * pixels[..., channel]
    counts = _count(grey.T), _count(grey)
    if counts[0] is None or counts[1] is None:
        return None
    across = _sample(pixels.swapaxes(1, 2), counts[1]).swapaxes(1, 2)
    small = _sample(across.swapaxes(0, 2), counts[0]).swapaxes(0, 2)
    return np.clip(np.rint(small), 0, 255).astype(np.uint8)


def _count(grey: Floats) -> int | None:
    """Return how many dies lie along the last axis of a picture."""
    activity = np.abs(np.diff(grey, axis=1)).sum(axis=1)
    lines = np.ascontiguousarray(grey[np.argsort(activity)[-_LINES:]])
    size = lines.shape[1]
    most = min(_MOST, size // _LEAST_PITCH)
    misses = [
        float(np.abs(_sample(_sample(lines, count), size) - lines).mean())
        for count in range(_FEWEST - 1, most + 2)
    ]
    ratios = [
        here / max(min(before, after), 1e-9)
        for before, here, after in zip(misses, misses[1:], misses[2:], strict=False)
    ]
    best = min(ratios, default=1.0)
    return ratios.index(best) + _FEWEST if best < _DIP else None


def _sample(values: npt.NDArray[Any], count: int) -> Floats:
    """Return the values at the middles of ``count`` parts of the last axis, between two linear."""
    size = values.shape[-1]
    at = np.clip((np.arange(count) + 0.5) * size / count - 0.5, 0, size - 1)
    left = np.minimum(at.astype(np.intp), size - 2)
    share = (at - left).astype(np.float32)
    found: Floats = values[..., left] * (1 - share) + values[..., left + 1] * share
    return found
