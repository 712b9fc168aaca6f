"""Questions about batches, and how far one is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from waferscope.service.batches.schemas import MOST_WAFERS, BatchShown, NewBatch, eta
from waferscope.service.tables import Batch
from waferscope.service.tables.row import now


def make_batch(**more: Any) -> Batch:
    fields: dict[str, Any] = {
        "id": "bat_1",
        "user_id": "usr_1",
        "state": "running",
        "priority": 5,
        "model_version": "1",
        "request": {"threshold": 0.5, "model": None, "formats": ["csv"]},
        "results": {},
        "error": "",
        "total": 100,
        "done": 20,
        "failed": 5,
        "created_at": now(),
        "started_at": now() - timedelta(seconds=10),
        "finished_at": None,
    }
    return Batch(**fields | more)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"wafer_map_ids": []},
        {"wafer_map_ids": ["waf_1"], "lot_ids": ["lot_1"]},
        {"wafer_map_ids": ["waf_1", "waf_1"]},
        {"wafer_map_ids": ["w" * 41]},
        {"lot_ids": ["lot_1", "lot_1"]},
        {"lot_ids": ["lot_1"], "formats": ["csv", "csv"]},
        {"lot_ids": ["lot_1"], "formats": ["exe"]},
        {"lot_ids": ["lot_1"], "priority": 0},
        {"lot_ids": ["lot_1"], "priority": 11},
        {"lot_ids": ["lot_1"], "threshold": 1.5},
    ],
)
def test_an_unclear_order_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NewBatch.model_validate(asked)


def test_a_hundred_thousand_wafers_are_a_batch_and_no_more() -> None:
    ids = [f"waf_{number}" for number in range(MOST_WAFERS + 1)]
    assert MOST_WAFERS == 100_000
    assert len(NewBatch(wafer_map_ids=ids[:-1]).wafer_map_ids or ()) == MOST_WAFERS
    with pytest.raises(ValidationError):
        NewBatch(wafer_map_ids=ids)


def test_the_rest_takes_as_long_as_the_pace_says() -> None:
    batch = make_batch()
    assert batch.started_at is not None
    at = batch.started_at + timedelta(seconds=10)
    assert eta(batch, at) == 30.0  # 25 of 100 in 10 s


@pytest.mark.parametrize(
    ("more", "left"),
    [
        ({"state": "queued", "started_at": None}, None),
        ({"done": 0, "failed": 0}, None),
        ({"state": "done", "finished_at": now()}, 0.0),
        ({"done": 95}, None),  # its files are being written
        ({"done": 95, "finished_at": now(), "state": "done"}, 0.0),
    ],
)
def test_what_is_not_known_is_not_guessed(more: dict[str, Any], left: float | None) -> None:
    assert eta(make_batch(**more), now()) == left


def test_a_row_is_shown_with_its_progress() -> None:
    shown = BatchShown.of(make_batch(results={"json": "exports/a/b", "csv": "exports/a/c"}))
    assert (shown.progress, shown.results) == (0.25, ["csv", "json"])
    assert (shown.threshold, shown.formats) == (0.5, ["csv"])
    assert BatchShown.of(make_batch(total=0, done=0, failed=0)).progress == 0.0
