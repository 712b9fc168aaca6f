"""Masks as COCO: run lengths (exact) out and in.

An image is a die grid, one pixel per die; category ids are the taxonomy's. There is one
annotation per defect, with the extra fields ``wafer``, ``lot`` and ``confidence``. Polygons, which
other tools write, are read (filled by pycocotools' rules) and never written: they have no holes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.domain.wafermap import MAX_SIDE
from waferscope.errors import FormatError, InputError
from waferscope.io.archive import open_blobs

if TYPE_CHECKING:
    from waferscope.domain.defects import Defect
    from waferscope.domain.prediction import Prediction

# What a record of another shape than COCO's raises; InputError is a ValueError.
_DAMAGE: Final = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
Mask = npt.NDArray[np.bool_]
_MAX_CELLS: Final = 1 << 28
"""Cells of all masks of one file, so that a small file cannot ask for much memory."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageMasks:
    """The masks of one image of a COCO file: bool ``[C, rows, cols]`` in the taxonomy's order."""

    name: str
    wafer_id: str
    lot_id: str | None
    masks: Mask


def coco_row(prediction: Prediction) -> dict[str, Any]:
    """Return one image and its annotations, not yet numbered."""
    wafer = prediction.wafer
    names = {"wafer": wafer.wafer_id, "lot": wafer.lot_id}
    rows, cols = wafer.shape
    image = {"file_name": f"{wafer.wafer_id}.png", "width": cols, "height": rows, **names}
    annotations = [
        {
            "category_id": defect.class_id,
            "segmentation": encode_mask(_whole_mask(defect, wafer.shape)),
            "area": defect.die_count,
            "bbox": _box(defect),
            "iscrowd": 0,
            "confidence": defect.confidence,
            **names,
        }
        for defect in prediction.defects
    ]
    categories = [
        {"id": c.id, "name": c.name, "supercategory": "defect", "color": c.color}
        for c in prediction.taxonomy.classes
    ]
    info = {"description": "WaferScope masks", "version": prediction.model_version}
    return {
        "info": info,
        "image": image,
        "annotations": annotations,
        "categories": categories,
    }


