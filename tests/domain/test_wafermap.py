"""Wafer maps: refused at the door when wrong, nothing lost when turned."""

from __future__ import annotations

import hashlib
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from waferscope.domain.wafermap import MAX_SIDE, Bins, Frame, Notch, Reticle, Source, WaferMap
from waferscope.errors import WaferError

GRIDS = arrays(
    np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 2)
)
FRAMES = st.builds(
    Frame,
    st.integers(-9, 9),
    st.integers(-9, 9),
    st.sampled_from([-1, 1]),
    st.sampled_from([-1, 1]),
    st.booleans(),
)
ROUND: npt.NDArray[Any] = np.array([[0, 1, 0], [1, 2, 1], [0, 1, 2]], dtype=np.uint8)


def test_counts_and_yield() -> None:
    wafer = WaferMap(ROUND)
    assert (wafer.shape, wafer.die_count, wafer.fail_count) == ((3, 3), 6, 2)
    assert wafer.wafer_yield == pytest.approx(4 / 6)


def test_a_wafer_without_a_tested_die_has_no_yield() -> None:
    wafer = WaferMap(np.zeros((1, 1), dtype=np.uint8))
    assert wafer.die_count == wafer.fail_count == 0
    assert np.isnan(wafer.wafer_yield)


def test_arrays_are_copied_and_frozen() -> None:
    mine: npt.NDArray[Any] = ROUND.astype(np.int64)
    wafer = WaferMap(mine, bins=Bins(hard=mine))
    mine[:] = 0
    np.testing.assert_array_equal(wafer.dies, ROUND)
    assert wafer.dies.dtype == np.uint8
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert wafer.bins.hard.dtype == np.uint16
    for grid in (wafer.dies, wafer.bins.hard):
        with pytest.raises(ValueError, match="read-only"):
            grid[0, 0] = 1
    with pytest.raises(FrozenInstanceError):
        wafer.wafer_id = "2"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("dies", "message"),
    [
        (np.ones(4, dtype=np.uint8), "2-D"),
        (np.ones((0, 4), dtype=np.uint8), "2-D"),
        (np.ones((1, MAX_SIDE + 1), dtype=np.uint8), "4096"),
        (np.ones((2, 2)), "integer type"),
        (np.full((2, 2), 3), "3 to 3"),
        (np.full((2, 2), -1), "-1 to -1"),
        (np.full((2, 2), 258), "258"),  # would wrap to 2
    ],
)
def test_a_wrong_grid_is_refused(dies: npt.NDArray[Any], message: str) -> None:
    with pytest.raises(WaferError, match=message):
        WaferMap(dies)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"notch": "south"}, "down, left, up or right"),
        ({"die_width_mm": 0.0}, "die_width_mm"),
        ({"die_height_mm": float("nan")}, "die_height_mm"),
        ({"diameter_mm": -300.0}, "diameter_mm"),
        ({"tested_at": datetime(2026, 1, 2)}, "time zone"),
        ({"bins": Bins(soft=np.ones((2, 2), dtype=np.uint16))}, "soft bins of shape"),
        ({"wafer_id": 5}, "Expected wafer_id to be a text, got int 5"),
        ({"wafer_id": None}, "Expected wafer_id to be a text, got NoneType"),
        ({"lot_id": 7}, "Expected lot_id to be a text or None"),
        ({"slot": "x"}, "Expected slot to be a whole number or None"),
        ({"slot": True}, "Expected slot to be a whole number or None"),
        ({"die_width_mm": "7"}, "Expected die_width_mm to be a number of mm or None"),
        ({"tested_at": "2020"}, "Expected tested_at to be a datetime or None"),
        ({"frame": (0, 0, 1, 1)}, "Expected frame to be a Frame, got tuple"),
        ({"reticle": (3, 4)}, "Expected reticle to be a Reticle or None"),
        ({"bins": np.ones((3, 3))}, "Expected bins to be Bins or None"),
        ({"source": "lot.csv"}, "Expected source to be a Source or None"),
        ({"patterns": "Center"}, "Expected patterns as a list of texts, got str 'Center'"),
        ({"patterns": [1]}, "Expected patterns as a list of texts"),
        ({"notes": "abc"}, "Expected notes as a list of texts"),
        ({"notes": 3}, "Expected notes as a list of texts"),
        ({"centre": (1, "x")}, "centre within"),
        ({"centre": 4}, "centre within"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(WaferError, match=message):
        WaferMap(ROUND, **fields)


@pytest.mark.parametrize(
    "hard", [np.ones(3, dtype=np.uint8), np.ones((2, 2)), np.full((2, 2), 70_000)]
)
def test_wrong_bins_are_refused(hard: npt.NDArray[Any]) -> None:
    with pytest.raises(WaferError, match="hard bins"):
        Bins(hard=hard)


def test_a_frame_and_a_reticle_refuse_what_cannot_be() -> None:
    with pytest.raises(WaferError, match=r"\+1 or -1"):
        Frame(dx=0)
    with pytest.raises(WaferError, match="1x1"):
        Reticle(0, 3)


def test_equality_looks_into_arrays() -> None:
    wafer = WaferMap(ROUND, wafer_id="1", bins=Bins(hard=ROUND), source=Source("csv"))
    assert wafer == WaferMap(ROUND, wafer_id="1", bins=Bins(hard=ROUND), source=Source("csv"))
    assert wafer != replace(wafer, wafer_id="2")
    assert wafer != replace(wafer, dies=np.where(ROUND == 2, 1, ROUND))
    assert wafer != replace(wafer, bins=Bins(hard=ROUND * 2))
    assert wafer != replace(wafer, bins=None)
    assert wafer != "a wafer"


def test_the_fingerprint_is_of_the_map_alone() -> None:
    expected = hashlib.sha256(b"3x3:" + bytes([0, 1, 0, 1, 2, 1, 0, 1, 2])).hexdigest()
    assert WaferMap(ROUND, wafer_id="a").fingerprint == expected
    assert WaferMap(ROUND[::-1], wafer_id="b").fingerprint != expected
    flat, tall = np.ones((1, 4), dtype=np.uint8), np.ones((4, 1), dtype=np.uint8)
    assert WaferMap(flat).fingerprint != WaferMap(tall).fingerprint


@given(FRAMES, st.integers(-20, 20), st.integers(-20, 20))
def test_a_frame_leads_there_and_back(frame: Frame, row: int, col: int) -> None:
    assert frame.to_cell(*frame.to_xy(row, col)) == (row, col)


@given(FRAMES)
def test_a_frame_places_points_between_cells(frame: Frame) -> None:
    one, other = frame.to_xy(2, 5), frame.to_xy(3, 6)
    middle = ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2)
    assert frame.to_xy(2.5, 5.5) == middle


