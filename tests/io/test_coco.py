"""COCO: pycocotools and this package agree on every mask, out and in."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from tests.hand_made import build_prediction, disc
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.errors import FormatError, InputError
from waferscope.io.coco import coco_bytes, coco_row, decode_mask, encode_mask, read_masks

Mask = npt.NDArray[np.bool_]
ZONES = {
    "edge": (slice(0, 3), slice(3, 12)),
    "scratch": (slice(4, 12), slice(7, 8)),
    "particle": (slice(9, 12), slice(2, 5)),
}


def test_a_thousand_masks_through_pycocotools(rng: np.random.Generator) -> None:
    for _ in range(1000):
        shape = rng.integers(1, 40, 2)
        mask = rng.random(shape) < rng.random() ** 2
        encoded = encode_mask(mask)
        theirs = coco_mask.decode({**encoded, "counts": encoded["counts"].encode()})
        assert np.array_equal(theirs.astype(bool), mask)
        assert np.array_equal(decode_mask(encoded), mask)


@settings(max_examples=40)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=30)))
def test_any_mask_comes_back(mask: Mask) -> None:
    assert np.array_equal(decode_mask(encode_mask(mask)), mask)


def test_large_masks_have_long_runs() -> None:
    mask = np.zeros((300, 300), bool)
    mask[100:200] = True
    mask[0, 0] = mask[299, 299] = True
    assert np.array_equal(decode_mask(encode_mask(mask)), mask)


def test_a_file_is_read_by_pycocotools(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    prediction = build_prediction(ZONES, wafer_id="W1", lot_id="L1")
    path = tmp_path / "masks.json"
    path.write_bytes(coco_bytes([coco_row(prediction)]))
    coco = COCO(str(path))
    capsys.readouterr()
    assert sorted(coco.getCatIds()) == list(range(1, 9))
    image = coco.imgs[1]
    assert (image["height"], image["width"], image["wafer"], image["lot"]) == (15, 15, "W1", "L1")
    masks = np.zeros_like(prediction.masks)
    for annotation in coco.loadAnns(coco.getAnnIds(imgIds=1)):
        mask = coco.annToMask(annotation).astype(bool)
        masks[annotation["category_id"] - 1] |= mask
        rows, cols = np.nonzero(mask)
        x, y, width, height = annotation["bbox"]
        assert (y, x) == (rows.min(), cols.min())
        assert (y + height, x + width) == (rows.max() + 1, cols.max() + 1)
        assert annotation["area"] == mask.sum()
        assert annotation["confidence"] == pytest.approx(0.9)
        assert (annotation["wafer"], annotation["lot"]) == ("W1", "L1")
    assert np.array_equal(masks, prediction.masks)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(6, 40))
def test_masks_come_back_exactly(seed: int, side: int) -> None:
    rng = np.random.default_rng(seed)
    dies = disc(side) * rng.integers(1, 3, (side, side), dtype=np.uint8)
    starts = rng.integers(0, side // 2, (3, 2))
    boxes = [tuple(slice(int(a), int(a) + side // 2) for a in start) for start in starts]
    zones: Any = dict(zip(("ring", "particle", "etching"), boxes, strict=True))
    predictions = [build_prediction(zones, dies=dies, wafer_id=f"W{n}") for n in range(2)]
    found = read_masks(coco_bytes([coco_row(p) for p in predictions]))
    for image, prediction in zip(found, predictions, strict=True):
        assert image.wafer_id == prediction.wafer.wafer_id
        assert np.array_equal(image.masks, prediction.masks)


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
    (image,) = read_masks(record())
    assert (image.name, image.wafer_id, image.lot_id) == ("a.png", "a.png", None)
    assert np.argwhere(image.masks[3].T).tolist() == [[0, 3], [1, 0]]
    square = record(annotations=[annotation([[1, 1, 4, 1, 4, 3, 1, 3]])])
    assert read_masks(square)[0].masks[3].sum() == 6


def test_categories_go_by_name() -> None:
    data = record(
        categories=[{"id": 77, "name": "ring"}],
        annotations=[annotation({"size": [4, 5], "counts": [0, 20]}, category_id=77)],
    )
    (image,) = read_masks(data, DEFAULT_TAXONOMY)
    assert image.masks.any(axis=(1, 2)).tolist() == [n == 2 for n in range(8)]


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
    with pytest.raises(FormatError, match="COCO file of masks"):
        read_masks(record(annotations=[annotation(segmentation)]))


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
        read_masks(data)


def test_what_is_not_written() -> None:
    with pytest.raises(FormatError, match="at least one"):
        coco_bytes([])
    row = coco_row(build_prediction())
    with pytest.raises(FormatError, match="one taxonomy"):
        coco_bytes([row, {**row, "categories": []}])
    with pytest.raises(InputError):
        decode_mask({"size": [2, 2], "counts": "oo"})
