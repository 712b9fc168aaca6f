"""Totals of a lot against loops over all of its wafers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.hand_made import build_prediction, disc
from waferscope.domain.prediction import Prediction
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.errors import InputError
from waferscope.report.summary import LotSummary, summarise, update


def lot(count: int = 12) -> list[Prediction]:
    """Wafers with a centre of growing size; every third has none, every fourth another grid."""
    made = []
    for k in range(count):
        zones = {} if k % 3 == 0 else {"center": np.s_[7 - k % 5 : 8 + k % 5, 6:9]}
        made.append(
            build_prediction(
                zones,
                ["Center"] if k % 2 else [],
                dies=disc(17 if k % 4 == 0 else 15),
                fails=[(7, 1 + k % 3)],
                wafer_id=f"W{k}",
                lot_id=f"L{k % 2}",
                product="P",
                tested_at=datetime(2026, 1, 1 + k, tzinfo=UTC),
                notes=("guessed",) if k < 5 else (),
            )
        )
    return made


def test_totals_equal_sums_over_the_wafers() -> None:
    predictions = lot()
    total = summarise(predictions).total
    assert total.wafers == 12
    assert total.dies == sum(p.wafer.die_count for p in predictions)
    assert total.fails == sum(p.wafer.fail_count for p in predictions)
    assert total.mean_yield == pytest.approx(np.mean([p.wafer.wafer_yield for p in predictions]))
    assert total.mean_severity == pytest.approx(np.mean([p.severity for p in predictions]))
    lost = sum(int(p.masks.any(axis=0).sum()) for p in predictions)
    assert total.yield_loss == pytest.approx(lost / total.dies)
    assert (
        total.class_dies.tolist() == np.sum([p.masks.sum((1, 2)) for p in predictions], 0).tolist()
    )
    assert total.class_wafers.sum() == sum(p.masks.any() for p in predictions)
    assert total.class_defects.sum() == sum(len(p.defects) for p in predictions)
    assert total.labels == {"Center": 6}
    assert total.unlabelled == 6
    assert total.conflicted == sum(bool(p.conflicts) for p in predictions)


def test_lots_add_up_to_the_total() -> None:
    found = summarise(lot())
    assert sorted(found.lots) == ["L0", "L1"]
    for name in ("wafers", "dies", "fails", "lost_dies", "clean", "unlabelled"):
        parts = sum(getattr(counts, name) for counts in found.lots.values())
        assert parts == getattr(found.total, name)


def test_stack_counts_each_position() -> None:
    predictions = lot()
    shape, stack = summarise(predictions).commonest_stack or pytest.fail("no stack")
    same = [p.wafer.dies for p in predictions if p.wafer.shape == shape]
    assert shape == (15, 15)
    assert stack.wafers == len(same) == 9
    rates = stack.rates
    for row, col in [(7, 7), (7, 1), (0, 7)]:
        assert rates[row, col] == np.mean([dies[row, col] == 2 for dies in same])
    assert np.isnan(rates[0, 0])


def test_radial_profile_puts_centre_fails_in_the_first_bins() -> None:
    found = summarise([build_prediction({"center": np.s_[6:9, 6:9]})])
    assert found.radial_dies.sum() == np.count_nonzero(disc())
    assert found.radial_fails.sum() == 9
    assert found.radial_fails[4:].sum() == 0


def test_the_worst_are_kept_in_order_whatever_order_they_came_in() -> None:
    predictions = lot()
    ranked = sorted(predictions, key=lambda p: -p.severity)
    found = summarise(predictions, gallery_limit=4, table_limit=7)
    assert [r.severity for r in found.worst_rows] == [p.severity for p in ranked[:7]]
    assert [r.severity for r, _ in found.gallery] == [p.severity for p in ranked[:4]]
    assert found.total.wafers == 12


def test_equals_stay_in_the_order_they_came() -> None:
    found = summarise([build_prediction(wafer_id=f"W{k}") for k in range(5)], table_limit=3)
    assert [row.wafer_id for row in found.worst_rows] == ["W0", "W1", "W2"]


def test_limits_of_zero_keep_nothing() -> None:
    found = summarise(lot(3), gallery_limit=0, table_limit=0)
    assert found.gallery == []
    assert found.worst_rows == []
    assert found.total.wafers == 3


def test_predictions_are_read_one_at_a_time_and_let_go() -> None:
    alive = 0

    class Watched(Prediction):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def stream() -> Iterator[Prediction]:
        nonlocal alive
        for prediction in lot(6):
            alive += 1
            assert alive <= 2
            names = prediction.__dataclass_fields__
            yield Watched(**{name: getattr(prediction, name) for name in names})

    assert summarise(stream()).total.wafers == 6


def test_notes_and_conflicts_are_counted_with_examples() -> None:
    found = summarise(lot())
    assert found.notes["guessed"].wafers == 5
    assert found.notes["guessed"].examples == ["W0", "W1", "W2"]
    assert all(not any(c.isdigit() for c in text) for text in found.conflicts)


def test_dates_and_products_span_the_lot() -> None:
    found = summarise(lot())
    assert found.tested_first == datetime(2026, 1, 1, tzinfo=UTC)
    assert found.tested_last == datetime(2026, 1, 12, tzinfo=UTC)
    assert found.products == {"P": 12}


def test_two_models_with_other_classes_are_refused() -> None:
    found = LotSummary()
    update(found, build_prediction())
    other = build_prediction()
    renamed = Taxonomy("2", DEFAULT_TAXONOMY.classes[:7], (), {})
    object.__setattr__(other, "taxonomy", renamed)
    with pytest.raises(InputError, match="one report per model"):
        update(found, other)


def test_a_wafer_without_dies_counts_and_has_no_yield() -> None:
    found = summarise([build_prediction(dies=np.zeros((4, 4), dtype=np.uint8))])
    assert found.total.wafers == 1
    assert np.isnan(found.total.mean_yield)
    assert found.total.yield_loss == 0
