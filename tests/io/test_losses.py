"""What formats lose, measured by writing and reading."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

import numpy as np
import pytest

from waferscope.domain.wafermap import Bins, Frame, Reticle, WaferMap
from waferscope.errors import FormatError
from waferscope.io import READERS, WRITERS, writer_for
from waferscope.io.losses import _PARTS, find_losses

DIES = np.array([[1, 2, 1], [2, 1, 1]], dtype=np.uint8)
FULL = WaferMap(
    DIES,
    wafer_id="W7",
    lot_id="A1",
    slot=7,
    product="chip",
    step="CP1",
    tester="T9",
    tested_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    die_width_mm=2.5,
    die_height_mm=3.5,
    diameter_mm=200.0,
    notch="left",
    centre=(0.5, 1.25),
    frame=Frame(5, -3, 1, -1),
    reticle=Reticle(2, 2),
    bins=Bins(DIES.astype(np.uint16), DIES.astype(np.uint16) * 3, {1: "good"}, {6: "leak"}),
    patterns=("Loc",),
)


def lost(name: str, *wafers: WaferMap) -> dict[str, int]:
    return find_losses(wafers, WRITERS[name, "wafers"], READERS)


def test_every_field_of_a_wafer_is_looked_at() -> None:
    bins = len(fields(Bins))
    assert len(_PARTS) == len(fields(WaferMap)) - len({"source", "notes"}) - 1 + bins


def test_parquet_loses_nothing() -> None:
    assert lost("parquet", FULL) == {}


@pytest.mark.parametrize("name", ["parquet", "csv", "png"])
def test_a_wafer_free_of_patterns_can_be_asked(name: str) -> None:
    """Its labels are known and none: nothing that a table could lose, but where none is told."""
    free = replace(FULL, patterns=())
    assert ("labels" in lost(name, free)) == (name != "parquet")


def test_npz_keeps_names_maps_and_labels_alone() -> None:
    kept = {"map", "wafer name", "lot", "labels"}
    assert set(lost("npz", FULL)) == set(_PARTS) - kept


def test_stdf_has_no_place_for_labels_and_reticles() -> None:
    found = set(lost("stdf", FULL))
    assert {"labels", "reticle"} <= found
    assert found & {"map", "wafer name", "lot", "hard bins", "tester's coordinates"} == set()


def test_a_die_list_turned_by_its_notch_loses_the_notch() -> None:
    found = set(lost("csv", FULL))
    assert "notch" in found
    assert found & {"map", "tester's coordinates"} == set()


def test_what_is_lost_is_counted_over_all_wafers() -> None:
    plain = WaferMap(DIES, wafer_id="W1", lot_id="A1")
    wafers = [*(replace(plain, wafer_id=f"P{n}") for n in range(40)), replace(plain, slot=3)]
    assert lost("npz", *wafers) == {"slot": 1}
    assert lost("npz", plain) == {}
    assert lost("npz") == {}


@pytest.mark.parametrize("name", [name for name, takes in WRITERS if takes == "wafers"])
def test_every_writer_can_be_asked(name: str) -> None:
    small = WaferMap(np.ones((3, 3), np.uint8), wafer_id="W1", lot_id="A1", slot=4)
    assert set(lost(name, small)) <= {"map", "wafer name", "lot", "slot"}


@pytest.mark.parametrize("name", ["csv", "klarf", "sinf", "stdf"])
def test_a_wafer_that_is_refused_takes_no_names_from_others(name: str) -> None:
    """Its own file would come back as nothing at all, the names of the others would not."""
    named = [WaferMap(DIES, wafer_id="W1", lot_id="A1"), WaferMap(0 * DIES, wafer_id="W2")]
    assert lost(name, named[0]) == {}
    with pytest.raises(FormatError, match="got 'W2' without one"):
        lost(name, *named)


@pytest.mark.parametrize("name", ["e142", "g85", "json", "npz", "parquet"])
def test_a_wafer_without_dies_is_kept_elsewhere(name: str) -> None:
    assert lost(name, *(WaferMap(n * DIES, wafer_id=f"W{n}", lot_id="A") for n in (0, 1))) == {}


def test_without_a_reader_all_but_the_map_is_lost() -> None:
    found = find_losses([FULL], writer_for("a.npz"), {})
    assert set(found) == set(_PARTS) - {"map"}


def test_a_pixel_per_die_is_read_back_as_a_picture() -> None:
    bins = {part for part in _PARTS if "bins" in part}
    assert set(lost("dies_png", FULL)) == bins
