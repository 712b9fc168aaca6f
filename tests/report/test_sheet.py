"""The contact sheet: size, and the mask's colours below the wafer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.hand_made import disc
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY as TAXONOMY
from waferscope.errors import InputError
from waferscope.report.figures import hex_to_rgb
from waferscope.report.sheet import (
    CAPTION,
    GAP,
    LEGEND,
    SIDE,
    Panel,
    draw_panels,
    draw_sheet,
    write_sheet,
)
from waferscope.synth import SynthWafer


def wafer(name: str | None = "center") -> SynthWafer:
    dies = disc(31)
    zones = np.zeros((len(TAXONOMY.classes), 31, 31), dtype=bool)
    if name:
        zones[TAXONOMY.channel(name), 10:21, 10:21] = True
        dies[10:21, 10:21] = 2
    return SynthWafer(dies=dies, zones=zones, classes=(name,) if name else (), patterns=())


def test_each_wafer_has_its_mask_below_it() -> None:
    sheet = draw_sheet([wafer()])
    middle = (GAP + SIDE // 2, LEGEND + SIDE // 2)
    below = (middle[0], middle[1] + SIDE)
    color = hex_to_rgb(TAXONOMY.classes[TAXONOMY.channel("center")].color)
    assert sheet.getpixel(below) == color
    assert sheet.getpixel(middle) != color


def test_wafers_fill_rows() -> None:
    sheet = draw_sheet([wafer("ring"), wafer(None), wafer("edge")], columns=2)
    assert sheet.width == GAP + 2 * (SIDE + GAP)
    assert sheet.height == LEGEND + 2 * (2 * SIDE + CAPTION + GAP)


def test_sheet_is_written(tmp_path: Path) -> None:
    write_sheet([wafer()], tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > SIDE


def test_an_empty_sheet_is_refused() -> None:
    with pytest.raises(InputError, match="at least one wafer"):
        draw_sheet([])


def test_a_panel_may_show_masks_above_and_below() -> None:
    one = wafer()
    nothing = np.zeros_like(one.masks)
    sheet = draw_panels([Panel(one.dies, one.masks, nothing, ("true above", "said below"))])
    middle = (GAP + SIDE // 2, LEGEND + SIDE // 2)
    color = hex_to_rgb(TAXONOMY.classes[TAXONOMY.channel("center")].color)
    assert sheet.getpixel(middle) == color
    assert sheet.getpixel((middle[0], middle[1] + SIDE)) != color
