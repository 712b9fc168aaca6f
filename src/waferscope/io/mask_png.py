"""Masks and die maps as indexed PNG, one pixel per die: exact, and small enough to look at.

A die may belong to several classes, so a mask's index is a set of them: bit n - 1 of a pixel's
index says that the die belongs to class n (0: to none). ``index >> (n - 1) & 1`` is the mask of
class n. The palette shows the colour of the class, of several the mean. Taxonomies of more than
eight classes do not fit; COCO takes any number.

A die map's index is the state of the die: 0 no die, 1 pass, 2 fail. A text chunk named
"waferscope" carries the names (JSON). Without it an indexed PNG of masks is taken as most tools
write one: the index is the class id, 255 is not labelled.
"""

from __future__ import annotations

import io
import json
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.domain.wafermap import MAX_SIDE, WaferMap
from waferscope.errors import FormatError
from waferscope.io.archive import Blob, open_blobs
from waferscope.io.coco_read import ImageMasks
from waferscope.io.image import parse_color
from waferscope.io.json_wafer import describe
from waferscope.io.picture_file import DIES, KEY, decode_pages, is_picture

if TYPE_CHECKING:
    from waferscope.domain.prediction import Prediction

MASKS: Final = "waferscope.masks/1"
MOST_CLASSES: Final = 8
_NOT_LABELLED: Final = 255
_PAPER: Final = (255, 255, 255)
_STATES: Final = (_PAPER, (0, 158, 115), (213, 94, 0))
Mask = npt.NDArray[np.bool_]


def mask_png(prediction: Prediction) -> bytes:
    """Return the indexed PNG of a prediction's masks."""
    wafer = prediction.wafer
    return masks_png(
        prediction.masks, prediction.taxonomy, wafer_id=wafer.wafer_id, lot_id=wafer.lot_id
    )


def masks_png(
    masks: Mask,
    taxonomy: Taxonomy = DEFAULT_TAXONOMY,
    *,
    wafer_id: str = "",
    lot_id: str | None = None,
) -> bytes:
    """Return the indexed PNG of masks, bool ``[C, rows, cols]``.

    Raises FormatError for masks of more classes than an index has bits.
    """
    if len(masks) != len(taxonomy.classes) or len(masks) > MOST_CLASSES:
        raise FormatError(
            f"Expected masks of the {len(taxonomy.classes)} classes of a taxonomy, at most "
            f"{MOST_CLASSES}, got {len(masks)}. Write COCO, which takes any number."
        )
    bits = np.uint8(1) << np.arange(len(masks), dtype=np.uint8)
    index = (masks * bits[:, None, None]).sum(axis=0, dtype=np.uint8)
    classes = [{"id": c.id, "name": c.name} for c in taxonomy.classes]
    about = {"schema": MASKS, "wafer_id": wafer_id, "lot_id": lot_id, "classes": classes}
    return _indexed(index, _mixtures(taxonomy), about)


def dies_png(wafer: WaferMap) -> bytes:
    """Return the indexed PNG of a wafer's dies; all its fields but bins and notes go with it."""
    return _indexed(wafer.dies, _STATES, {"schema": DIES, **describe(wafer)})


def read_mask_png(
    source: str | PathLike[str] | bytes, taxonomy: Taxonomy = DEFAULT_TAXONOMY
) -> ImageMasks:
    """Return the masks of an indexed PNG of this package or, index by class id, of another tool.

    Raises FormatError for anything else, and for classes that the taxonomy does not have.
    """
    for blob in open_blobs(source, is_picture):
        if not is_picture(blob.head):
            raise _no_mask(blob, "another kind of file")
        return _read(blob, taxonomy)
    raise FormatError("Expected an indexed PNG of masks, got an empty archive. Give the picture.")


def _read(blob: Blob, taxonomy: Taxonomy) -> ImageMasks:
    index, text = next(iter(decode_pages(blob, indexed=True)))
    if index.ndim != 2 or index.dtype.kind not in "ub" or max(index.shape) > MAX_SIDE:
        raise _no_mask(blob, "a picture of colours, or a larger one")
    index = index.astype(np.uint8) if index.dtype == np.bool_ else index
    ids = [c.id for c in taxonomy.classes]
    if KEY not in text:
        used = np.setdiff1d(index, [0, _NOT_LABELLED])
        if not np.isin(used, ids).all():
            raise _no_mask(blob, f"indices {used[:20].tolist()} where classes 1 to {len(ids)} are")
        return ImageMasks(blob.name, blob.name, None, np.stack([index == n for n in ids]))
    about = _about(text[KEY], blob)
    names = [c.name for c in taxonomy.classes]
    if about["names"] != names or int(index.max()) >> len(names):
        raise _no_mask(blob, f"classes {', '.join(map(str, about['names']))[:120]}")
    masks = np.stack([(index & (1 << n)) > 0 for n in range(len(names))])
    return ImageMasks(blob.name, about["wafer_id"], about["lot_id"], masks)


def _about(text: str, blob: Blob) -> dict[str, Any]:
    """Return what the text chunk of a mask says."""
    try:
        record = json.loads(text)
        if record["schema"] != MASKS:
            raise ValueError(f"schema {record['schema']!r:.60} where {MASKS} can be read")
        lot = record["lot_id"]
        return {
            "names": [str(one["name"]) for one in record["classes"]],
            "wafer_id": str(record["wafer_id"]),
            "lot_id": None if lot is None else str(lot),
        }
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no_mask(blob, f"a text chunk that is not ({error!r:.100})") from error


def _mixtures(taxonomy: Taxonomy) -> list[tuple[int, int, int]]:
    """Return a colour for every set of classes: the mean of theirs."""
    colors = np.array([parse_color(c.color) for c in taxonomy.classes])
    sets = np.arange(1 << len(colors))[:, None] >> np.arange(len(colors)) & 1
    means = sets @ colors // np.maximum(sets.sum(axis=1), 1)[:, None]
    means[0] = _PAPER
    return [(int(red), int(green), int(blue)) for red, green, blue in means]


def _indexed(index: npt.NDArray[np.uint8], palette: Any, about: dict[str, Any]) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    image = Image.fromarray(index).convert("L")
    image.putpalette([part for color in palette for part in color])
    info, sink = PngInfo(), io.BytesIO()
    info.add_text(KEY, json.dumps(about))
    image.save(sink, "PNG", pnginfo=info, optimize=False)
    return sink.getvalue()


def _no_mask(blob: Blob, got: str) -> FormatError:
    return FormatError(
        f"Expected an indexed PNG of masks, one pixel per die, got {blob.name} with {got}. "
        "Compare it with docs/formats.md, or read COCO."
    )
