"""How much the dies of a synthetic wafer say of each zone, to one who knows all the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from waferscope.domain.wafermap import FAIL
from waferscope.synth.generate import Drawn
from waferscope.synth.grid import FloatGrid
from waferscope.synth.place import Placed

_SURE: Final = 1.0e-3
"""Chances are held this far from 0 and 1: no single die proves a thing."""


def zone_evidence(drawn: Drawn) -> dict[str, float]:
    """Return for each class of a wafer the log-likelihood ratio of its dies, in nats.

    It compares the dies with the layer and without it, background and other layers being known.
    One who must find the zone needs more than the logarithm of the number of places and shapes it
    could have: some 12 nats for a line on 30 dies across, and a few more to be sure.
    """
    dies = drawn.wafer.dies
    on, fails = dies > 0, dies == FAIL
    found = {}
    for index, one in enumerate(drawn.placed):
        others = (*drawn.placed[:index], *drawn.placed[index + 1 :])
        without, without_passing = _chances(drawn, others)
        within, within_passing = _chances(drawn, (*others, one))
        gain = np.where(fails, within / without, within_passing / without_passing)
        found[one.layer.name] = float(np.log(gain[on]).sum())
    return found


def _chances(drawn: Drawn, placed: Sequence[Placed]) -> tuple[FloatGrid, FloatGrid]:
    """Return each die's chances to fail and to pass under the background and these layers."""
    passing = 1.0 - drawn.background.prob
    for one in placed:
        passing = passing * (1.0 - one.layer.prob)
    passing = np.clip(passing, _SURE, 1.0 - _SURE)
    return 1.0 - passing, passing