def coco_bytes(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return a COCO file; images and annotations are numbered from 1 in order."""
    if not rows:
        raise FormatError("Expected at least one prediction for a COCO file, got none. Give some.")
    if any(row["categories"] != rows[0]["categories"] for row in rows):
        raise FormatError(
            "Expected predictions of one taxonomy in a COCO file, got several. "
            "Write those of each model into a file of their own."
        )
    annotations: list[dict[str, Any]] = []
    for number, row in enumerate(rows, 1):
        for annotation in row["annotations"]:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **annotation})
    record = {
        "info": rows[0]["info"],
        "images": [{"id": number, **row["image"]} for number, row in enumerate(rows, 1)],
        "annotations": annotations,
        "categories": rows[0]["categories"],
    }
    return json.dumps(record, allow_nan=False).encode()


def encode_mask(mask: Mask) -> dict[str, Any]:
    """Return a mask as COCO's compressed run lengths, as pycocotools writes them."""
    from pycocotools import mask as coco_mask

    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    rows, cols = mask.shape
    return {"size": [rows, cols], "counts": encoded["counts"].decode("ascii")}


def decode_mask(segmentation: Mapping[str, Any]) -> Mask:
    """Return the bool ``[rows, cols]`` mask of compressed or plain run lengths.

    The runs are checked against the size; raises InputError when they do not fill it.
    """
    from waferscope.domain.masks import rle_to_mask

    size, counts = (segmentation.get(name) for name in ("size", "counts"))
    runs = _runs(counts) if isinstance(counts, str) else counts
    sides = isinstance(size, Sequence) and all(
        isinstance(side, int) and 0 < side <= MAX_SIDE for side in size
    )
    # No run is longer than the mask, or the sum that rle_to_mask checks could wrap around.
    if not sides or not isinstance(runs, list) or max(runs, default=0) > MAX_SIDE**2:
        raise InputError(
            f"Expected run lengths of a mask of at most {MAX_SIDE}x{MAX_SIDE} dies, "
            f"got size {size!r:.40} and counts {counts!r:.40}. Encode the mask anew."
        )
    return rle_to_mask({"size": size, "counts": runs})


def read_masks(
    source: str | PathLike[str] | bytes, taxonomy: Taxonomy = DEFAULT_TAXONOMY
) -> list[ImageMasks]:
    """Return the masks of each image of a COCO file; annotations of one class are joined.

    Categories go by name where the file has names of the taxonomy, else by id. Raises FormatError
    for a file that is not COCO, is damaged, or has categories that the taxonomy does not know.
    """
    found: list[ImageMasks] = []
    for blob in open_blobs(source, lambda head: False):
        try:
            found += _images(json.loads(blob.read_all()), taxonomy)
        except _DAMAGE as error:
            raise FormatError(
                f"Expected a COCO file of masks, got {blob.name} with "
                f"{type(error).__name__}: {str(error)[:200]}. Compare it with docs/formats.md."
            ) from error
    return found


def _images(record: Mapping[str, Any], taxonomy: Taxonomy) -> list[ImageMasks]:
    channels = _channels(record.get("categories", []), taxonomy)
    images: dict[Any, tuple[Mapping[str, Any], Mask]] = {}
    cells = 0
    for image in record["images"]:
        shape = len(taxonomy.classes), int(image["height"]), int(image["width"])
        cells += shape[0] * shape[1] * shape[2]
        if not (min(shape) >= 1 and max(shape) <= MAX_SIDE and cells <= _MAX_CELLS):
            raise InputError(f"images of at most {MAX_SIDE} dies a side were expected, got {shape}")
        images[image["id"]] = image, np.zeros(shape, dtype=bool)
    for annotation in record["annotations"]:
        masks = images[annotation["image_id"]][1]
        channel = channels[annotation["category_id"]]
        masks[channel] |= _segment(annotation["segmentation"], masks.shape[1:])
    return [
        ImageMasks(
            str(image.get("file_name", "")),
            str(image.get("wafer", image.get("file_name", ""))),
            None if image.get("lot") is None else str(image["lot"]),
            masks,
        )
        for image, masks in images.values()
    ]


def _channels(categories: Sequence[Mapping[str, Any]], taxonomy: Taxonomy) -> dict[int, int]:
    by_id = {c.id: channel for channel, c in enumerate(taxonomy.classes)}
    by_name = {name: channel for channel, name in enumerate(taxonomy.class_names)}
    return by_id | {c["id"]: by_name[c["name"]] for c in categories if c.get("name") in by_name}


def _segment(segmentation: Any, shape: tuple[int, ...]) -> Mask:
    if isinstance(segmentation, Mapping):
        if list(segmentation.get("size") or ()) != list(shape):
            raise InputError(f"a mask of size {segmentation.get('size')} in an image of {shape}")
        return decode_mask(segmentation)
    from pycocotools import mask as coco_mask

    rings = [np.asarray(ring, dtype=float) for ring in segmentation]
    if any(r.ndim != 1 or len(r) < 6 or len(r) % 2 or not np.isfinite(r).all() for r in rings):
        raise InputError("a polygon that is not a list of at least three points")
    rows, cols = shape
    inside = [np.clip(ring, -1, MAX_SIDE + 1).tolist() for ring in rings]
    merged = coco_mask.merge(coco_mask.frPyObjects(inside, rows, cols))
    return coco_mask.decode(merged).astype(bool)  # type: ignore[no-any-return]


def _whole_mask(defect: Defect, shape: tuple[int, int]) -> Mask:
    row0, col0, row1, col1 = defect.bbox
    mask = np.zeros(shape, dtype=bool)
    mask[row0:row1, col0:col1] = defect.mask
    return mask


def _box(defect: Defect) -> list[int]:
    row0, col0, row1, col1 = defect.bbox
    return [col0, row0, col1 - col0, row1 - row0]


def _runs(text: str) -> list[int]:
    """Return the run lengths of COCO's compressed text.

    Five bits per sign, the lowest first, bit 6 says that more follow; the last sign's bit 5 is the
    number's sign. From the third run on, the difference to the run two before is stored.
    """
    runs: list[int] = []
    value = shift = 0
    for sign in text.encode("ascii", "replace"):
        bits = sign - 48
        if not 0 <= bits < 64 or shift > 60:
            raise InputError(
                f"Expected compressed run lengths, got {text[:40]!r}. Encode them anew."
            )
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs
