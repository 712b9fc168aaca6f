"""Drawn wafer maps come back die by die; photos and plots are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tests.hand_made import build_prediction
from tests.io.pictures import PALETTES, disc, draw, file_of, resize
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import FormatError
from waferscope.io import read, sniff, write
from waferscope.io.image import draw_overlay
from waferscope.io.picture import _is_blocky


def one(image: Any, kind: str = "PNG", **options: Any) -> WaferMap:
    (wafer,) = read(file_of(image, kind, **options))
    return wafer


def said(wafer: WaferMap, words: str) -> bool:
    return any(words in note for note in wafer.notes)


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_pixel_per_die(palette: str, kind: str) -> None:
    dies = disc(26, 31)
    wafer = one(draw(dies, palette), kind)
    assert np.array_equal(wafer.dies, dies)
    assert said(wafer, "26 rows and 31 columns of dies, one pixel each")
    assert wafer.bins is None


@settings(max_examples=25)
@given(
    st.tuples(st.integers(12, 40), st.integers(12, 40)),
    st.tuples(st.integers(2, 12), st.integers(2, 12)),
    st.integers(0, 17),
    st.sampled_from(sorted(PALETTES)),
    st.integers(0, 99),
)
def test_cells_of_any_size(
    shape: tuple[int, int], cell: tuple[int, int], margin: int, palette: str, seed: int
) -> None:
    dies = disc(*shape, seed=seed)
    wafer = one(draw(dies, palette, cell, margin))
    assert np.array_equal(wafer.dies, dies)
    assert said(wafer, f"{cell[1]} x {cell[0]} pixels each")


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (0, 0, 255)])
@pytest.mark.parametrize(("cell", "width"), [((3, 4), 1), ((6, 6), 1), ((10, 8), 3)])
def test_grid_lines_and_gaps(
    cell: tuple[int, int], width: int, color: tuple[int, int, int]
) -> None:
    dies = disc(22, 25)
    wafer = one(draw(dies, cell=cell, margin=11, line=(width, color)))
    assert np.array_equal(wafer.dies, dies)


@pytest.mark.parametrize("side", [300, 1024])
@pytest.mark.parametrize("shape", [(52, 52), (25, 27), (71, 38), (212, 204)])
def test_renders_of_a_fixed_size(side: int, shape: tuple[int, int]) -> None:
    dies = disc(*shape)
    image = resize(draw(dies), (side, side), Image.Resampling.NEAREST)
    assert np.array_equal(one(image).dies, dies)


@pytest.mark.parametrize("how", [Image.Resampling.BILINEAR, Image.Resampling.LANCZOS])
@pytest.mark.parametrize("factor", [0.8, 1.13])
@pytest.mark.parametrize("line", [None, (1, (0, 0, 0))])
def test_slightly_resampled(how: Image.Resampling, factor: float, line: Any) -> None:
    dies = disc(24, 30)
    image = draw(dies, cell=(8, 7), margin=9, line=line)
    size = int(image.shape[1] * factor), int(image.shape[0] * factor)
    assert np.array_equal(one(resize(image, size, how)).dies, dies)


def test_transparency_palettes_and_depths() -> None:
    dies = disc(20, 20)
    rgb = draw(dies, cell=(5, 5), margin=4)
    clear = np.dstack([rgb, np.where((rgb == 255).all(axis=2), 0, 255).astype(np.uint8)])
    grey = draw(dies, "greys on black", (5, 5), 4)[..., 0]
    for image in (
        clear,
        Image.fromarray(rgb).quantize(8),
        grey,
        grey.astype(np.uint16) * 257,
        Image.fromarray(grey).convert("LA"),
    ):
        assert np.array_equal(one(image).dies, dies)
    assert np.array_equal(one(grey.astype(np.uint16) * 257, "TIFF").dies, dies)
    assert said(one(clear), "background transparent")


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_numbers_instead_of_colours(depth: Any) -> None:
    dies = np.random.default_rng(1).integers(0, 3, (14, 9)).astype(depth)
    wafer = one(dies)
    assert np.array_equal(wafer.dies, dies)
    assert said(wafer, "values 0, 1 and 2")
    assert np.array_equal(one(dies.repeat(4, axis=0).repeat(4, axis=1)).shape, (14, 9))


def test_more_colours_are_bins() -> None:
    dies = disc(20, 21)
    shown = np.where((dies == 2) & (np.arange(21) > 10), 3, dies).astype(np.uint8)
    shown[10, 5:8] = 4
    palette = [(255, 255, 255), (0, 180, 0), (200, 0, 0), (250, 240, 0), (150, 150, 150)]
    wafer = one(draw(shown, palette, (6, 6), 5))
    assert np.array_equal(wafer.dies, np.array([0, 1, 2, 2, 0])[shown])
    assert wafer.bins is not None
    assert wafer.bins.hard is not None
    assert sorted(wafer.bins.hard_names.values()) == ["#00B400", "#C80000", "#FAF000"]
    assert wafer.bins.hard_names[1] == "#00B400"
    assert said(wafer, "no result #969696")


def test_pages_are_wafers(tmp_path: Path) -> None:
    maps = [disc(15, 17, seed=n) for n in range(3)]
    first, *rest = [Image.fromarray(draw(dies, cell=(4, 4))) for dies in maps]
    path = tmp_path / "lot.tif"
    path.write_bytes(file_of(first, "TIFF", save_all=True, append_images=rest))
    found = read(path)
    assert [w.wafer_id for w in found] == ["lot-1", "lot-2", "lot-3"]
    assert all(np.array_equal(w.dies, dies) for w, dies in zip(found, maps, strict=True))


def photo() -> Any:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:240, :320]
    shades = [128 + 90 * np.sin(x / 37 + n) * np.cos(y / 29 - n) for n in range(3)]
    return np.clip(np.stack(shades, axis=-1) + rng.normal(0, 9, (240, 320, 3)), 0, 255).astype(
        np.uint8
    )


def plot() -> Any:
    image = Image.new("RGB", (400, 300), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((40, 20, 380, 270), outline="black")
    pen.line([(x, 150 + 80 * np.sin(x / 30)) for x in range(40, 380)], fill=(0, 0, 255), width=2)
    for x in range(60, 380, 60):
        pen.line((x, 270, x, 275), fill="black")
        pen.text((x - 8, 280), str(x), fill="black")
    return image


def bars() -> Any:
    image = Image.new("RGB", (400, 300), "white")
    pen = ImageDraw.Draw(image)
    for n, height in enumerate((90, 200, 140, 60, 230)):
        pen.rectangle((50 + 60 * n, 280 - height, 90 + 60 * n, 280), fill=(30, 120, 180))
    return image


def scatter() -> Any:
    image = Image.new("RGB", (300, 300), "white")
    pen = ImageDraw.Draw(image)
    for x, y in np.random.default_rng(4).normal(150, 40, (200, 2)):
        pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill="red")
    return image


REFUSED: dict[str, Any] = {
    "a photo": photo,
    "a gradient": lambda: np.tile(np.arange(256, dtype=np.uint8), (256, 1)),
    "a line plot": plot,
    "bars": bars,
    "points": scatter,
    "noise": lambda: np.random.default_rng(5).integers(0, 256, (99, 99, 3)).astype(np.uint8),
    "one colour": lambda: np.full((50, 50, 3), 200, np.uint8),
    "stripes": lambda: draw((np.indices((9, 9))[0] % 2).astype(np.uint8), cell=(9, 9)),
    "a board": lambda: draw((np.indices((9, 9)).sum(axis=0) % 2).astype(np.uint8), cell=(9, 9)),
    "a full rectangle": lambda: draw(np.full((9, 9), 1, np.uint8), cell=(9, 9), margin=9),
    "an overlay with a legend": lambda: draw_overlay(build_prediction()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_wafer_map(name: str) -> None:
    with pytest.raises(FormatError, match=r"Expected a picture of|one wafer map"):
        one(REFUSED[name]())


@pytest.mark.parametrize("cell", [1, 3, 5])
@pytest.mark.parametrize("frame", [False, True])
def test_a_map_with_a_title_and_axes_is_right_or_refused(cell: int, frame: bool) -> None:
    dies = disc(70, 80)
    image = Image.fromarray(draw(dies, cell=(cell, cell), margin=40))
    pen = ImageDraw.Draw(image)
    for x in range(40, image.width - 40, 40):
        pen.text((x, image.height - 30), str(x), fill="black")
    pen.text((60, 5), "Wafer 7, yield 85 %", fill="black")
    if frame:
        pen.rectangle((37, 35, image.width - 35, image.height - 37), outline="black")
    try:
        found = one(image)
    except FormatError:
        return
    assert np.array_equal(found.dies, dies)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_every_truncation_and_flipped_byte(kind: str) -> None:
    data = file_of(draw(disc(9, 9), cell=(2, 2)), kind)
    assert sniff(data) == "png"
    for end in range(0, len(data), 3 if len(data) < 500 else 37):
        try:
            read(data[:end])
        except FormatError:
            continue
    rng = np.random.default_rng(0)
    for at in rng.integers(8, min(len(data), 400), 60).tolist():
        broken = bytearray(data)
        broken[at] ^= 1 << int(rng.integers(8))
        try:
            read(bytes(broken), "png")
        except FormatError:
            continue


def test_a_rim_with_a_notch_is_no_die() -> None:
    dies = disc(22, 25)
    image = Image.fromarray(draw(dies, cell=(12, 12), margin=60))
    pen, (width, height) = ImageDraw.Draw(image), image.size
    for row, col in np.argwhere(dies):
        at = (60 + 12 * col, 60 + 12 * row)
        pen.rectangle((*at, at[0] + 11, at[1] + 11), outline=(90, 90, 90))
    pen.ellipse((3, 3, width - 4, height - 4), outline=(60, 60, 60), width=2)
    tip = [(width // 2 - 6, height - 4), (width // 2 + 6, height - 4), (width // 2, height - 14)]
    pen.polygon(tip, fill=(60, 60, 60))
    assert np.array_equal(one(image).dies, dies)


def test_paper_around_a_map_is_no_background() -> None:
    dies = disc(26, 25)
    image = draw(dies, "viridis", cell=(11, 11))
    framed = np.pad(image, ((40, 30), (50, 20), (0, 0)), constant_values=255)
    assert np.array_equal(one(framed).dies, dies)


def test_dies_of_nearly_three_pixels() -> None:
    dies = disc(100, 104)
    assert np.array_equal(one(resize(draw(dies), (300, 300), Image.Resampling.NEAREST)).dies, dies)


def test_cells_smaller_than_dies_are_refused() -> None:
    """Scribbles hide the pitch: a finer one fits, but is not that of the dies."""
    cells = np.kron(disc(12, 12, fails=0.4), np.ones((4, 4), np.uint8)).astype(np.uint8)
    assert _is_blocky(cells)
    assert not _is_blocky(disc(48, 48, fails=0.4))


@pytest.mark.parametrize("seed", range(3))
def test_pictures_for_people_are_refused_or_right(tmp_path: Path, seed: int) -> None:
    """They have a title, a legend and a rim, of which no part is a die."""
    wafer = WaferMap(disc(43, 42, fails=0.05, seed=seed), wafer_id="W7", lot_id="LOT")
    (path,) = write(wafer, tmp_path / "map.png", "png")
    try:
        (found,) = read(path)
    except FormatError:
        return
    assert np.array_equal(found.dies, wafer.dies)
