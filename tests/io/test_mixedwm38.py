"""The published MixedWM38 file."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.errors import FormatError
from waferscope.io import read, read_parts, sniff
from waferscope.io.archive import Limits
from waferscope.io.formats import ReadOptions
from waferscope.io.mixedwm38 import LABELS, is_mixedwm38


def npz(maps: Any, labels: Any, packed: bool = True) -> bytes:
    sink = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(sink, maps, labels)
    return sink.getvalue()


@pytest.fixture
def maps(rng: np.random.Generator) -> Any:
    return rng.integers(0, 3, (5, 52, 52), dtype=np.int32)


LABEL_ROWS = np.array(
    [
        [0] * 8,
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0, 1, 0],
        [0] * 7 + [1],
        [0] * 5 + [1, 0, 0],
    ]
)


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint8, np.float64])
def test_maps_and_labels(maps: Any, kind: Any) -> None:
    data = npz(maps.astype(kind), LABEL_ROWS)
    assert sniff(data) == "mixedwm38"
    wafers = read(data)
    assert np.array_equal(np.stack([w.dies for w in wafers]), maps)
    assert [w.patterns for w in wafers] == [
        (),
        ("Center",),
        ("Donut", "Edge-Loc", "Scratch"),
        ("Random",),
        ("Near-full",),
    ]
    assert [w.wafer_id for w in wafers][:2] == ["mixedwm38-00000", "mixedwm38-00001"]


def test_the_labels_are_those_of_the_taxonomy() -> None:
    assert sorted(LABELS) == sorted(DEFAULT_TAXONOMY.patterns)


def test_the_stray_value_is_a_fail_and_noted(maps: Any) -> None:
    maps[1, 3, 4] = maps[1, 5, 6] = 3
    first, second, *_ = read(npz(maps, LABEL_ROWS))
    assert second.dies[3, 4] == second.dies[5, 6] == 2
    assert second.notes == ("dies of the unexplained value 3 read as fails: 2",)
    assert first.notes == ()


@pytest.mark.parametrize(
    ("maps", "labels"),
    [
        (np.full((5, 4, 4), 4), LABEL_ROWS),
        (np.full((5, 4, 4), -1), LABEL_ROWS),
        (np.full((5, 4, 4), np.nan), LABEL_ROWS),
        (np.ones((4, 4, 4), int), LABEL_ROWS),
        (np.ones((5, 4), int), LABEL_ROWS),
        (np.ones((5, 0, 4), int), LABEL_ROWS),
        (np.ones((5, 1, 5000), int), LABEL_ROWS),
        (np.ones((5, 4, 4), int), LABEL_ROWS[:, :7]),
        (np.ones((5, 4, 4), int), LABEL_ROWS * 2),
        (np.ones((5, 4, 4), complex), LABEL_ROWS),
        (np.array(5), LABEL_ROWS),
    ],
)
def test_other_arrays_are_refused(maps: Any, labels: Any) -> None:
    with pytest.raises(FormatError):
        read(npz(maps, labels), "mixedwm38")


def test_pickled_and_missing_arrays_are_refused() -> None:
    with pytest.raises(FormatError):
        read(npz(np.array([[[{}]]], dtype=object), LABEL_ROWS), "mixedwm38")
    sink = io.BytesIO()
    np.savez(sink, np.ones((5, 4, 4), int))
    with pytest.raises(FormatError, match="KeyError"):
        read(sink.getvalue())


def test_a_huge_claim_costs_nothing() -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<i4", "fortran_order": False, "shape": (10**9, 10**9, 52)}
    )
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("arr_0.npy", head.getvalue())
    with pytest.raises(FormatError, match="are read"):
        read(sink.getvalue())


def test_every_cut_is_refused() -> None:
    data = npz(np.ones((5, 3, 3), np.int32), LABEL_ROWS, packed=False)
    for end in range(0, len(data), 7):
        with pytest.raises(FormatError):
            read(data[:end], "mixedwm38")


def test_only_nameless_arrays_are_claimed() -> None:
    sink = io.BytesIO()
    np.savez(sink, dies=np.ones((2, 2), np.uint8))
    assert not is_mixedwm38(sink.getvalue())
    assert sniff(sink.getvalue()) == "npz"


def test_wafers_are_counted_before_they_are_made(maps: Any) -> None:
    data = npz(maps, np.zeros((len(maps), 8)))
    (part,) = read_parts(data, None, ReadOptions(), Limits(wafers=len(maps) - 1))
    assert f"at most {len(maps) - 1} wafers" in str(part.error)
