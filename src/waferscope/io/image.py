"""PNG pictures of wafers and predictions, for people."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import FAIL, PASS, WaferMap
from waferscope.io.image_cells import (
    BAD,
    GOOD,
    Color,
    Pixels,
    cell_size,
    darker,
    paint_dies,
    paint_gaps,
    paint_masks,
    paint_outline,
)
from waferscope.io.image_page import Badge, LegendRow, Page, compose_page

if TYPE_CHECKING:
    from waferscope.domain.defects import Defect
    from waferscope.domain.prediction import Prediction


def draw_map(wafer: WaferMap, scale: int | None = None) -> Pixels:
    """Return uint8 ``[h, w, 3]`` RGB: the wafer's dies, passing light and failing dark.

    ``scale`` is the longer side of a die in pixels; without it the map is about 760 pixels wide.
    """
    cell = cell_size(wafer, scale)
    image = paint_dies(wafer.dies, cell)
    paint_gaps(image, cell)
    page = Page(_title(wafer), _subtitle(wafer), "", _die_rows(wafer, "fail", wafer.fail_count))
    return compose_page(page, image, wafer, cell)


def draw_overlay(prediction: Prediction, scale: int | None = None) -> Pixels:
    """Return uint8 ``[h, w, 3]`` RGB: the wafer with its masks, zones, labels and severity.

    Dies of a class have its colour (the taxonomy's, told apart by colour-blind readers) and its
    glyph, or in dense maps its number beside the zone. A die of several classes is striped, and
    each zone is outlined. ``scale`` is as in `draw_map`.
    """
    wafer, masks, taxonomy = prediction.wafer, prediction.masks, prediction.taxonomy
    cell = cell_size(wafer, scale)
    colors = [parse_color(c.color) for c in taxonomy.classes]
    image = paint_dies(wafer.dies, cell)
    paint_masks(image, masks, colors, cell)
    paint_gaps(image, cell)
    rows, badges = [], []
    for channel in np.flatnonzero(masks.any(axis=(1, 2))).tolist():
        rule, name = taxonomy.classes[channel], taxonomy.class_names[channel]
        paint_outline(image, find_zone(prediction, channel), darker(colors[channel]), cell)
        dies, count = prediction.metrics.affected_dies[name], prediction.metrics.counts[name]
        more = "1 defect" if count == 1 else f"{count:,} defects"
        rows.append(LegendRow(colors[channel], name, f"{dies:,}", more, channel, rule.id))
        if not cell.has_glyphs:
            largest = next((d for d in prediction.defects if d.class_id == rule.id), None)
            if largest is not None:
                badges.append(Badge(*_place(largest), rule.id, colors[channel]))
    rest = wafer.fail_count - prediction.metrics.affected
    page = Page(
        _title(wafer),
        _subtitle(wafer),
        _patterns_in_words(prediction),
        (*rows, *_die_rows(wafer, "fail, no class" if rows else "fail", rest)),
        tuple(badges),
        (prediction.severity, prediction.severity_level),
        tuple(prediction.conflicts),
    )
    return compose_page(page, image, wafer, cell)


def map_png(wafer: WaferMap) -> bytes:
    """Return the PNG file of a plain wafer."""
    return png_bytes(draw_map(wafer))


def overlay_png(prediction: Prediction) -> bytes:
    """Return the PNG file of a prediction's overlay."""
    return png_bytes(draw_overlay(prediction))


def png_bytes(image: Pixels) -> bytes:
    """Return an RGB picture as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def parse_color(text: str) -> Color:
    """Return the parts of a colour written as #RRGGBB.

    >>> parse_color("#0072B2")
    (0, 114, 178)
    """
    number = int(text.removeprefix("#"), 16)
    return number >> 16 & 255, number >> 8 & 255, number & 255


def find_zone(prediction: Prediction, channel: int) -> npt.NDArray[np.bool_]:
    """Return bool ``[rows, cols]``: the parts of a class's zone that hold dies of its mask."""
    import cv2

    on_wafer = prediction.wafer.dies > 0
    zone = (prediction.probs[channel] >= prediction.thresholds[channel]) & on_wafer
    _, labels = cv2.connectedComponents(zone.astype(np.uint8), connectivity=8)
    held = np.zeros(int(labels.max()) + 1, dtype=bool)
    held[labels[prediction.masks[channel]]] = True
    held[0] = False
    found: npt.NDArray[np.bool_] = held[labels]
    return found


def _place(defect: Defect) -> tuple[float, float]:
    """Return the (row, col) of the die of a defect that is nearest to its centroid."""
    row0, col0, _, _ = defect.bbox
    rows, cols = np.nonzero(defect.mask)
    rows, cols = rows + row0, cols + col0
    nearest = np.argmin(np.hypot(rows - defect.centroid[0], cols - defect.centroid[1]))
    return float(rows[nearest]), float(cols[nearest])


def _title(wafer: WaferMap) -> str:
    return wafer.wafer_id or "unnamed wafer"


def _subtitle(wafer: WaferMap) -> str:
    rows, cols = wafer.shape
    parts = [f"lot {wafer.lot_id}"] if wafer.lot_id else []
    parts += [f"{rows} x {cols}", f"{wafer.die_count:,} dies"]
    parts += [f"yield {wafer.wafer_yield:.1%}"] if wafer.die_count else []
    return "  ·  ".join(parts)


def _patterns_in_words(prediction: Prediction) -> str:
    if not prediction.labels:
        return "no pattern"
    return ", ".join(f"{label} {prediction.patterns[label]:.2f}" for label in prediction.labels)


def _die_rows(wafer: WaferMap, fail_name: str, fails: int) -> tuple[LegendRow, ...]:
    passed = int(np.count_nonzero(wafer.dies == PASS))
    rows = [LegendRow(BAD, fail_name, f"{fails:,}")] if (wafer.dies == FAIL).any() else []
    return (*rows, LegendRow(GOOD, "pass", f"{passed:,}"))