@given(GRIDS, FRAMES, st.sampled_from(["down", "left", "up", "right"]))
def test_turning_keeps_every_die_at_its_coordinates(
    dies: npt.NDArray[np.uint8], frame: Frame, notch: Notch
) -> None:
    hard: npt.NDArray[Any] = np.arange(dies.size).reshape(dies.shape)
    wafer = WaferMap(
        dies, notch=notch, frame=frame, bins=Bins(hard), die_width_mm=2.0, die_height_mm=3.0,
        centre=(0.25, 1.5),
    )  # fmt: skip
    turned = wafer.notch_down()
    assert turned.centre is not None
    assert frame.to_xy(0.25, 1.5) == turned.frame.to_xy(*turned.centre)
    assert turned.notch == "down"
    assert turned.bins is not None
    assert turned.bins.hard is not None
    for row in range(dies.shape[0]):
        for col in range(dies.shape[1]):
            there = turned.frame.to_cell(*frame.to_xy(row, col))
            assert turned.dies[there] == dies[row, col]
            assert turned.bins.hard[there] == hard[row, col]
    sideways = notch in ("left", "right")
    assert turned.die_width_mm == (3.0 if sideways else 2.0)


@pytest.mark.parametrize(
    ("notch", "cell"), [("down", (2, 1)), ("left", (1, 0)), ("up", (0, 1)), ("right", (1, 2))]
)
def test_the_notch_ends_up_at_the_bottom(notch: Notch, cell: tuple[int, int]) -> None:
    dies = np.ones((3, 3), dtype=np.uint8)
    dies[cell] = 2
    assert WaferMap(dies, notch=notch).notch_down().dies[2, 1] == 2


@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_turning_keeps_dies_in_their_field(
    shape: tuple[int, int], rows: int, cols: int, top: int, left: int
) -> None:
    reticle = Reticle(rows, cols, top % rows, left % cols)

    def places(shape: tuple[int, int], reticle: Reticle) -> list[tuple[int, int]]:
        return [
            ((r - reticle.row_offset) // reticle.rows, (c - reticle.col_offset) // reticle.cols)
            for r in range(shape[0])
            for c in range(shape[1])
        ]

    fields = np.unique(np.array(places(shape, reticle)), axis=0, return_inverse=True)[1]
    turned_shape = (shape[1], shape[0])
    found = np.unique(
        np.array(places(turned_shape, reticle.turn(shape))), axis=0, return_inverse=True
    )[1].reshape(turned_shape)
    back = np.rot90(found, -1).ravel()
    pairs = set(zip(fields.ravel().tolist(), back.tolist(), strict=True))
    assert len(pairs) == len(set(fields.tolist())) == len(set(back.tolist()))


def test_everything_else_is_carried_along() -> None:
    wafer = WaferMap(
        ROUND,
        wafer_id="7",
        lot_id="L",
        slot=3,
        notch="left",
        tested_at=datetime(2026, 1, 2, tzinfo=UTC),
        patterns=["Loc"],  # type: ignore[arg-type]
        notes=["two retests"],  # type: ignore[arg-type]
        bins=Bins(soft=ROUND, soft_names={2: "leak"}),
    )
    turned = wafer.notch_down()
    assert (wafer.patterns, wafer.notes) == (("Loc",), ("two retests",))
    kept = ("wafer_id", "lot_id", "slot", "tested_at", "patterns", "notes")
    assert all(getattr(turned, name) == getattr(wafer, name) for name in kept)
    assert turned.bins is not None
    assert turned.bins.hard is None
    assert turned.bins.soft_names == {2: "leak"}
