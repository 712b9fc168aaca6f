"""Predictions as maps of bins: what an inker gets to read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.hand_made import build_prediction
from waferscope.domain.inking import BinMapping, ink
from waferscope.errors import InputError
from waferscope.io import WriteOptions, read, write

SQUARE = (slice(5, 8), slice(5, 8))
OPTIONS = WriteOptions(bins=BinMapping({"particle": 21}, good_neighbour=99, radius=1))


@pytest.mark.parametrize("format", ["e142", "g85", "sinf"])
def test_marked_dies_come_back(tmp_path: Path, format: str) -> None:
    preds = build_prediction({"particle": SQUARE}, fails=[(2, 5)], wafer_id="W1", lot_id="L1")
    (path,) = write(preds, tmp_path / "map", format, options=OPTIONS)
    (wafer,) = read(path)
    expected = ink(preds, BinMapping({"particle": 21}, 99, 1))
    assert np.array_equal(wafer.dies, expected.dies)
    assert wafer.bins is not None
    assert expected.bins is not None
    assert wafer.bins.hard is not None
    assert expected.bins.hard is not None
    assert np.array_equal(wafer.bins.hard, expected.bins.hard)
    assert (wafer.bins.hard[SQUARE] == 21).all()
    assert int((wafer.bins.hard == 99).sum()) == 16
    if format != "sinf":
        assert wafer.bins.hard_names[21] == "particle"


@pytest.mark.parametrize("format", ["e142", "g85", "sinf"])
def test_bins_must_be_given(tmp_path: Path, format: str) -> None:
    with pytest.raises(InputError, match="bins for the classes"):
        write(build_prediction(), tmp_path / "map", format)
    assert not list(tmp_path.iterdir())
