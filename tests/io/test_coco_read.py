"""COCO files of any tool: read exactly, joined by class, refused where they are not COCO."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.errors import FormatError, InputError
from waferscope.io import coco_read
from waferscope.io.coco import encode_mask
from waferscope.io.coco_read import decode_mask, read_coco_masks


def record(**changes: Any) -> bytes:
    plain: dict[str, Any] = {
        "images": [{"id": 7, "file_name": "a.png", "height": 4, "width": 5}],
        "annotations": [
            {
                "id": 1,
                "image_id": 7,
                "category_id": 4,
                "segmentation": {"size": [4, 5], "counts": [3, 2, 15]},
            }
        ],
        "categories": [{"id": 4, "name": "scratch"}],
    }
    return json.dumps({**plain, **changes}).encode()


def annotation(segmentation: Any, **fields: Any) -> dict[str, Any]:
    return {"image_id": 7, "category_id": 4, "segmentation": segmentation, **fields}


def test_plain_runs_and_polygons_of_other_tools() -> None:
    (image,) = read_coco_masks(record())
    assert (image.name, image.wafer_id, image.lot_id) == ("a.png", "a.png", None)
    assert np.argwhere(image.masks[3].T).tolist() == [[0, 3], [1, 0]]
    square = record(annotations=[annotation([[1, 1, 4, 1, 4, 3, 1, 3]])])
    assert read_coco_masks(square)[0].masks[3].sum() == 6


def test_categories_go_by_name() -> None:
    data = record(
        categories=[{"id": 77, "name": "ring"}],
        annotations=[annotation({"size": [4, 5], "counts": [0, 20]}, category_id=77)],
    )
    (image,) = read_coco_masks(data, DEFAULT_TAXONOMY)
    assert image.masks.any(axis=(1, 2)).tolist() == [n == 2 for n in range(8)]


def test_names_of_other_tools_have_capitals_and_numbers_of_their_own() -> None:
    runs = annotation({"size": [4, 5], "counts": [0, 20]}, category_id=11)
    (image,) = read_coco_masks(
        record(categories=[{"id": 11, "name": " Scratch"}], annotations=[runs])
    )
    assert image.masks[3].all()


def test_a_category_beside_known_names_does_not_go_by_its_number() -> None:
    runs = annotation({"size": [4, 5], "counts": [0, 20]}, category_id=2)
    categories = [{"id": 1, "name": "scratch"}, {"id": 2, "name": "dust"}]
    with pytest.raises(FormatError, match="category 2; the classes are 1 edge"):
        read_coco_masks(record(categories=categories, annotations=[runs]))
    (image,) = read_coco_masks(record(categories=categories[1:], annotations=[runs]))
    assert image.masks[1].all()


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [4, 5], "counts": [3, 2]},
        {"size": [4, 5], "counts": [2**62] * 4 + [20]},
        {"size": [4, 5], "counts": [-1, 21]},
        {"size": [5, 4], "counts": [20]},
        {"size": [10**9, 10**9], "counts": [10**18]},
        {"size": [4, 5], "counts": "\x00"},
        {"size": [4, 5], "counts": "o" * 99},
        {"size": [4, 5], "counts": "ä"},
        {"size": [4, 5], "counts": None},
        {"size": None, "counts": [20]},
        {"size": [4, 5]},
        [[1, 1, 2]],
        [[1, 1, 2, 2, 3]],
        [[0, 0, 1e400, 0, 1, 1]],
        [["a"] * 6],
        7,
        None,
    ],
)
def test_segmentations_that_are_refused(segmentation: Any) -> None:
    with pytest.raises(FormatError, match=r"COCO file of masks|Expected JSON"):
        read_coco_masks(record(annotations=[annotation(segmentation)]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b"[" * 100_000,
        record(images=[{"id": 1, "height": 10**9, "width": 10**9}]),
        record(images=[{"id": n, "height": 4096, "width": 4096} for n in range(9)]),
        record(images=[{"id": 7, "height": 1e400, "width": 1}]),
        record(images=[{"id": [], "height": 1, "width": 1}]),
        record(annotations=[annotation({"size": [4, 5], "counts": [20]}, category_id=99)]),
        record(annotations=[annotation({"size": [4, 5], "counts": [20]}, image_id=1)]),
    ],
)
def test_files_that_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_coco_masks(data)


def test_runs_of_other_writers() -> None:
    # As pycocotools writes them: differences from the fourth run on, negative ones included.
    mask = np.zeros((10, 10), bool)
    mask[3:5, 2] = mask[1:9, 5] = mask[7, 8] = True
    encoded = encode_mask(mask)
    assert np.array_equal(decode_mask(encoded), mask)
    for counts in ("oo", "", "0" * 3 + "o", "?" * 9):
        with pytest.raises(InputError):
            decode_mask({"size": [2, 2], "counts": counts})


@settings(max_examples=100)
@given(st.text(st.characters(min_codepoint=47, max_codepoint=113), max_size=12))
def test_any_text_of_runs(counts: str) -> None:
    try:
        mask = decode_mask({"size": [3, 4], "counts": counts})
    except InputError:
        return
    assert mask.shape == (3, 4)


@pytest.mark.parametrize("limit", ["_MAX_DECODED", "_MAX_RINGS", "_MAX_RING"])
def test_annotations_that_would_take_long(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    square = annotation([[1, 1, 4, 1, 4, 3, 1, 3]])
    data = record(annotations=[square] * 4)
    assert read_coco_masks(data)[0].masks.sum() == 6
    monkeypatch.setattr(coco_read, limit, 12)
    with pytest.raises(FormatError, match="COCO file of masks"):
        read_coco_masks(data)
