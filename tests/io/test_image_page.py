"""The page around a map: nothing it says is lost or cut off, and the map lies where it should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from tests.hand_made import disc
from tests.io.pictures import Pixels, counted
from waferscope.domain.wafermap import WaferMap
from waferscope.io.image import draw_map
from waferscope.io.image_cells import GOOD, INK, PAPER, Cell, paint_dies
from waferscope.io.image_page import Badge, LegendRow, Page, compose_page

Places = npt.NDArray[np.intp]
WAFER = WaferMap(np.pad(np.ones((9, 9), np.uint8), 1))
CELL = Cell(12, 12)
RED = (200, 10, 20)
PLAIN = Page("", "", "", ())


def page(**parts: object) -> Pixels:
    return compose_page(replace(PLAIN, **parts), paint_dies(WAFER.dies, CELL), WAFER, CELL)  # type: ignore[arg-type]


def inked(image: Pixels) -> Places:
    """The pixels, ``[n, 2]``, that are not paper."""
    return np.argwhere((image != PAPER).any(axis=-1))


def changed(**parts: object) -> Places:
    """The pixels, ``[n, 2]``, that these parts of a page add to an empty one of its size."""
    return np.argwhere((page(**parts) != page()).any(axis=-1))


def test_the_map_is_whole_and_unchanged() -> None:
    image = page()
    assert counted(image, GOOD) == 81 * 144
    rows, cols = np.nonzero((image == GOOD).all(axis=-1))
    assert np.ptp(rows) + 1 == np.ptp(cols) + 1 == 9 * 12


def test_the_map_given_is_not_written_into() -> None:
    cells = paint_dies(WAFER.dies, CELL)
    before = cells.copy()
    compose_page(PLAIN, cells, WAFER, CELL)
    assert np.array_equal(cells, before)


@pytest.mark.parametrize("part", ["title", "subtitle", "patterns"])
def test_a_line_of_the_header_stays_in_its_place(part: str) -> None:
    short, long = changed(**{part: "W01"}), changed(**{part: "W01 " * 200})
    width = page().shape[1]
    assert len(short) > 20
    assert np.ptp(long[:, 1]) > np.ptp(short[:, 1])
    assert long[:, 0].max() < 112
    assert long[:, 1].max() < width - 20


def test_a_long_title_leaves_room_for_the_severity() -> None:
    alone = changed(severity=(87.4, "critical"))
    both = page(severity=(87.4, "critical"), title="W" * 300)
    drawn = page(severity=(87.4, "critical"))
    left = int(alone[:, 1].min())
    assert np.array_equal(both[:, left:], drawn[:, left:])
    assert counted(drawn, (155, 28, 28)) > 100


def test_signs_that_cannot_be_printed_are_blanks() -> None:
    assert np.array_equal(page(title="a\n\x00b"), page(title="a  b"))


def test_a_legend_row_has_a_swatch_of_its_colour() -> None:
    row = LegendRow(RED, "scratch", "12")
    assert counted(page(legend=(row,)), RED) == 24 * 24
    with_glyph, badge = replace(row, channel=3), replace(row, number=7)
    for other in (with_glyph, badge):
        assert 24 * 12 < counted(page(legend=(other,)), RED) < 24 * 24
    assert len(changed(legend=(replace(row, more="12 %"),))) > len(changed(legend=(row,)))


def test_a_long_legend_makes_the_page_taller_and_stays_on_it() -> None:
    rows = tuple(LegendRow((n + 1, 0, 99), f"class {n}", "1") for n in range(20))
    image = page(legend=rows, warnings=("a warning of many words " * 5,) * 4)
    assert image.shape[0] > page().shape[0]
    assert all(counted(image, row.color) == 24 * 24 for row in rows)
    assert inked(image)[:, 0].max() < image.shape[0] - 10


def test_warnings_are_wrapped_below_the_legend() -> None:
    one, more = (changed(warnings=("word " * n,)) for n in (3, 20))
    assert np.ptp(more[:, 0]) > np.ptp(one[:, 0])
    assert more[:, 1].max() < page().shape[1]


@pytest.mark.parametrize(("row", "col"), [(1, 1), (5, 5), (9, 2)])
def test_a_badge_lies_on_its_die(row: int, col: int) -> None:
    dies = np.argwhere((page() == GOOD).all(axis=-1)).min(axis=0)  # the corner of die (1, 1)
    center = dies + (np.array([row, col]) - 0.5) * 12
    drawn = changed(badges=(Badge(row, col, 3, RED),))
    middle = (drawn.min(axis=0) + drawn.max(axis=0)) / 2
    assert np.abs(middle - center).max() <= 1.5


@pytest.mark.parametrize("notch", ["down", "up", "left", "right"])
def test_the_notch_is_where_the_wafer_says(notch: str) -> None:
    wafer = WaferMap(disc(31), notch=notch)  # type: ignore[arg-type]
    image = draw_map(wafer, scale=10)
    rows, cols = np.nonzero((image[112:, :420] == INK).all(axis=-1))
    middle = np.array([rows.mean() + 112, cols.mean()])
    rim = np.argwhere((image[112:, :420] == GOOD).all(axis=-1)).mean(axis=0) + np.array([112, 0])
    down, right = middle - rim
    side = (
        ("down" if down > 0 else "up")
        if abs(down) > abs(right)
        else ("right" if right > 0 else "left")
    )
    assert side == notch
