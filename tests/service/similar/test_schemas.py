"""What can be asked to be alike."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from waferscope.service.selection.filters import EVERYTHING
from waferscope.service.similar.schemas import MOST_NEIGHBOURS, LikeEmbedding, LikeWafer


def test_ten_neighbours_out_of_all_wafers_unless_told() -> None:
    asked = LikeEmbedding(embedding=[1.0], model_version="1")
    assert (asked.k, asked.wanted) == (10, EVERYTHING)
    assert LikeWafer(wafer_id="waf_1").model_version is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"embedding": []},
        {"embedding": [0.0] * 257},
        {"embedding": [math.nan]},
        {"embedding": [2.0]},
        {"k": 0},
        {"k": MOST_NEIGHBOURS + 1},
    ],
    ids=["none", "too many", "no number", "too long", "no neighbour", "too many neighbours"],
)
def test_what_is_no_embedding_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LikeEmbedding.model_validate({"embedding": [1.0], "model_version": "1", **wrong})
