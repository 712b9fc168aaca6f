"""Defects: connected regions of one class, measured."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from shapely.geometry import MultiPolygon, Polygon

from waferscope.domain.measures import DefectMeasures, measure_defects
from waferscope.domain.millimetres import to_mm
from waferscope.domain.polygons import build_geojson, build_polygons
from waferscope.domain.regions import (
    DieTable,
    Labels,
    bounding_boxes,
    label_regions,
    split_touching,
)
from waferscope.domain.taxonomy import DefectClass, Taxonomy
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import InputError

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Box = tuple[float, float, float, float]

SMALLEST_SPLIT: Final = 5
"""Side of the box, in dies, below which a region cannot hold two clusters worth parting."""


@dataclass(frozen=True, eq=False)
class Outlines:
    """The outlines of all defects of a wafer, traced together when the first one is asked for."""

    table: DieTable

    @cached_property
    def polygons(self) -> list[Polygon | MultiPolygon]:
        """One polygon per region of the table."""
        return build_polygons(self.table)

    @cached_property
    def geometries(self) -> list[dict[str, Any]]:
        """The same as GeoJSON."""
        return build_geojson(self.table)


@dataclass(frozen=True, eq=False)
class Defect:
    """One connected region of failing dies of one class.

    ``mask`` is its dies, bool ``[h, w]``, in the crop ``bbox`` = (row0, col0, row1, col1),
    half-open, of the die grid. ``centroid`` is (row, col); a die's centre has whole numbers.
    ``centroid_xy`` and ``bbox_xy`` (x_min, y_min, x_max, y_max of the outermost dies) are the same
    in the tester's coordinates. ``centroid_mm`` (x, y) and ``bbox_mm`` (x_min, y_min, x_max,
    y_max of the die edges) follow SEMI M20: origin at the wafer's centre, notch at -y, y up;
    None, as is ``area_mm2``, when the die size is unknown.

    Only failing dies count: ``area_dies`` equals ``die_count`` and the area of ``polygon``, bridged
    gaps and holes left out. ``perimeter`` is the length of all die edges of the outline, holes
    included, in dies; ``compactness`` is 4 pi area / perimeter^2 of these (a square has pi / 4).
    ``orientation_deg``, in [0, 180), is the major axis, counter-clockwise from the rows as drawn (0
    where none is longer). ``rho_min``, ``rho_max`` and ``theta_extent_deg`` (the smallest arc) are
    of the die centres in the wafer's unit disc. ``confidence`` is the mean probability of its dies.
    ``outlines`` is shared by the defects found together, of which this one has a ``number``.
    """

    class_name: str
    class_id: int
    die_count: int
    mask: Mask
    bbox: tuple[int, int, int, int]
    bbox_xy: tuple[int, int, int, int]
    bbox_mm: Box | None
    centroid: tuple[float, float]
    centroid_xy: tuple[float, float]
    centroid_mm: tuple[float, float] | None
    area_dies: int
    area_mm2: float | None
    perimeter: int
    compactness: float
    orientation_deg: float
    rho_min: float
    rho_max: float
    theta_extent_deg: float
    confidence: float
    outlines: Outlines = field(repr=False)
    number: int = field(repr=False)

    @cached_property
    def polygon(self) -> Polygon | MultiPolygon:
        """The union of its dies; die (r, c) covers x from c to c + 1, y (down) from r to r + 1."""
        return self.outlines.polygons[self.number]

    def to_dict(self, *, polygon: bool = True) -> dict[str, Any]:
        """Return plain JSON-ready values; the polygon, when wanted, as a GeoJSON geometry."""
        plain: dict[str, Any] = {
            "class": self.class_name,
            "class_id": self.class_id,
            "die_count": self.die_count,
            "bbox": list(self.bbox),
            "bbox_xy": list(self.bbox_xy),
            "bbox_mm": None if self.bbox_mm is None else list(self.bbox_mm),
            "centroid": list(self.centroid),
            "centroid_xy": list(self.centroid_xy),
            "centroid_mm": None if self.centroid_mm is None else list(self.centroid_mm),
            "area_dies": self.area_dies,
            "area_mm2": self.area_mm2,
            "perimeter": self.perimeter,
            "compactness": self.compactness,
            "orientation_deg": self.orientation_deg,
            "rho_min": self.rho_min,
            "rho_max": self.rho_max,
            "theta_extent_deg": self.theta_extent_deg,
            "confidence": self.confidence,
        }
        if polygon:
            plain["polygon"] = self.outlines.geometries[self.number]
        return plain


def find_defects(
    masks: Mask, probs: npt.NDArray[np.float32], wafer: WaferMap, taxonomy: Taxonomy
) -> list[Defect]:
    """Return the defects of a wafer, class by class, the largest of a class first.

    ``masks`` is bool and ``probs`` float32, both ``[C, rows, cols]``. How dies become defects is
    the taxonomy's: connected over small gaps or the whole class as one, parted by watershed where
    clusters touch, dropped below ``min_dies``. Raises InputError when the shapes do not fit.
    """
    shape = (len(taxonomy.classes), *wafer.shape)
    if masks.shape != shape or probs.shape != shape:
        raise InputError(
            f"Expected masks and probs of shape {shape}, got {masks.shape} and {probs.shape}. "
            "Give one channel per class of the taxonomy on the wafer's grid."
        )
    channels = [int(c) for c in np.flatnonzero(masks.any(axis=(1, 2)))]
    labelled = [_label_class(masks[c], taxonomy.classes[c]) for c in channels]
    counts = [count for count, _ in labelled]
    if not sum(counts):
        return []
    table = _build_table(labelled)
    owner = np.repeat(channels, counts)  # channel of each defect
    sure = probs[owner[table.region], table.row, table.col]
    confidence = np.bincount(table.region, weights=sure) / np.bincount(table.region)
    boxes = _listed_boxes(table)
    crops = [
        labels[row0:row1, col0:col1] == number
        for (row0, col0, row1, col1), (labels, number) in zip(
            boxes, _numbered(labelled), strict=True
        )
    ]
    outlines = Outlines(table)
    figures = _figures(measure_defects(table, wafer.dies), boxes, wafer)
    found = [
        Defect(
            class_name=taxonomy.class_names[channel],
            class_id=taxonomy.classes[channel].id,
            mask=crop,
            confidence=float(mean),
            outlines=outlines,
            number=number,
            **values,
        )
        for number, (channel, crop, mean, values) in enumerate(
            zip(owner.tolist(), crops, confidence, figures, strict=True)
        )
    ]
    return sorted(found, key=lambda defect: (defect.class_id, -defect.die_count, defect.bbox))


def _label_class(mask: Mask, rule: DefectClass) -> tuple[int, Labels]:
    """Give the defects of one class numbers from 1 on, regions below ``min_dies`` left out."""
    if rule.grouping == "whole":
        count, labels = 1, mask.astype(np.int32)
    else:
        count, labels = label_regions(mask, rule.closing)
        if rule.split:
            count, labels = _split_regions(count, labels, rule.min_dies)
    kept = np.bincount(labels.ravel(), minlength=count + 1) >= max(rule.min_dies, 1)
    kept[0] = False
    if kept[1:].all():
        return count, labels
    number = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return int(np.count_nonzero(kept)), number[labels]


def _split_regions(count: int, labels: Labels, min_dies: int) -> tuple[int, Labels]:
    """Part the regions in which clusters touch; the parts take new numbers."""
    boxes = _listed_boxes(_build_table([(count, labels)]))
    for number, (row0, col0, row1, col1) in enumerate(boxes, start=1):
        crop = labels[row0:row1, col0:col1]
        if min(crop.shape) < SMALLEST_SPLIT:
            continue
        region = crop == number
        parts, pieces = split_touching(region, min_dies)
        if parts > 1:
            further = pieces > 1
            crop[further] = pieces[further] + (count - 1)
            count += parts - 1
    return count, labels


def _build_table(labelled: list[tuple[int, Labels]]) -> DieTable:
    """List the dies of all defects, class after class."""
    columns = []
    total = 0
    for count, labels in labelled:
        row, col = np.nonzero(labels)
        number = labels[row, col]
        order = np.argsort(number, kind="stable")
        columns.append(np.stack((number[order] + (total - 1), row[order], col[order])))
        total += count
    region, row, col = np.concatenate(columns, axis=1).astype(np.int64)
    return DieTable(region, row, col, total)


def _numbered(labelled: list[tuple[int, Labels]]) -> Iterator[tuple[Labels, int]]:
    for count, labels in labelled:
        for number in range(1, count + 1):
            yield labels, number


def _listed_boxes(table: DieTable) -> list[tuple[int, int, int, int]]:
    return list(zip(*(side.tolist() for side in bounding_boxes(table)), strict=True))


def _figures(
    measures: DefectMeasures, boxes: list[tuple[int, int, int, int]], wafer: WaferMap
) -> Iterator[dict[str, Any]]:
    """Yield the fields of each defect that come from its shape and place."""
    plain = {name: column.tolist() for name, column in measures._asdict().items()}
    plain["area_dies"] = plain.pop("area")
    edges = np.asarray(boxes) - 0.5  # die edges, where a die's centre has whole numbers
    middle = to_mm(wafer, measures.centroid)
    one, other = to_mm(wafer, edges[:, :2]), to_mm(wafer, edges[:, 2:])
    die_mm2 = None if middle is None else (wafer.die_width_mm or 0) * (wafer.die_height_mm or 0)
    for i, (row0, col0, row1, col1) in enumerate(boxes):
        figures = {name: column[i] for name, column in plain.items()}
        size, outline = figures["area_dies"], figures["perimeter"]
        x, y = zip(
            wafer.frame.to_xy(row0, col0), wafer.frame.to_xy(row1 - 1, col1 - 1), strict=True
        )
        row, col = figures["centroid"] = tuple(figures["centroid"])
        box_mm = None
        if one is not None and other is not None:
            box_mm = (
                *np.minimum(one[i], other[i]).tolist(),
                *np.maximum(one[i], other[i]).tolist(),
            )
        yield figures | {
            "bbox": (row0, col0, row1, col1),
            "bbox_xy": (min(x), min(y), max(x), max(y)),
            "bbox_mm": box_mm,
            "centroid_xy": wafer.frame.to_xy(row, col),
            "centroid_mm": None if middle is None else tuple(middle[i].tolist()),
            "die_count": size,
            "area_mm2": None if die_mm2 is None else size * die_mm2,
            "compactness": 4 * math.pi * size / outline**2,
        }
