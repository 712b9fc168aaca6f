"""Wafers given inline are the wafer maps that they stand for, or are refused."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from waferscope.domain.wafermap import Frame, Reticle, WaferMap
from waferscope.errors import WaferError
from waferscope.service.predictions.inline import WaferGiven, build_wafer

DIES = np.array([[0, 1, 0], [1, 2, 1]], np.uint8)
PACKED = base64.b64encode(DIES.tobytes()).decode()


def build(**given: Any) -> WaferMap:
    return build_wafer(WaferGiven.model_validate(given))


@pytest.mark.parametrize(
    "given",
    [
        {"dies": DIES.tolist()},
        {"dies": ["010", "121"]},
        {"dies": PACKED, "shape": [2, 3]},
    ],
)
def test_dies_may_be_written_in_three_ways(given: dict[str, Any]) -> None:
    assert build(**given) == WaferMap(DIES)


def test_every_field_is_taken_over() -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    plain: dict[str, Any] = {
        "wafer_id": "W1",
        "lot_id": "L1",
        "slot": 3,
        "product": "P",
        "step": "sort",
        "tester": "T9",
        "die_width_mm": 2.5,
        "die_height_mm": 3.0,
        "diameter_mm": 300.0,
        "notch": "left",
    }
    wafer = build(
        dies=DIES.tolist(),
        tested_at=moment.isoformat(),
        centre=[0.5, 1.0],
        frame={"x0": 4, "dy": -1},
        reticle={"rows": 2, "cols": 3, "row_offset": 1},
        **plain,
    )
    assert wafer == WaferMap(
        DIES,
        tested_at=moment,
        centre=(0.5, 1.0),
        frame=Frame(x0=4, dy=-1),
        reticle=Reticle(2, 3, 1, 0),
        **plain,
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"dies": []}, "one length"),
        ({"dies": [[]]}, "sides of 1 to"),
        ({"dies": [[1, 2], [1]]}, "one length"),
        ({"dies": ["12", "1"]}, "one length"),
        ({"dies": [[3]]}, "values 0 to 2"),
        ({"dies": [[-1]]}, "values 0 to 2"),
        ({"dies": [[1 << 70]]}, "huge"),
        ({"dies": ["1x"]}, "values 0 to 2"),
        ({"dies": ["1é"]}, "one byte or digit each"),
        ({"dies": PACKED}, "shape beside"),
        ({"dies": PACKED, "shape": [3, 3]}, "3 x 3 dies, got 6"),
        ({"dies": "not base64!", "shape": [2, 3]}, "none"),
    ],
)
def test_dies_that_cannot_be_are_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(WaferError, match=why):
        build(**given)


@pytest.mark.parametrize(
    "more",
    [
        {"shape": [0, 3]},
        {"shape": [4097, 1]},
        {"die_width_mm": 0},
        {"die_width_mm": 1e300},
        {"die_height_mm": "NaN"},
        {"die_height_mm": 1e-200},
        {"frame": {"dx": 2}},
        {"reticle": {"rows": 0, "cols": 1}},
        {"notch": "east"},
        {"tested_at": "2026-03-01T12:00:00"},
        {"wafer_id": "x" * 201},
        {"colour": "red"},
    ],
)
def test_fields_that_cannot_be_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WaferGiven.model_validate({"dies": [[1]], **more})
