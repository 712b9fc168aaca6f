"""Control charts of rates: how often a class is found, lot by lot or day by day, within limits.

Shapes: each array is ``[g]``, one value per group of wafers (a lot, a day), in order of time.

Both charts are those of D. C. Montgomery, Introduction to Statistical Quality Control: the p-chart
for samples of varying size (section "Variable Sample Size"), and the exponentially weighted moving
average of S. W. Roberts, Technometrics 1 (1959), with limits that widen from the first group on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.errors import InputError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SIGMAS: Final = 3.0
"""Half the width of the limits, in standard deviations."""
WEIGHT: Final = 0.2
"""Weight of the newest group in the moving average."""
ROUNDING: Final = 1e-12
"""What arithmetic alone may put beyond a limit: a class on every wafer has limits of no width."""


@dataclass(frozen=True, eq=False)
class Chart:
    """A control chart: rates, what is plotted, the line in its middle and the limits around it.

    ``rates`` are counts over totals; ``values`` are what is held against ``lower`` and ``upper``
    (the rates again, or their moving average). ``centre`` is the rate of the baseline. All of
    them run from 0 to 1.
    """

    centre: float
    rates: Floats
    values: Floats
    lower: Floats
    upper: Floats

    @property
    def above(self) -> Flags:
        """Which groups lie over their upper limit."""
        return self.values > self.upper + ROUNDING

    @property
    def below(self) -> Flags:
        """Which groups lie under their lower limit."""
        return self.values < self.lower - ROUNDING


def build_p_chart(
    counts: Sequence[int],
    totals: Sequence[int],
    *,
    sigmas: float = SIGMAS,
    baseline: int | None = None,
) -> Chart:
    """Return the p-chart of ``counts`` out of ``totals``: each group by itself.

    The limits of a group of n wafers are centre ± sigmas * sqrt(centre * (1 - centre) / n), cut
    at 0 and 1. The centre is the rate of the first ``baseline`` groups; of all by default.
    Raises InputError for counts that are not out of totals, or no groups.

    >>> chart = build_p_chart([2, 3, 1, 14], [25, 25, 20, 25])
    >>> round(chart.centre, 3), chart.above.tolist()
    (0.211, [False, False, False, True])
    """
    found, tested = _checked(counts, totals)
    centre = _centre(found, tested, baseline)
    spread = sigmas * np.sqrt(centre * (1 - centre) / tested)
    rates = found / tested
    return Chart(
        centre=centre,
        rates=rates,
        values=rates,
        lower=np.maximum(centre - spread, 0.0),
        upper=np.minimum(centre + spread, 1.0),
    )


def build_ewma_chart(
    counts: Sequence[int],
    totals: Sequence[int],
    *,
    weight: float = WEIGHT,
    sigmas: float = SIGMAS,
    baseline: int | None = None,
) -> Chart:
    """Return the chart of the moving average of ``counts`` out of ``totals``: for slow drifts.

    z = weight * rate + (1 - weight) * z of the group before, from the centre on. Its variance
    follows the same way from that of each rate, centre * (1 - centre) / n, so that groups of any
    size have the right limits. ``weight`` is above 0 and at most 1; 1 gives the p-chart.
    Raises InputError as `build_p_chart`, and for other weights.

    >>> chart = build_ewma_chart([2, 3, 4, 6, 6, 7], [50] * 6, baseline=2)
    >>> chart.above.tolist()
    [False, False, False, False, True, True]
    """
    if not 0 < weight <= 1:
        raise InputError(f"Expected a weight above 0 and at most 1, got {weight}. 0.2 is usual.")
    found, tested = _checked(counts, totals)
    centre = _centre(found, tested, baseline)
    rates = found / tested
    values, variances = np.empty_like(rates), np.empty_like(rates)
    value, variance = centre, 0.0
    for i, (rate, n) in enumerate(zip(rates, tested, strict=True)):
        value = weight * rate + (1 - weight) * value
        variance = weight**2 * centre * (1 - centre) / n + (1 - weight) ** 2 * variance
        values[i], variances[i] = value, variance
    spread = sigmas * np.sqrt(variances)
    return Chart(
        centre=centre,
        rates=rates,
        values=values,
        lower=np.maximum(centre - spread, 0.0),
        upper=np.minimum(centre + spread, 1.0),
    )


def _checked(counts: Sequence[int], totals: Sequence[int]) -> tuple[Floats, Floats]:
    found = np.asarray(counts, dtype=np.float64)
    tested = np.asarray(totals, dtype=np.float64)
    if found.ndim != 1 or found.shape != tested.shape or not found.size:
        raise InputError(
            f"Expected as many counts as totals, and some, got {found.shape} and {tested.shape}. "
            "Give one of each per group."
        )
    if (tested < 1).any() or (found < 0).any() or (found > tested).any():
        raise InputError(
            "Expected totals of 1 or more and counts from 0 to them, got others. "
            "Leave groups without wafers out."
        )
    return found, tested


def _centre(found: Floats, tested: Floats, baseline: int | None) -> float:
    if baseline is not None and baseline < 1:
        raise InputError(f"Expected a baseline of 1 group or more, got {baseline}. Leave it out.")
    return float(found[:baseline].sum() / tested[:baseline].sum())
