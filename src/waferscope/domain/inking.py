"""Which dies an inker marks for a prediction: those of patterns, and good ones close to them.

A good die in a bad neighbourhood (GDBN) passed its test, but lies so close to a pattern that it is
likely to fail early. Closeness is the Chebyshev distance in dies, max(|rows|, |columns|): radius 1
are the eight neighbours, as the rule is used in sort.

Shapes: grids are ``[rows, cols]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import FAIL, MAX_SIDE, PASS, BinGrid, Bins, DieGrid, WaferMap
from waferscope.errors import InputError

if TYPE_CHECKING:
    from waferscope.domain.prediction import Prediction

Mask = npt.NDArray[np.bool_]
LARGEST_BIN: Final = 0xFFFE
GDBN_NAME: Final = "good die in bad neighbourhood"


@dataclass(frozen=True, slots=True)
class BinMapping:
    """Bins for the classes of a prediction, and for good dies close to their dies.

    ``classes`` maps names of classes to bins; classes that it lacks are not marked. With
    ``good_neighbour``, passing dies within ``radius`` dies of a marked one get that bin and fail.
    Several classes may share a bin; ``good_neighbour`` has one of its own. Raises InputError for
    bins outside 1 to 65,534 and a radius below 1.
    """

    classes: Mapping[str, int]
    good_neighbour: int | None = None
    radius: int = 1

    def __post_init__(self) -> None:
        own = () if self.good_neighbour is None else (self.good_neighbour,)
        wrong = [n for n in (*self.classes.values(), *own) if not 1 <= n <= LARGEST_BIN]
        if wrong or not 1 <= self.radius <= MAX_SIDE:
            raise InputError(
                f"Expected bins from 1 to {LARGEST_BIN} and a radius from 1 to {MAX_SIDE} dies, "
                f"got bins {list(self.classes.values()) + list(own)} and radius {self.radius}. "
                "Correct the mapping."
            )
        if set(own) & set(self.classes.values()):
            raise InputError(
                f"Expected a bin of its own for good neighbours, got {self.good_neighbour}, which "
                "a class has too. Use another bin."
            )


def good_neighbours(dies: DieGrid, pattern: Mask, radius: int) -> Mask:
    """Return the passing dies within ``radius`` dies (Chebyshev) of a die of the pattern.

    >>> dies = np.array([[1, 1, 1, 1], [1, 2, 0, 1]], np.uint8)
    >>> good_neighbours(dies, dies == 2, 1).astype(int)
    array([[1, 1, 1, 0],
           [1, 0, 0, 0]])
    """
    from scipy.ndimage import maximum_filter1d

    near = pattern.astype(np.uint8)
    for axis, length in enumerate(near.shape):
        reach = min(radius, length)
        near = maximum_filter1d(near, 2 * reach + 1, axis=axis, mode="constant", cval=0)
    close: Mask = (near > 0) & (dies == PASS)
    return close


def ink(prediction: Prediction, mapping: BinMapping) -> WaferMap:
    """Return the wafer with the bins of the mapping on the dies that it marks.

    A die of several classes gets the bin of the most probable one that has a bin. Other dies keep
    their bins (1 pass and 2 fail where the wafer has none). Raises InputError for classes that the
    taxonomy lacks, and for a bin of the mapping that passing dies have.
    """
    wafer, names = prediction.wafer, prediction.taxonomy.class_names
    unknown = [name for name in mapping.classes if name not in names]
    if unknown:
        raise InputError(
            f"Expected classes out of {', '.join(names)} in a bin mapping, got "
            f"{', '.join(unknown)}. Use names of this taxonomy."
        )
    codes = np.array([mapping.classes.get(name, 0) for name in names], np.uint16)
    mapped = np.flatnonzero(codes)
    own = wafer.bins or Bins()
    hard = (own.hard if own.hard is not None else wafer.dies).astype(np.uint16)
    dies = wafer.dies.copy()
    named = {int(codes[c]): "" for c in mapped}
    if mapped.size:
        masks = prediction.masks[mapped]
        best = np.where(masks, prediction.probs[mapped], -1.0).argmax(axis=0)
        pattern: Mask = np.any(masks, axis=0)
        hard[pattern] = codes[mapped][best[pattern]]
        for name, code in mapping.classes.items():
            named[code] = f"{named[code]} / {name}" if named[code] else name
        if mapping.good_neighbour is not None:
            close = good_neighbours(wafer.dies, pattern, mapping.radius)
            hard[close], dies[close] = mapping.good_neighbour, FAIL
            named[mapping.good_neighbour] = GDBN_NAME
    _check_free(hard, dies, named)
    return replace(
        wafer, dies=dies, bins=replace(own, hard=hard, hard_names={**own.hard_names, **named})
    )


def _check_free(hard: BinGrid, dies: DieGrid, named: Mapping[int, str]) -> None:
    taken = sorted({*np.unique(hard[dies == PASS]).tolist()} & set(named))
    if taken:
        raise InputError(
            f"Expected bins for patterns that no passing die has, got {taken}. "
            "Map the classes to bins that fail or are free."
        )
