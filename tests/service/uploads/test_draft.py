"""From wafers to rows: names that can be kept, figures counted anew, ids in the file's order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.io.wafers import wafers
from waferscope.domain.wafermap import WaferMap
from waferscope.service.uploads.draft import MOST_NOTES, Fill, build_drafts, clean, clean_notes

AT = datetime(2026, 3, 1, tzinfo=UTC)
PLAIN = WaferMap(np.array([[1, 2], [0, 1]]), wafer_id="W1", lot_id="L1")


@given(wafers())
def test_figures_are_those_of_the_dies(wafer: WaferMap) -> None:
    (draft,) = build_drafts([wafer], Fill(), AT)
    cells = [int(value) for row in wafer.dies for value in row]
    tested, fails = sum(value > 0 for value in cells), cells.count(2)
    assert (draft.row["dies"], draft.row["fails"]) == (tested, fails)
    assert draft.row["yield_share"] == pytest.approx(1 - fails / tested)
    assert (draft.row["rows"], draft.row["cols"]) == wafer.dies.shape
    assert draft.row["dated"] == (wafer.tested_at or AT)


@given(st.text(max_size=300))
def test_what_is_kept_of_a_name_can_be_kept(text: str) -> None:
    kept = clean(text)
    assert kept.isprintable()
    assert len(kept) <= 200
    assert kept.encode().decode() == kept  # no half of a surrogate pair


def test_ids_sort_in_the_order_of_the_file() -> None:
    drafts = build_drafts([replace(PLAIN, wafer_id=str(n)) for n in range(50)], Fill(), AT)
    assert [draft.row["name"] for draft in sorted(drafts, key=lambda d: d.id)] == [
        str(n) for n in range(50)
    ]
    assert len({draft.row["blob"] for draft in drafts}) == 50


def test_what_the_file_says_goes_before_what_is_said() -> None:
    (draft,) = build_drafts([PLAIN], Fill(lot="L9", product="P9"), AT)
    assert draft.lot == ("L1", "P9")
    assert draft.wafer.product == "P9"
    assert draft.row["text"] == "w1 l1 p9"


@pytest.mark.parametrize(("slot", "kept"), [(3, 3), (None, None), (-1, None), (1 << 31, None)])
def test_slots_that_cannot_be_are_left_out(slot: int | None, kept: int | None) -> None:
    (draft,) = build_drafts([replace(PLAIN, slot=slot)], Fill(), AT)
    assert draft.row["slot"] == kept


def test_a_time_beyond_the_calendar_is_left_out() -> None:
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9)))
    (draft,) = build_drafts([replace(PLAIN, tested_at=first)], Fill(), AT)
    assert (draft.row["tested_at"], draft.row["dated"]) == (None, AT)


def test_many_notes_are_counted() -> None:
    notes = clean_notes(f"note {number}" for number in range(MOST_NOTES + 7))
    assert len(notes) == MOST_NOTES + 1
    assert notes[-1] == "7 further notes left out"
    assert clean_notes(["a\0b", "a\0b", "ab"]) == ["ab"]
