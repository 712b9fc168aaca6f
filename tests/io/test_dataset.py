"""Public sets made ready: each map once, lots whole, labels in proportion."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from tests.io.wafers import grids
from waferscope.domain.wafermap import Source, WaferMap
from waferscope.errors import InputError
from waferscope.io import read
from waferscope.io.dataset import (
    Shares,
    build_dataset,
    count_labels,
    dataset_bytes,
    drop_duplicates,
    map_key,
    split_lots,
)

Grid = npt.NDArray[np.uint8]


def wafer(seed: int, *labels: str, lot: str | None = None, known: bool = True) -> WaferMap:
    dies = np.random.default_rng(seed).integers(1, 3, (6, 7), dtype=np.uint8)
    return WaferMap(
        dies, wafer_id=f"w{seed}", lot_id=lot, patterns=tuple(labels) if known else None
    )


def eight(dies: Grid) -> list[Grid]:
    """All turns and mirrors, by hand: transposed or not, each axis reversed or not."""
    return [t[::rows, ::cols] for t in (dies, dies.T) for rows in (1, -1) for cols in (1, -1)]


@given(grids(5), grids(5))
def test_keys_agree_for_the_eight_symmetries_alone(one: Grid, other: Grid) -> None:
    assert {map_key(view) for view in eight(one)} == {map_key(one)}
    same = any(np.array_equal(view, other) for view in eight(one))
    assert (map_key(one) == map_key(other)) == same


def test_the_first_labelled_wafer_of_a_map_stays() -> None:
    dies = wafer(1).dies
    wafers = [
        WaferMap(dies, wafer_id="unlabelled"),
        WaferMap(np.rot90(dies), wafer_id="first", patterns=("Loc",)),
        WaferMap(dies[::-1], wafer_id="again", patterns=("Loc",)),
        wafer(2, "Center"),
    ]
    kept, repeated, disputed = drop_duplicates(wafers)
    assert [w.wafer_id for w in kept] == ["first", "w2"]
    assert (repeated, disputed) == (2, 0)


def test_maps_with_two_labels_go_whole() -> None:
    wafers = [wafer(1, "Loc"), wafer(1), wafer(2, "Loc", "Center"), wafer(2, "Center", "Loc")]
    kept, repeated, disputed = drop_duplicates(wafers)
    assert [w.wafer_id for w in kept] == ["w2"]
    assert (repeated, disputed) == (1, 2)


@pytest.fixture
def lots(rng: np.random.Generator) -> list[WaferMap]:
    """300 wafers in lots of up to 8; one in ten is Loc, one in thirty Scratch."""
    sizes = rng.integers(1, 9, 100)
    ends = np.cumsum(sizes)[np.cumsum(sizes) <= 300]
    names = [f"lot{n}" for n, (a, b) in enumerate(pairwise([0, *ends])) for _ in range(b - a)]
    labels = [("Scratch",) if n % 30 == 0 else ("Loc",) if n % 10 == 1 else () for n in range(300)]
    return [wafer(n, *labels[n], lot=name) for n, name in enumerate(names)]


def test_lots_stay_whole_and_labels_in_proportion(lots: list[WaferMap]) -> None:
    where = split_lots(lots, Shares(0.25, 0.15))
    by_lot: dict[str | None, set[int]] = {}
    for one, split in zip(lots, where, strict=True):
        by_lot.setdefault(one.lot_id, set()).add(int(split))
    assert {len(splits) for splits in by_lot.values()} == {1}
    for label in ("Loc", "Scratch", "none"):
        has = np.array([label in (w.patterns or ("none",)) for w in lots])
        shares = np.bincount(where[has], minlength=3) / has.sum()
        assert np.allclose(shares, (0.6, 0.25, 0.15), atol=0.12), label


def test_splits_are_the_same_each_time_and_follow_the_seed(lots: list[WaferMap]) -> None:
    one, again, other = (split_lots(lots, Shares(seed=s)) for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert set(one.tolist()) == {0, 1}


def test_without_lots_each_wafer_is_its_own() -> None:
    wafers = [wafer(n, "Loc") for n in range(40)]
    assert np.bincount(split_lots(wafers, Shares(0.25))).tolist() == [30, 10]
    assert split_lots([], Shares()).tolist() == []


def test_a_dataset_says_what_it_left_out(lots: list[WaferMap]) -> None:
    extra = [
        WaferMap(np.zeros((2, 2), np.uint8), patterns=()),
        wafer(0, "Scratch", lot="lot0"),
        *(wafer(1000 + n, lot=w.lot_id, known=False) for n, w in enumerate(lots)),
    ]
    made = build_dataset([*lots, *extra], Shares(0.25, 0.1), keep_unlabelled=True)
    assert made.left_out["without a die"] == 1
    assert made.left_out["the same map as another"] == 1
    held = {w.lot_id for name in ("val", "test") for w in made.parts[name]}
    assert held & {w.lot_id for w in made.parts["unlabelled"]} == set()
    hidden = made.left_out["without a label, of lots in val or test"]
    assert hidden + len(made.parts["unlabelled"]) == len(lots)
    plain = build_dataset([*lots, *extra])
    assert plain.left_out["without a label"] == len(lots)
    assert sum(map(len, plain.parts.values())) == len(lots)


def test_labels_are_counted() -> None:
    wafers = [wafer(1), wafer(2, "Loc", "Center"), wafer(3, "Loc"), wafer(4, known=False)]
    assert count_labels(wafers) == {"none": 1, "Loc": 2, "Center": 1}


def test_the_file_has_the_columns_of_training() -> None:
    extra = {"die_size": 42, "official_split": "training"}
    wafers = [
        WaferMap(
            wafer(n).dies,
            wafer_id=f"w{n}",
            lot_id=f"lot{n // 2}",
            slot=n + 1,
            patterns=None if n == 2 else ("Loc",) * (n == 1),
            source=Source("lswmd", extra=extra if n else {}),
        )
        for n in range(3)
    ]
    data = dataset_bytes(wafers, {"lot0": 0, "lot1": 1})
    table = pq.read_table(io.BytesIO(data)).to_pydict()
    assert list(table)[:6] == ["wafer_id", "lot_group", "rows", "cols", "dies", "patterns"]
    assert table["lot_group"] == [0, 0, 1]
    assert table["patterns"] == [[], ["Loc"], None]
    assert table["die_size"] == [None, 42, 42]
    assert table["official_split"] == [None, "training", "training"]
    for one, back in zip(wafers, read(data), strict=True):
        assert np.array_equal(one.dies, back.dies)
        assert (one.lot_id, one.slot, one.patterns) == (back.lot_id, back.slot, back.patterns)


def test_without_lots_there_is_no_lot_column() -> None:
    names = pq.read_schema(io.BytesIO(dataset_bytes([wafer(1, "Loc")], {}))).names
    assert names == ["wafer_id", "rows", "cols", "dies", "patterns"]


@pytest.mark.parametrize(("val", "test"), [(0, 0), (1, 0), (0.6, 0.4), (-0.1, 0), (0.2, -0.1)])
def test_shares_leave_some_for_train(val: float, test: float) -> None:
    with pytest.raises(InputError, match="leave some for train"):
        Shares(val, test)
