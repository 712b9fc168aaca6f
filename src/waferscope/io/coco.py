"""Masks as COCO: run lengths, exact, or polygons for drawing.

An image is a die grid, one pixel per die; category ids are the taxonomy's. There is one
annotation per defect, with the extra fields ``wafer``, ``lot`` and ``confidence``. The
``file_name`` of an image is that of its overlay in a folder of all of them. COCO polygons
have no holes: they are the outer rings of a defect along its die edges, and what a ring encloses
is filled when they are read back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from waferscope.errors import FormatError
from waferscope.io.folder import FileNames, name_of

if TYPE_CHECKING:
    from waferscope.domain.defects import Defect
    from waferscope.domain.prediction import Prediction

Mask = npt.NDArray[np.bool_]


def coco_row(prediction: Prediction) -> dict[str, Any]:
    """Return one image and its annotations (run lengths), not yet numbered and named."""
    wafer = prediction.wafer
    names = {"wafer": wafer.wafer_id, "lot": wafer.lot_id}
    rows, cols = wafer.shape
    image = {"width": cols, "height": rows, **names}
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
        "name": name_of(prediction),
        "image": image,
        "annotations": annotations,
        "categories": categories,
    }


def coco_polygon_row(prediction: Prediction) -> dict[str, Any]:
    """Return what `coco_row` does with outer rings of die edges instead of run lengths."""
    row = coco_row(prediction)
    for annotation, defect in zip(row["annotations"], prediction.defects, strict=True):
        annotation["segmentation"] = outer_rings(defect)
    return row


def outer_rings(defect: Defect) -> list[list[float]]:
    """Return the outer rings of a defect as COCO polygons: x0, y0, x1, y1 ... in die edges."""
    parts = getattr(defect.polygon, "geoms", [defect.polygon])
    return [
        [float(value) for x, y in part.exterior.coords[:-1] for value in (x, y)] for part in parts
    ]


def coco_image(row: dict[str, Any], names: FileNames) -> dict[str, Any]:
    """Return the image of a row under the name of its overlay, by those taken before."""
    return {"file_name": names.take(row["name"], ".png"), **row["image"]}


def coco_bytes(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return a COCO file; images and annotations are numbered from 1 in order."""
    if not rows:
        raise FormatError("Expected at least one prediction for a COCO file, got none. Give some.")
    if any(row["categories"] != rows[0]["categories"] for row in rows):
        raise FormatError(
            "Expected predictions of one taxonomy in a COCO file, got several. "
            "Write those of each model into a file of their own."
        )
    names = FileNames()
    annotations: list[dict[str, Any]] = []
    for number, row in enumerate(rows, 1):
        for annotation in row["annotations"]:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **annotation})
    record = {
        "info": rows[0]["info"],
        "images": [{"id": number, **coco_image(row, names)} for number, row in enumerate(rows, 1)],
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


def _whole_mask(defect: Defect, shape: tuple[int, int]) -> Mask:
    row0, col0, row1, col1 = defect.bbox
    mask = np.zeros(shape, dtype=bool)
    mask[row0:row1, col0:col1] = defect.mask
    return mask


def _box(defect: Defect) -> list[int]:
    row0, col0, row1, col1 = defect.bbox
    return [col0, row0, col1 - col0, row1 - row0]
