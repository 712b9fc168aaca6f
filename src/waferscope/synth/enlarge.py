"""A wafer with known zones, drawn again on a larger grid: there are few large real wafers.

Zones keep their shape, their borders bent by up to half a die of the wafer given; fails are drawn
anew, at the rate that they had there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from waferscope.domain.grid import rho_theta
from waferscope.domain.wafermap import FAIL, PASS
from waferscope.errors import InputError
from waferscope.synth.generate import SynthWafer
from waferscope.synth.grid import FloatGrid, smooth_noise

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]

_BEND: Final = 0.5
"""Most that a border is moved by, in dies of the wafer given."""
_WAVE: Final = 4
"""Dies of the wafer given from one bend to the next: closer ones would fold zones into pieces."""
_SHARP: Final = 0.8
_CALM: Final = 3.0
"""Scales on which fail rates are taken, in dies: inside zones and outside all of them."""


def enlarge(rng: np.random.Generator, wafer: SynthWafer, shape: tuple[int, int]) -> SynthWafer:
    """Return the wafer on a grid of ``shape``, round, with its classes and patterns.

    Raises InputError for a shape that is smaller on either side.
    """
    if min(np.subtract(shape, wafer.dies.shape)) < 0:
        raise InputError(
            f"Expected a grid of at least {wafer.dies.shape} dies to enlarge to, got {shape}. "
            "Draw a smaller wafer, or a larger grid."
        )
    present = rho_theta(np.ones(shape, bool))[0] <= 1.0
    row, col = _places(rng, wafer.dies > 0, shape)
    fails = rng.random(shape) < _rates(wafer)[row, col]
    dies = np.where(present, np.where(fails, FAIL, PASS), 0).astype(np.uint8)
    zones = wafer.zones[:, row, col] & present
    return replace(wafer, dies=dies, zones=zones, reticle=None)


def _places(rng: np.random.Generator, present: Mask, shape: tuple[int, int]) -> tuple[Ints, Ints]:
    """Return for each die of a larger grid the die that it comes from, rows and columns."""
    ends = present.shape
    at = []
    for axis, (given, wanted) in enumerate(zip(ends, shape, strict=True)):
        even = (np.arange(wanted) + 0.5) * given / wanted
        noise = np.clip(smooth_noise(rng, shape, max(4, max(ends) // _WAVE)) / 2.0, -1.0, 1.0)
        bent = np.expand_dims(even, 1 - axis) + _BEND * noise
        at.append(np.clip(np.floor(bent), 0, given - 1).astype(np.intp))
    nearest: Ints = ndimage.distance_transform_edt(
        ~present, return_distances=False, return_indices=True
    )
    row, col = nearest[:, at[0], at[1]]
    return row, col


def _rates(wafer: SynthWafer) -> FloatGrid:
    """Return the fail rate around each die, of dies in the same zones."""
    present, fails = wafer.dies > 0, wafer.dies == FAIL
    zone_of = np.tensordot(2 ** np.arange(len(wafer.zones)), wafer.zones, axes=1)
    rates = np.zeros(present.shape, np.float32)
    for number in np.unique(zone_of[present]):
        alike = present & (zone_of == number)
        scale = _SHARP if number else _CALM
        seen, hit = (
            cv2.GaussianBlur(x.astype(np.float32), (0, 0), scale, borderType=cv2.BORDER_CONSTANT)
            for x in (alike, alike & fails)
        )
        rates[alike] = (hit / np.maximum(seen, 1e-6))[alike]
    return rates
