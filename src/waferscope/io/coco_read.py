"""COCO masks of this package and of other tools: run lengths, exact, and polygons.

An image is a die grid, one pixel per die. Run lengths are compressed (text) or plain (a list).
Polygons are filled ring by ring by pycocotools' rules: rings along die edges come back exactly,
but COCO knows no holes, so what a polygon encloses belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.domain.wafermap import MAX_SIDE
from waferscope.errors import FormatError, InputError
from waferscope.io.archive import open_blobs
from waferscope.io.json_text import load_json

# What a record of another shape than COCO's raises; InputError is a ValueError.
_DAMAGE: Final = (ValueError, LookupError, TypeError, AttributeError, OverflowError)
Mask = npt.NDArray[np.bool_]
_MAX_CELLS: Final = 1 << 28
"""Cells of all masks of one file, so that a small file cannot ask for much memory,"""
_MAX_DECODED: Final = 1 << 31
"""cells of all annotations, each as large as its image, so that it cannot ask for much time,"""
_MAX_RING: Final = 1 << 20
_MAX_RINGS: Final = 1 << 24
"""and the length in dies of one polygon ring, and of all of them."""
_MOST_SIGNS: Final = 12
"""Signs of one compressed run length: 60 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageMasks:
    """The masks of one wafer in a file: bool ``[C, rows, cols]`` in the taxonomy's order."""

    name: str
    wafer_id: str
    lot_id: str | None
    masks: Mask


def read_coco_masks(
    source: str | PathLike[str] | bytes, taxonomy: Taxonomy = DEFAULT_TAXONOMY
) -> list[ImageMasks]:
    """Return the masks of each image of a COCO file; annotations of one class are joined.

    Categories go by name where the file has names of the taxonomy, else by id. Raises FormatError
    for a file that is not COCO, is damaged, or has categories that the taxonomy does not know.
    """
    found: list[ImageMasks] = []
    for blob in open_blobs(source, lambda head: False):
        record = load_json(blob)
        try:
            found += _images(record, taxonomy)
        except _DAMAGE as error:
            raise FormatError(
                f"Expected a COCO file of masks, got {blob.name} with "
                f"{type(error).__name__}: {str(error)[:200]}. Compare it with docs/formats.md."
            ) from error
    return found


def decode_mask(segmentation: Mapping[str, Any]) -> Mask:
    """Return the bool ``[rows, cols]`` mask of compressed or plain run lengths.

    The runs are checked against the size; raises InputError when they do not fill it.
    """
    from waferscope.domain.masks import rle_to_mask

    size, counts = (segmentation.get(name) for name in ("size", "counts"))
    runs = _runs(counts).tolist() if isinstance(counts, str) else counts
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


def _images(record: Mapping[str, Any], taxonomy: Taxonomy) -> list[ImageMasks]:
    channels = _channels(record.get("categories", []), taxonomy)
    images: dict[Any, tuple[Mapping[str, Any], Mask]] = {}
    cells = 0
    for image in record["images"]:
        whole = len(taxonomy.classes), int(image["height"]), int(image["width"])
        cells += whole[0] * whole[1] * whole[2]
        if not (min(whole) >= 1 and max(whole) <= MAX_SIDE and cells <= _MAX_CELLS):
            raise InputError(f"images of at most {MAX_SIDE} dies a side were expected, got {whole}")
        images[image["id"]] = image, np.zeros(whole, dtype=bool)
    decoded, rings = 0, 0.0
    for annotation in record["annotations"]:
        masks = images[annotation["image_id"]][1]
        channel = _channel(annotation["category_id"], channels, taxonomy)
        decoded += masks[channel].size
        runs = annotation["segmentation"]
        polygon = [] if isinstance(runs, Mapping) else list(_rings(runs))
        rings += sum(map(_length, polygon))
        if decoded > _MAX_DECODED or rings > _MAX_RINGS:
            raise InputError("fewer or smaller annotations were expected; split the file")
        shape = masks.shape[1:]
        masks[channel] |= (
            _unpacked(runs, shape) if isinstance(runs, Mapping) else _filled(polygon, shape)
        )
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
    """Return the channel of each category id: by name, else (where no name is known) by id."""
    by_name = {name.lower(): channel for channel, name in enumerate(taxonomy.class_names)}
    names = {c["id"]: str(c.get("name", "")).strip().lower() for c in categories}
    named = {number: by_name[name] for number, name in names.items() if name in by_name}
    return named or {c.id: channel for channel, c in enumerate(taxonomy.classes)}


def _channel(number: Any, channels: Mapping[int, int], taxonomy: Taxonomy) -> int:
    if number not in channels:
        names = ", ".join(f"{c.id} {c.name}" for c in taxonomy.classes)
        raise InputError(f"an annotation of category {number!r:.20}; the classes are {names}")
    return channels[number]


def _unpacked(segmentation: Mapping[str, Any], shape: tuple[int, ...]) -> Mask:
    if list(segmentation.get("size") or ()) != list(shape):
        raise InputError(f"a mask of size {segmentation.get('size')} in an image of {shape}")
    return decode_mask(segmentation)


def _rings(segmentation: Any) -> Iterator[npt.NDArray[np.float64]]:
    for points in segmentation:
        ring = np.asarray(points, dtype=float)
        if ring.ndim != 1 or len(ring) < 6 or len(ring) % 2 or not np.isfinite(ring).all():
            raise InputError("a polygon that is not a list of at least three points")
        ring = np.clip(ring, -1, MAX_SIDE + 1)
        if _length(ring) > _MAX_RING:
            raise InputError(f"a polygon with an outline longer than {_MAX_RING} dies")
        yield ring


def _length(ring: npt.NDArray[np.float64]) -> float:
    points = ring.reshape(-1, 2)
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum()) + len(points)


def _filled(rings: Sequence[npt.NDArray[np.float64]], shape: tuple[int, ...]) -> Mask:
    if not rings:
        raise InputError("a polygon without a ring")
    from pycocotools import mask as coco_mask

    rows, cols = shape
    merged = coco_mask.merge(coco_mask.frPyObjects([ring.tolist() for ring in rings], rows, cols))
    return coco_mask.decode(merged).astype(bool)  # type: ignore[no-any-return]


def _runs(text: str) -> npt.NDArray[np.int64]:
    """Return the run lengths of COCO's compressed text.

    Five bits per sign, the lowest first, bit 6 says that more follow; the last sign's bit 5 is the
    number's sign. From the fourth run on, the difference to the run two before is stored.
    """
    signs = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((signs & 0x20) == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1 if len(ends) else np.zeros(1, np.int64)
    sound = not ((signs < 0) | (signs >= 64)).any() and lengths.max() <= _MOST_SIGNS
    if len(signs) and (not sound or not len(ends) or ends[-1] != len(signs) - 1):
        raise InputError(f"Expected compressed run lengths, got {text[:40]!r}. Encode them anew.")
    if not len(signs):
        return signs
    place = np.arange(len(signs)) - np.repeat(starts, lengths)
    runs = np.add.reduceat((signs & 0x1F) << (5 * place), starts)
    runs -= np.where(signs[ends] & 0x10, np.int64(1) << (5 * lengths), 0)
    if np.abs(runs).max() > MAX_SIDE**2:
        raise InputError(f"Expected runs within a mask, got {text[:40]!r}. Encode them anew.")
    for first in (1, 2):
        runs[first::2] = np.cumsum(runs[first::2])
    found: npt.NDArray[np.int64] = runs
    return found
