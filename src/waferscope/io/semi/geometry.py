"""Axes, notch and sizes as E142 and G85 give them.

Sources: SEMI E142 (OriginLocation is the corner whose die has the coordinates 0, 0, AxisDirection
says where they grow; LowerLeft and UpRight unless said) and SEMI G85 (OriginLocation 0 to 4).
Orientation turns the wafer clockwise from the notch at the bottom, in both: 90 is the left.
The rows of a map stand as the wafer is seen: the first is the top one, its first die the left one.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Final

from waferscope.domain.wafermap import Frame, Notch
from waferscope.errors import FormatError

NOTCHES: Final[Mapping[int, Notch]] = {0: "down", 90: "left", 180: "up", 270: "right"}
DEGREES: Final[Mapping[str, int]] = {notch: degrees for degrees, notch in NOTCHES.items()}
G85_ORIGINS: Final[Mapping[int, tuple[str, str]]] = {
    0: ("Center", "DownRight"),
    1: ("UpperRight", "DownLeft"),
    2: ("UpperLeft", "DownRight"),
    3: ("LowerLeft", "UpRight"),
    4: ("LowerRight", "UpLeft"),
}
_MM: Final[Mapping[str, float]] = {
    "mm": 1.0,
    "millimeter": 1.0,
    "cm": 10.0,
    "um": 1e-3,
    "µm": 1e-3,
    "μm": 1e-3,
    "micron": 1e-3,
    "micrometer": 1e-3,
    "nm": 1e-6,
    "mil": 0.0254,
    "inch": 25.4,
    "in": 25.4,
}


def read_frame(origin: str, axes: str, shape: tuple[int, int], notes: list[str]) -> Frame:
    """Return the frame of a map; what is missing or unknown is taken as the default, and noted.

    >>> read_frame("UpperRight", "DownLeft", (3, 5), [])
    Frame(x0=4, y0=0, dx=-1, dy=1, swapped=False)
    """
    place, growth = origin.lower(), axes.lower()
    if not any(word in place for word in ("center", "centre", "upper", "lower")):
        notes.append(_guess("OriginLocation", origin, "LowerLeft"))
        place = "lowerleft"
    if not (("up" in growth or "down" in growth) and ("left" in growth or "right" in growth)):
        notes.append(_guess("AxisDirection", axes, "UpRight"))
        growth = "upright"
    rows, cols = shape
    row = rows // 2 if "cent" in place else 0 if "upper" in place else rows - 1
    col = cols // 2 if "cent" in place else cols - 1 if "right" in place else 0
    dx, dy = 1 if "right" in growth else -1, 1 if "down" in growth else -1
    return Frame(-dx * col, -dy * row, dx, dy)


def write_frame(frame: Frame, shape: tuple[int, int]) -> tuple[str, str, int, int]:
    """Return OriginLocation, AxisDirection, and what to add to x and y to get the frame's.

    >>> write_frame(Frame(4, 0, -1, 1), (3, 5)), write_frame(Frame(7, -3), (3, 5))
    (('UpperRight', 'DownLeft', 0, 0), ('UpperLeft', 'DownRight', 7, -3))
    """
    right, down = frame.dx == 1, frame.dy == 1
    origin = ("Upper" if down else "Lower") + ("Left" if right else "Right")
    axes = ("Down" if down else "Up") + ("Right" if right else "Left")
    plain = read_frame(origin, axes, shape, [])
    if max(abs(frame.x0 - plain.x0), abs(frame.y0 - plain.y0)) > 999_999_999:
        raise FormatError(
            f"Expected die coordinates of at most nine digits, got x from {frame.x0} and y from "
            f"{frame.y0}. Shift the wafer's frame."
        )
    return origin, axes, frame.x0 - plain.x0, frame.y0 - plain.y0


def read_notch(orientation: str, notes: list[str]) -> Notch:
    """Return where the notch lies; down, with a note, for what is none of the four angles."""
    angle = number(orientation)
    if angle is not None and angle % 360 in NOTCHES:
        return NOTCHES[int(angle % 360)]
    notes.append(_guess("Orientation", orientation, "0, the notch down"))
    return "down"


def number(text: str) -> float | None:
    """Return a finite number, or None; a comma may stand for the point.

    >>> number("2,5"), number("nan"), number("x")
    (2.5, None, None)
    """
    try:
        value = float(text[:40].replace(",", ".").replace("_", "x"))
    except ValueError:
        return None
    return value if isfinite(value) else None


def whole(text: str) -> int | None:
    """Return a whole number of at most nine digits, or None.

    >>> whole("-12"), whole("1.0"), whole("9" * 99)
    (-12, None, None)
    """
    plain = text.strip()
    digits = plain.removeprefix("-").removeprefix("+")
    return int(plain) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None


def to_mm(text: str, units: str) -> float | None:
    """Return a size in mm, or None where there is none or its unit is unknown.

    >>> to_mm("2500", "microns"), to_mm("1", "Mil"), to_mm("0", "mm"), to_mm("3", "ells")
    (2.5, 0.0254, None, None)
    """
    value, unit = number(text), units.strip().lower()
    factor = _MM.get(unit) or _MM.get(unit.removesuffix("s")) or _MM.get(unit.removesuffix("es"))
    if value is None or factor is None or not 0 < value * factor < 1e6:
        return None
    return round(value * factor, 9) or None


def _guess(name: str, got: str, taken: str) -> str:
    return f"{name} {got[:20]!r} taken as {taken}" if got else f"no {name}: taken as {taken}"
