"""Wafers with masks that people drew: read from a folder, ready to train on.

A folder holds wafers in any format that `waferscope.read` knows, and beside them their masks: COCO
(``*.json``), or indexed PNG (``*.masks.png``). Masks find their wafer by its id, by its lot and id,
or by the name of its file. Files of ``waferscope synth`` (npz, Parquet) hold both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import FAIL, NO_DIE, DieGrid, WaferMap
from waferscope.errors import ConfigError, FormatError
from waferscope.io import read, sniff
from waferscope.io.coco_read import ImageMasks, read_coco_masks
from waferscope.io.files import safe_name
from waferscope.io.mask_png import read_mask_png
from waferscope.ml.data import Sample, pattern_target

MASKS_PNG: Final = ".masks.png"
HEAD: Final = 1 << 16
Mask = npt.NDArray[np.bool_]
_Names = dict[str | tuple[str, str], list[WaferMap]]
"""Wafers by every name that masks may call them: a text, or lot and id."""


def read_annotated(folder: Path) -> tuple[Sample, ...]:
    """Return the annotated wafers of a folder, by the names of its files.

    On failing dies the masks are the truth; on passing ones nothing is known, since masks mark
    none, unless the file holds zones as well. Raises ConfigError for a folder without an annotated
    wafer, and for masks whose wafer is not there or has another grid.
    """
    if not folder.is_dir():
        raise ConfigError(f"Expected a folder of annotated wafers, got {folder}. Check the path.")
    whole: list[Sample] = []
    wafers: _Names = {}
    masks: list[ImageMasks] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        drawn = _drawn(path)
        if drawn:
            masks += drawn
        elif columns := _columns(path):
            whole += _from_columns(columns)
        else:
            _add_names(wafers, path)
    whole += [_matched(one, wafers, folder) for one in masks]
    if not whole:
        raise ConfigError(
            f"Expected wafers with masks in {folder}, got none. Put COCO files or *{MASKS_PNG} "
            "beside the wafers, or give a file of `waferscope synth`."
        )
    return tuple(whole)


def from_masks(wafer: WaferMap, masks: Mask) -> Sample:
    """Return the sample of a wafer with drawn masks, bool [C, rows, cols]."""
    target = np.where(wafer.dies == FAIL, masks.astype(np.int8), np.int8(-1))
    return _sample(wafer.dies, target, wafer.patterns)


def _sample(dies: DieGrid, target: npt.NDArray[np.int8], labels: tuple[str, ...] | None) -> Sample:
    unknown = np.full(len(DEFAULT_TAXONOMY.patterns), -1, np.int8)
    return Sample(
        dies=dies,
        target=target,
        bag=np.zeros(len(target), bool),
        patterns=unknown if labels is None else pattern_target(labels),
    )


def _drawn(path: Path) -> list[ImageMasks]:
    """Return the masks of a file of masks, nothing for any other."""
    if path.name.lower().endswith(MASKS_PNG):
        return [read_mask_png(path)]
    if path.suffix.lower() != ".json":
        return []
    with path.open("rb") as file:
        if sniff(file.read(HEAD)) is not None:
            return []
    return read_coco_masks(path)


def _add_names(names: _Names, path: Path) -> None:
    """Add the wafers of a file by every name that masks may call them."""
    try:
        wafers = read(path)
    except FormatError as error:
        raise ConfigError(
            f"Expected wafers or masks in {path}, got a file that is neither ({error}). "
            "Take it out of the folder."
        ) from error
    for wafer in wafers:
        lot = wafer.lot_id or ""
        whole = safe_name("_".join(part for part in (lot, wafer.wafer_id) if part))
        called: set[str | tuple[str, str]] = {(lot, wafer.wafer_id), wafer.wafer_id, whole}
        if len(wafers) == 1:
            called.add(_stem(path.name))
        for name in called:
            names.setdefault(name, []).append(wafer)


def _stem(name: str) -> str:
    """Return a file's name up to its first suffix: ``w1.dies.png`` and ``w1.masks.png`` agree."""
    return Path(name).name.split(".")[0]


def _matched(one: ImageMasks, wafers: _Names, folder: Path) -> Sample:
    lot = one.lot_id or ""
    whole = f"{lot}_{one.wafer_id}"
    keys = ((lot, one.wafer_id), one.wafer_id, whole, _stem(one.name), _stem(one.wafer_id))
    found = next((wafers[key] for key in keys if key in wafers), [])
    found = [w for w in found if not lot or not w.lot_id or w.lot_id == lot]
    wafer = found[0] if found else None
    if wafer is not None and any(not np.array_equal(w.dies, wafer.dies) for w in found[1:]):
        raise ConfigError(
            f"Expected one wafer of the masks {one.wafer_id or one.name!r} in {folder}, got "
            f"{len(found)} of that name. Say their lot in the masks, or part them into folders."
        )
    if wafer is None or wafer.shape != one.masks.shape[1:]:
        got = "no such wafer" if wafer is None else f"one of {wafer.shape}"
        raise ConfigError(
            f"Expected the wafer of the masks {one.wafer_id or one.name!r}, "
            f"{one.masks.shape[1:]} dies, in {folder}, got {got}. Put its map beside them."
        )
    return from_masks(wafer, one.masks)


def _columns(path: Path) -> dict[str, Any]:
    """Return the columns of a file of synthetic wafers, nothing for any other."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            arrays = {n: file[n] for n in file.files} if "zones" in file.files else {}
        return _parted(arrays) if arrays else {}
    if suffix != ".parquet":
        return {}
    try:
        if "zones" not in pq.read_schema(path).names:
            return {}
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise ConfigError(f"Expected a Parquet file at {path}, got {error}. Check it.") from error
    return {name: table[name].to_pylist() for name in ("rows", "cols", "dies", "zones", "patterns")}


def _parted(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Return the columns of an npz with its runs of bytes cut into wafers."""
    sizes = (arrays["rows"].astype(int) * arrays["cols"].astype(int), arrays["mask_bytes"])
    cut = {
        name: np.split(arrays[name], np.cumsum(lengths)[:-1])
        for name, lengths in zip(("dies", "zones"), sizes, strict=True)
    }
    labels = [[n for n in str(text).split("|") if n] for text in arrays["patterns"]]
    plain = {name: arrays[name].tolist() for name in ("rows", "cols")}
    return {**plain, "patterns": labels, **{k: [p.tobytes() for p in v] for k, v in cut.items()}}


def _from_columns(columns: Mapping[str, Any]) -> Iterator[Sample]:
    names = ("rows", "cols", "dies", "zones", "patterns")
    classes = len(DEFAULT_TAXONOMY.classes)
    for rows, cols, blob, bits, labels in zip(*(columns[n] for n in names), strict=True):
        dies = np.frombuffer(blob, np.uint8).reshape(rows, cols)
        packed = np.frombuffer(bits, np.uint8)
        zones = np.unpackbits(packed, count=classes * rows * cols).reshape(classes, rows, cols)
        target = np.where(dies == NO_DIE, np.int8(-1), zones.astype(np.int8))
        yield _sample(dies, target, tuple(labels))
