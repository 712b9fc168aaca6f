"""Which labels a run may use: fractions by label, what is left out, and how far to believe."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.ml.small import labelled_wafer
from waferscope.errors import ConfigError
from waferscope.ml.data import WaferSet
from waferscope.ml.selection import (
    Selection,
    keep_fraction,
    read_weights,
    select,
    weigh,
    without_labels,
)

KINDS: dict[tuple[str, ...], int] = {
    (): 60,
    ("Center",): 20,
    ("Donut",): 4,
    ("Center", "Donut"): 6,
    ("Center", "Edge-Ring", "Donut"): 2,
}


@pytest.fixture(scope="module")
def wafers() -> WaferSet:
    rng = np.random.default_rng(0)
    made = [
        labelled_wafer(rng, *k, shape=(9, 9)) for k, count in KINDS.items() for _ in range(count)
    ]
    return WaferSet(tuple(made), "file")


def counts(wafers: WaferSet) -> Counter[tuple[str, ...]]:
    return Counter(w.labels for w in wafers.wafers)


def test_a_fraction_is_taken_of_each_label_and_never_fewer_than_the_least(wafers: WaferSet) -> None:
    kept = keep_fraction(wafers, Selection(fraction=0.1), 0)
    assert counts(kept) == {
        (): 6,
        ("Center",): 3,
        ("Donut",): 3,
        ("Center", "Donut"): 3,
        ("Center", "Edge-Ring", "Donut"): 2,
    }
    assert keep_fraction(wafers, Selection(), 0) is wafers


def test_the_seed_says_which(wafers: WaferSet) -> None:
    half = Selection(fraction=0.5)
    one, again, other = (keep_fraction(wafers, half, seed) for seed in (1, 1, 2))
    names = [{w.wafer_id for w in s.wafers} for s in (one, again, other)]
    assert names[0] == names[1] != names[2]
    assert one.fingerprint == again.fingerprint != other.fingerprint
    assert counts(one) == counts(other)


def test_unlabelled_wafers_are_all_of_them_without_their_labels(wafers: WaferSet) -> None:
    blank = without_labels([wafers, wafers])
    assert len(blank.wafers) == 2 * len(wafers.wafers)
    assert set(counts(blank)) == {()}
    assert blank.fingerprint != wafers.fingerprint


def test_wafers_with_a_label_left_out_are_not_used_at_all(wafers: WaferSet) -> None:
    left = Selection(leave_labels=("Donut",))
    assert counts(select(wafers, left)) == {(): 60, ("Center",): 20}
    assert left.left_classes == ("ring",)
    assert Selection(leave_labels=("Edge-Loc", "Edge-Ring")).left_classes == ("edge",)
    assert Selection().left_classes == ()


def test_a_combination_left_out_is_that_one_alone_in_any_order(wafers: WaferSet) -> None:
    kept = select(wafers, Selection(leave_combinations=(("Donut", "Center"),)))
    assert counts(kept) == {k: n for k, n in KINDS.items() if k != ("Center", "Donut")}
    assert select(wafers, Selection()) is wafers


def test_weights_come_from_a_file(wafers: WaferSet, tmp_path: Path) -> None:
    first, second = wafers.wafers[0].wafer_id, wafers.wafers[1].wafer_id
    path = tmp_path / "weights.parquet"
    pq.write_table(pa.table({"wafer_id": [first, second], "weight": [0.0, 0.25]}), path)
    assert read_weights(path) == {first: 0.0, second: 0.25}
    weighed = select(wafers, Selection(weights=path))
    assert [w.weight for w in weighed.wafers[:3]] == [0.0, 0.25, 1.0]
    assert weighed.fingerprint != wafers.fingerprint
    assert weigh(wafers, {}).wafers[0].weight == 1.0


@pytest.mark.parametrize(
    "columns", [{"wafer_id": ["a"]}, {"wafer_id": ["a"], "weight": [2.0]}, {"weight": ["x"]}]
)
def test_a_file_without_weights_is_refused(
    columns: dict[str, list[object]], tmp_path: Path
) -> None:
    path = tmp_path / "weights.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(ConfigError, match="weight"):
        read_weights(path)
    with pytest.raises(ConfigError, match="waferscope weigh"):
        read_weights(tmp_path / "none.parquet")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fraction": 0.0}, "fraction"),
        ({"fraction": 1.5}, "fraction"),
        ({"least": 0}, "at least 1"),
        ({"leave_labels": ("Rign",)}, "Rign"),
        ({"leave_combinations": (("Loc", "Rign"),)}, "Rign"),
    ],
)
def test_selections_that_cannot_be_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Selection(**changes)  # type: ignore[arg-type]
