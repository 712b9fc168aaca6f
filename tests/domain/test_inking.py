"""What an inker marks, against a loop over all pairs of dies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.hand_made import build_prediction
from waferscope.domain.inking import GDBN_NAME, BinMapping, good_neighbours, ink
from waferscope.domain.wafermap import Bins
from waferscope.errors import InputError

Grid = npt.NDArray[np.uint8]
GRIDS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: hnp.arrays(np.uint8, shape, elements=st.integers(0, 2))
)
SQUARE = (slice(5, 8), slice(5, 8))


@settings(max_examples=60, deadline=None)
@given(GRIDS, st.integers(1, 12))
def test_neighbours_against_every_pair(dies: Grid, radius: int) -> None:
    pattern = dies == 2
    found = good_neighbours(dies, pattern, radius)
    for row, col in np.ndindex(dies.shape):
        near = any(
            max(abs(row - r), abs(col - c)) <= radius for r, c in np.argwhere(pattern).tolist()
        )
        assert found[row, col] == (near and dies[row, col] == 1)


def test_classes_and_neighbours_get_their_bins() -> None:
    preds = build_prediction({"particle": SQUARE}, fails=[(2, 5)])
    wafer = ink(preds, BinMapping({"particle": 30, "scratch": 31}, good_neighbour=40, radius=2))
    bins = wafer.bins
    assert bins is not None
    assert bins.hard is not None
    assert (bins.hard[SQUARE] == 30).all()
    assert (wafer.dies[SQUARE] == 2).all()
    ring = np.zeros_like(preds.wafer.dies, bool)
    ring[3:10, 3:10] = True
    ring[SQUARE] = False
    assert np.array_equal(bins.hard == 40, ring & (preds.wafer.dies == 1))
    assert (wafer.dies[bins.hard == 40] == 2).all()
    assert bins.hard[2, 5] == 2  # a fail of no pattern keeps its bin
    assert bins.hard[7, 13] == 1
    assert bins.hard_names == {30: "particle", 31: "scratch", 40: GDBN_NAME}


def test_a_die_of_two_classes_takes_the_most_probable_that_has_a_bin() -> None:
    preds = build_prediction({"particle": SQUARE, "scratch": SQUARE})
    probs = preds.probs.copy()
    probs[preds.taxonomy.channel("scratch")][SQUARE] = 0.95
    from dataclasses import replace

    sharper = replace(preds, probs=probs)
    both = ink(sharper, BinMapping({"particle": 7, "scratch": 8})).bins
    one = ink(sharper, BinMapping({"particle": 7})).bins
    for bins, expected in ((both, 8), (one, 7)):
        assert bins is not None
        assert bins.hard is not None
        assert (bins.hard[SQUARE] == expected).all()


def test_own_bins_and_names_stay() -> None:
    plain = build_prediction({"particle": SQUARE})
    hard = np.where(plain.wafer.dies == 2, 9, plain.wafer.dies * 3).astype(np.uint16)
    preds = build_prediction(
        {"particle": SQUARE}, bins=Bins(hard, hard_names={3: "good", 30: "old"})
    )
    bins = ink(preds, BinMapping({"particle": 30})).bins
    assert bins is not None
    assert bins.hard is not None
    assert np.array_equal(bins.hard, np.where(hard == 9, 30, hard))
    assert bins.hard_names == {3: "good", 30: "particle"}
    unmarked = ink(preds, BinMapping({})).bins
    assert unmarked is not None
    assert unmarked.hard is not None
    assert np.array_equal(unmarked.hard, hard)


def test_classes_may_share_a_bin() -> None:
    bins = ink(build_prediction(), BinMapping({"particle": 30, "scratch": 30})).bins
    assert bins is not None
    assert bins.hard_names == {30: "particle / scratch"}


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (lambda: BinMapping({"particle": 0}), "bins from 1"),
        (lambda: BinMapping({"particle": 65535}), "bins from 1"),
        (lambda: BinMapping({"particle": 3}, good_neighbour=4, radius=0), "radius"),
        (lambda: BinMapping({"particle": 3}, good_neighbour=3), "bin of its own"),
        (lambda: ink(build_prediction(), BinMapping({"nope": 3})), "classes out of"),
        (lambda: ink(build_prediction(), BinMapping({"particle": 1})), "no passing die has"),
    ],
)
def test_mappings_that_cannot_be(mapping: object, words: str) -> None:
    assert callable(mapping)
    with pytest.raises(InputError, match=words):
        mapping()
