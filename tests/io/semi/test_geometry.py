"""Axes in all combinations, against counting dies from the origin."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.io.wafers import frames
from waferscope.domain.wafermap import Frame
from waferscope.errors import FormatError
from waferscope.io.semi.geometry import (
    DEGREES,
    G85_ORIGINS,
    number,
    read_frame,
    read_notch,
    to_mm,
    whole,
    write_frame,
)

ORIGINS = ("UpperLeft", "UpperRight", "LowerLeft", "LowerRight", "Center")
AXES = ("DownRight", "UpRight", "DownLeft", "UpLeft")
CORNERS = {
    "UpperLeft": (0, 0),
    "UpperRight": (0, 4),
    "LowerLeft": (2, 0),
    "LowerRight": (2, 4),
    "Center": (1, 2),
}


@pytest.mark.parametrize(("origin", "axes"), list(product(ORIGINS, AXES)))
def test_every_origin_with_every_direction(origin: str, axes: str) -> None:
    notes: list[str] = []
    frame = read_frame(origin, axes, (3, 5), notes)
    row, col = CORNERS[origin]
    assert notes == []
    assert frame.to_xy(row, col) == (0, 0)
    assert frame.to_xy(row, col + 1) == (1 if "Right" in axes else -1, 0)
    assert frame.to_xy(row + 1, col) == (0, 1 if "Down" in axes else -1)
    assert read_frame(f"to{origin}".upper(), axes.lower(), (3, 5), []) == frame


def test_the_defaults_of_the_standard() -> None:
    notes: list[str] = []
    assert read_frame("", "sideways", (3, 5), notes) == read_frame(
        "LowerLeft", "UpRight", (3, 5), []
    )
    assert notes == [
        "no OriginLocation: taken as LowerLeft",
        "AxisDirection 'sideways' taken as UpRight",
    ]


@given(frames(), st.tuples(st.integers(1, 99), st.integers(1, 99)))
def test_a_frame_comes_back(frame: Frame, shape: tuple[int, int]) -> None:
    origin, axes, x, y = write_frame(frame, shape)
    assert (origin, axes) in G85_ORIGINS.values()
    plain = read_frame(origin, axes, shape, [])
    assert (plain.x0 + x, plain.y0 + y) == (frame.x0, frame.y0)
    assert (plain.dx, plain.dy) == (frame.dx, frame.dy)


def test_a_frame_too_far_away() -> None:
    with pytest.raises(FormatError, match="nine digits"):
        write_frame(Frame(10**9, 0), (1, 1))


@pytest.mark.parametrize(
    ("text", "notch", "notes"),
    [
        ("0", "down", 0),
        ("90", "left", 0),
        ("180.0", "up", 0),
        ("270", "right", 0),
        ("-90", "right", 0),
        ("360", "down", 0),
        ("45", "down", 1),
        ("", "down", 1),
        ("nan", "down", 1),
        ("1e999", "down", 1),
    ],
)
def test_notches(text: str, notch: str, notes: int) -> None:
    said: list[str] = []
    assert read_notch(text, said) == notch
    assert len(said) == notes
    assert DEGREES[notch] in (0, 90, 180, 270)


@pytest.mark.parametrize(
    ("text", "units", "size"),
    [
        ("2500", "microns", 2.5),
        ("2.5", "MM", 2.5),
        ("100", "mil", 2.54),
        ("0.1", "inches", 2.54),
        ("-1", "mm", None),
        ("inf", "mm", None),
        ("1_0", "mm", None),
        ("1e300", "mm", None),
        ("2", "furlongs", None),
    ],
)
def test_sizes(text: str, units: str, size: float | None) -> None:
    assert to_mm(text, units) == size


def test_numbers() -> None:
    assert [whole(text) for text in (" 7 ", "+7", "--7", "7.0", "1_0", "٧", "")] == [
        *(7, 7, None, None, None, None, None)
    ]
    assert number("1" * 5000) is not None
