"""``--bins`` and its kin."""

from __future__ import annotations

import pytest

from waferscope.cli.inking import mapping_of, parse_bins
from waferscope.domain.inking import BinMapping
from waferscope.errors import InputError


def test_bins_of_classes() -> None:
    assert parse_bins("scratch=21") == {"scratch": 21}
    assert parse_bins(" scratch = 21 ,edge=7") == {"scratch": 21, "edge": 7}


@pytest.mark.parametrize(
    "text", ["", "scratch", "scratch=", "=21", "scratch=x", "scratch=-1", "a=1,a=2", "a=1,", "a=²"]
)
def test_what_names_no_bins(text: str) -> None:
    with pytest.raises(InputError, match="CLASS=BIN"):
        parse_bins(text)


def test_a_mapping() -> None:
    assert mapping_of(None, None, 1) is None
    assert mapping_of("edge=7", None, 1) == BinMapping({"edge": 7})
    assert mapping_of("edge=7", 99, 3) == BinMapping({"edge": 7}, 99, 3)


def test_neighbours_of_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="whose neighbours"):
        mapping_of(None, 99, 1)


def test_bins_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="bins from 1"):
        mapping_of("edge=0", None, 1)
    with pytest.raises(InputError, match="a bin of its own"):
        mapping_of("edge=7", 7, 1)
