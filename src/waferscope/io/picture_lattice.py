"""The die pitch of a drawn wafer map, from where its colours change.

Along one axis a profile counts the colour changes between neighbouring pixels. In a map they lie
at the borders of dies alone, a pitch apart; a grid line or gap doubles each border into two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Profile = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_STRAY: Final = 0.05
"""Share of colour changes that may lie in the middle half of dies."""
_SMALLEST: Final = 3.0
_FEWEST: Final = 3
_SURE: Final = -6.0
_SURE_AMONG_MANY: Final = -16.0
_TIE: Final = 1e-6
_ROUNDINGS: Final = (0.5, 0.0)
"""A pixel shows the die under its middle (Pillow, matplotlib) or its upper left end (OpenCV)."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Dies along one axis: die k spans ``start + k * pitch`` to ``start + (k + 1) * pitch``.

    In pixels from the picture's left or upper end. ``share`` of the colour changes lie at the
    borders; ``found`` is False where a pixel was taken as a die for want of a larger pitch.
    """

    start: float
    pitch: float
    share: float
    found: bool = True

    def centres(self, size: int) -> Floats:
        """Return the middles of the dies in a picture of ``size`` pixels."""
        first = np.ceil(-self.start / self.pitch - 0.5)
        last = np.ceil((size - self.start) / self.pitch - 0.5)
        numbers = np.arange(int(first), int(last), dtype=np.float64)
        centres: Floats = self.start + (numbers + 0.5) * self.pitch
        return centres[(centres >= 0) & (centres < size)]


def find_axis(profile: Profile, size: int) -> Axis:
    """Return the dies along an axis of ``size`` pixels, the largest pitch that fits.

    ``profile[i]`` counts the colour changes between pixel i and i + 1.

    >>> axis = find_axis(np.array([0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 2, 0]), 18)
    >>> axis.start, axis.pitch
    (0.0, 4.0)
    """
    edges = np.flatnonzero(profile) + 1
    weights = profile[edges - 1].astype(np.float64)
    return (
        _wide(edges, weights) or _narrow(edges, weights, size) or Axis(0.0, 1.0, 1.0, found=False)
    )


def _wide(edges: npt.NDArray[np.intp], weights: Floats) -> Axis | None:
    """Return dies of three pixels or more, with or without gaps, not quite even ones included.

    The edges' Fourier transform has a peak at the pitch; the pitch counts when the middle half of
    every die is free of edges. Harmonics fit as well, so the largest pitch is taken.
    """
    if len(edges) < _FEWEST:
        return None
    span = float(edges[-1] - edges[0])
    profile = np.zeros(int(4 * span))
    profile[edges - edges[0]] = weights
    waves = np.conj(np.fft.rfft(profile))
    frequencies = np.arange(len(waves)) / len(profile)
    strong = np.abs(waves) >= 0.25 * weights.sum()
    usable = strong & (frequencies >= 2 / span) & (frequencies <= 1 / _SMALLEST)
    for number in np.flatnonzero(usable):
        pitch = 1 / frequencies[number]
        start = edges[0] + np.angle(waves[number]) / (2 * np.pi) * pitch
        axis = _refine(edges, weights, float(start), float(pitch))
        if axis is not None:
            return axis
    return None


def _refine(
    edges: npt.NDArray[np.intp], weights: Floats, start: float, pitch: float
) -> Axis | None:
    if _stray(edges, weights, start, pitch) > 4 * _STRAY:
        return None
    for _ in range(4):
        border = np.round((edges - start) / pitch)
        if border[0] == border[-1]:
            return None
        middle = np.average(border, weights=weights)
        spread = np.average((border - middle) ** 2, weights=weights)
        rise = np.average((border - middle) * (edges - edges.mean()), weights=weights)
        pitch = float(rise / spread)
        start = float(np.average(edges, weights=weights) - pitch * middle)
        if pitch < _SMALLEST - 0.05:
            return None
    stray = _stray(edges, weights, start, pitch)
    borders = np.unique(np.round((edges - start) / pitch))
    enough = max(_FEWEST, 0.3 * (borders[-1] - borders[0] + 1))
    if stray > _STRAY or len(borders) < enough:
        return None
    whole = round(pitch)
    if abs(pitch - whole) * (borders[-1] - borders[0]) < 0.3:
        pitch = float(whole)
        off = (edges - start) / pitch
        start += float(np.average(off - np.round(off), weights=weights)) * pitch
    start = round(start * 2) / 2 if pitch == whole else start
    return Axis(float(start % pitch), pitch, 1 - stray)


def _stray(edges: npt.NDArray[np.intp], weights: Floats, start: float, pitch: float) -> float:
    off = (edges - start) / pitch
    inside = np.abs(off - np.round(off)) > 0.25
    return float(weights[inside].sum() / weights.sum())


def _narrow(edges: npt.NDArray[np.intp], weights: Floats, size: int) -> Axis | None:
    """Return dies of one to three pixels without gaps, as resizing to the nearest pixel makes.

    Every edge has to lie where rounding puts a border, and more often than by chance.
    """
    if len(edges) < _FEWEST:
        return None
    for pitch in (3.0, 2.0):
        start = float(edges[0] % pitch)
        fits = (edges - edges[0]) % pitch == 0
        if fits.all() and -len(edges) * np.log(pitch) < _SURE:
            return Axis(start, pitch, 1.0)
    for first, last in ((0, size), (int(edges[0]), int(edges[-1]))):
        for count in range(max(_FEWEST, (last - first) // 3), last - first):
            pitch = (last - first) / count
            if -len(edges) * np.log(pitch) > _SURE_AMONG_MANY:
                break
            for shift in _ROUNDINGS:
                if _fits(edges - first, pitch, shift).all() and (
                    np.log(_fits(np.arange(1, last - first), pitch, shift).mean()) * len(edges)
                    < _SURE_AMONG_MANY
                ):
                    return Axis(float((first + 0.5 - shift) % pitch), pitch, 1.0)
    return None


def _fits(places: npt.NDArray[np.intp], pitch: float, shift: float) -> npt.NDArray[np.bool_]:
    """Return which places between pixels a border is rounded to.

    One that lies between two pixels to the last digit is rounded either way by Pillow, which adds
    up its steps.
    """
    at = (places + shift) / pitch
    tie = _TIE if shift else 0.0
    found: npt.NDArray[np.bool_] = np.floor(at + 1e-9 + tie) > at - 1 / pitch + 1e-9 - 2 * tie
    return found
