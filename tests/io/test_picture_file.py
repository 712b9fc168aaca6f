"""Pictures are decoded within limits, into the few colours they are made of."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.io.pictures import disc, draw, file_of, resize
from waferscope.errors import FormatError
from waferscope.io import picture_file, read
from waferscope.io.archive import open_blobs
from waferscope.io.picture_file import Picture, decode_pictures, is_picture


def decode(data: bytes) -> list[Picture]:
    return [p for blob in open_blobs(data, is_picture) for p in decode_pictures(blob)]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_colours_are_exact() -> None:
    image = draw(disc(9, 9), cell=(3, 3))
    (picture,) = decode(file_of(image))
    assert picture.crisp
    assert not picture.codes
    assert np.array_equal(picture.colors[picture.labels][..., :3], image)


def test_resampled_pictures_keep_their_main_colours() -> None:
    image = resize(draw(disc(20, 20), cell=(8, 8)), (150, 150), Image.Resampling.LANCZOS)
    (picture,) = decode(file_of(image))
    assert not picture.crisp
    shown = {tuple(picture.colors[n][:3].tolist()) for n in np.unique(picture.labels)}
    for color in ((255, 255, 255), (0, 160, 0), (220, 0, 0)):
        assert min(np.abs(np.subtract(color, own)).max() for own in shown) <= 24


@pytest.mark.parametrize(
    ("array", "codes"),
    [
        (np.array([[0, 1], [2, 1]], np.uint8), True),
        (np.array([[0, 1], [2, 1]], np.uint16), True),
        (np.array([[0, 1], [3, 1]], np.uint8), False),
        (np.array([[0, 65535], [3, 1]], np.uint16), False),
        (np.array([[0, 1], [-3, 1]], np.int32), False),
        (np.array([[0, 1], [0.5, 1]], np.float32), False),
        (np.array([[True, False]]), False),
    ],
)
def test_numbers(array: Any, codes: bool) -> None:
    (picture,) = decode(file_of(Image.fromarray(array), "TIFF"))
    assert picture.codes == codes
    if codes:
        assert np.array_equal(picture.labels, array)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        png(30_000, 30_000, b""),
        png(2**31 - 1, 2**31 - 1, b""),
        png(40_000, 1, b""),
        png(0, 0, b""),
        png(4, 4, b"\0"),
        png(4, 4, b"\0\0\0\0\0" * 4)[:40],
        b"\x89PNG\r\n\x1a\n" + bytes(99),
        b"II*\0" + bytes(99),
        b"MM\0*\xff\xff\xff\xff",
        b"II+\0\x08\0\0\0" + b"\xff" * 60,
        file_of(Image.fromarray(np.array([[np.nan, 1]], np.float32)), "TIFF"),
    ],
)
def test_damaged_or_far_too_large(data: bytes) -> None:
    with pytest.raises(FormatError, match="Expected"):
        read(data, "png")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(99), r"damaged \(its header makes no sense\)"),
        (png(4, 4, b"\0"), r"damaged \(the pixels of page 1 cannot be decoded\)"),
        (png(30_000, 30_000, b""), "at most 8,388,608 pixels, got <bytes> of far more"),
    ],
)
def test_what_is_wrong_is_said_in_words_of_our_own(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(data)


def test_a_damaged_page_is_named() -> None:
    pages = [Image.fromarray(draw(disc(20, 20))) for _ in range(2)]
    data = bytearray(file_of(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    (second,) = struct.unpack_from("<I", data, first + 2 + 12 * count)
    with pytest.raises(
        FormatError, match=r"damaged \((the pixels of page 2 cannot|page 2 makes no sense)"
    ):
        decode(bytes(data[: second + 4]))


def test_a_bomb_of_pixels_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(FormatError, match="at most 8,388,608 pixels"):
        decode(png(6000, 6000, bytes(6001 * 100)))


def test_pages_that_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [Image.fromarray(draw(disc(20, 20))) for _ in range(4)]
    data = file_of(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert len(decode(data)) == 4
    for name, value in (("MOST_PIXELS", 1500), ("MOST_PAGES", 3), ("LARGEST", 99)):
        with monkeypatch.context() as patch:
            patch.setattr(picture_file, name, value)
            with pytest.raises(FormatError, match="Make it smaller"):
                decode(data)
