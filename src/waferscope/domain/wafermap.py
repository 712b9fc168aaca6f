"""One tested wafer as a die grid, and how its array relates to the tester's own coordinates."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from numbers import Integral, Real
from typing import Any, Final, Literal, NamedTuple, Self, TypeVar

import numpy as np
import numpy.typing as npt

from waferscope.errors import WaferError

NO_DIE: Final = 0
PASS: Final = 1
FAIL: Final = 2
MAX_SIDE: Final = 4096
"""Longest side of a die grid, in dies; the densest real grids are far below it."""

_FARTHEST_CENTRE: Final = 1_000_000
"""In dies, from the array's first cell: a wafer is no further from its own dies."""

Notch = Literal["down", "left", "up", "right"]
_TURNS: Final[dict[str, int]] = {"down": 0, "left": 1, "up": 2, "right": 3}
_AFTER_TURN: Final[dict[str, Notch]] = {
    "down": "right",
    "left": "down",
    "up": "left",
    "right": "up",
}

DieGrid = npt.NDArray[np.uint8]
BinGrid = npt.NDArray[np.uint16]
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Frame:
    """The tester's die coordinates: ``x = x0 + dx * col`` and ``y = y0 + dy * row``.

    ``dx`` and ``dy`` are +1 or -1. With ``swapped``, x runs along the rows and y along the
    columns (a map turned by a quarter): ``x = x0 + dx * row`` and ``y = y0 + dy * col``.
    """

    x0: int = 0
    y0: int = 0
    dx: int = 1
    dy: int = 1
    swapped: bool = False

    def __post_init__(self) -> None:
        if self.dx not in (1, -1) or self.dy not in (1, -1):
            raise WaferError(
                f"Expected frame steps dx and dy of +1 or -1, got {self.dx} and {self.dy}. "
                "Die coordinates advance by one per die."
            )

    def to_xy(self, row: Number, col: Number) -> tuple[Number, Number]:
        """Return the tester's (x, y) of an array cell, or of a point between cells.

        >>> Frame(x0=4, y0=-3, dy=-1).to_xy(row=2, col=1)
        (5, -5)
        """
        along_x, along_y = (row, col) if self.swapped else (col, row)
        return self.x0 + self.dx * along_x, self.y0 + self.dy * along_y

    def to_cell(self, x: Number, y: Number) -> tuple[Number, Number]:
        """Return the array (row, col) of a die of the tester, or of a point: inverse of `to_xy`."""
        along_x, along_y = (x - self.x0) * self.dx, (y - self.y0) * self.dy
        return (along_x, along_y) if self.swapped else (along_y, along_x)

    def turn(self, shape: tuple[int, int]) -> Frame:
        """Return the frame after the array of ``shape`` is turned a quarter counter-clockwise."""
        cols = shape[1]
        # np.rot90: new[r, c] = old[c, cols - 1 - r]
        if self.swapped:
            return Frame(self.x0, self.y0 + self.dy * (cols - 1), self.dx, -self.dy, False)
        return Frame(self.x0 + self.dx * (cols - 1), self.y0, -self.dx, self.dy, True)


@dataclass(frozen=True, slots=True)
class Reticle:
    """The exposure field in dies: its size and where the first field starts in the array."""

    rows: int
    cols: int
    row_offset: int = 0
    col_offset: int = 0

    def __post_init__(self) -> None:
        if self.rows < 1 or self.cols < 1:
            raise WaferError(
                f"Expected a reticle of at least 1x1 dies, got {self.rows}x{self.cols}. "
                "Give the exposure field in dies, or None."
            )

    def turn(self, shape: tuple[int, int]) -> Reticle:
        """Return the reticle after the array of ``shape`` is turned a quarter counter-clockwise."""
        return Reticle(
            self.cols, self.rows, (shape[1] - self.col_offset) % self.cols, self.row_offset
        )


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Hard and soft bins per die, uint16 ``[rows, cols]`` (0: none), and their names."""

    hard: BinGrid | None = None
    soft: BinGrid | None = None
    hard_names: Mapping[int, str] = field(default_factory=dict)
    soft_names: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("hard", "soft"):
            grid = getattr(self, name)
            if grid is not None:
                object.__setattr__(self, name, _frozen_grid(grid, np.uint16, f"{name} bins"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bins) and _same_fields(self, other)

    def turn(self) -> Bins:
        """Return the bins turned a quarter counter-clockwise."""
        return replace(
            self,
            hard=None if self.hard is None else np.rot90(self.hard),
            soft=None if self.soft is None else np.rot90(self.soft),
        )


@dataclass(frozen=True, slots=True)
class Source:
    """Where a wafer map came from, and what a byte-preserving writer needs to give it back."""

    format: str
    name: str = ""
    sha256: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


class _Kind(NamedTuple):
    """What a field may hold: its types, and their name for people."""

    types: type | tuple[type, ...]
    said: str
    optional: bool = True


_TEXT: Final = _Kind(str, "a text")
_MM: Final = _Kind(Real, "a number of mm")
_KINDS: Final[dict[str, _Kind]] = {
    "wafer_id": _TEXT._replace(optional=False),
    **dict.fromkeys(("lot_id", "product", "step", "tester"), _TEXT),
    "slot": _Kind(Integral, "a whole number"),
    "tested_at": _Kind(datetime, "a datetime"),
    **dict.fromkeys(("die_width_mm", "die_height_mm", "diameter_mm"), _MM),
    "frame": _Kind(Frame, "a Frame", optional=False),
    "reticle": _Kind(Reticle, "a Reticle"),
    "bins": _Kind(Bins, "Bins"),
    "source": _Kind(Source, "a Source"),
}
"""Fields that are checked by their type alone, or by it before their value."""


@dataclass(frozen=True, eq=False)
class WaferMap:
    """One tested wafer: ``dies`` uint8 ``[rows, cols]``, 0 no die or not tested, 1 pass, 2 fail.

    Row 0 is the top and column 0 the left; ``frame`` leads back to the tester's coordinates.
    ``notch`` is where the notch lies in this array, ``centre`` the (row, col) of the wafer's centre
    in it, a die's own centre having whole numbers (None: unknown). Sizes are in mm, ``tested_at``
    is an aware datetime. ``patterns`` are image-level labels the source carries (None: unlabelled,
    empty: labelled as free of patterns). ``notes`` says what a reader guessed, dropped, counted or
    found truncated. Arrays are copied and made read-only.

    Raises WaferError for a grid that is not 2-D, is empty, has a side over 4,096 dies, or holds
    values other than 0, 1 and 2, and for fields of another type or sizes that cannot be.
    """

    dies: DieGrid
    wafer_id: str = field(default="", kw_only=True)
    lot_id: str | None = field(default=None, kw_only=True)
    slot: int | None = field(default=None, kw_only=True)
    product: str | None = field(default=None, kw_only=True)
    step: str | None = field(default=None, kw_only=True)
    tester: str | None = field(default=None, kw_only=True)
    tested_at: datetime | None = field(default=None, kw_only=True)
    die_width_mm: float | None = field(default=None, kw_only=True)
    die_height_mm: float | None = field(default=None, kw_only=True)
    diameter_mm: float | None = field(default=None, kw_only=True)
    notch: Notch = field(default="down", kw_only=True)
    centre: tuple[float, float] | None = field(default=None, kw_only=True)
    frame: Frame = field(default=Frame(), kw_only=True)
    reticle: Reticle | None = field(default=None, kw_only=True)
    bins: Bins | None = field(default=None, kw_only=True)
    patterns: tuple[str, ...] | None = field(default=None, kw_only=True)
    source: Source | None = field(default=None, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dies", _checked_dies(self.dies))
        for name, kind in _KINDS.items():
            _check_kind(name, getattr(self, name), kind)
        object.__setattr__(self, "notes", _checked_texts("notes", self.notes))
        if self.patterns is not None:
            object.__setattr__(self, "patterns", _checked_texts("patterns", self.patterns))
        if self.notch not in _TURNS:
            raise WaferError(
                f"Expected a notch of down, left, up or right, got {self.notch!r}. "
                "Say where the notch lies in the array."
            )
        for name in ("die_width_mm", "die_height_mm", "diameter_mm"):
            size = getattr(self, name)
            if size is not None and not (math.isfinite(size) and size > 0):
                raise WaferError(
                    f"Expected {name} to be a positive number of mm, got {size!r}. "
                    "Use None when it is unknown."
                )
        if self.centre is not None:
            object.__setattr__(self, "centre", _checked_centre(self.centre))
        if self.tested_at is not None and self.tested_at.tzinfo is None:
            raise WaferError(
                f"Expected tested_at with a time zone, got {self.tested_at!r}. "
                "Attach one, such as datetime.timezone.utc."
            )
        for name in ("hard", "soft"):
            grid = getattr(self.bins, name, None)
            if grid is not None and grid.shape != self.dies.shape:
                raise WaferError(
                    f"Expected {name} bins of shape {self.dies.shape}, got {grid.shape}. "
                    "Give one bin per cell of dies."
                )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WaferMap) and _same_fields(self, other)

    __hash__ = None  # type: ignore[assignment]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the die grid."""
        rows, cols = self.dies.shape
        return rows, cols

    @property
    def die_count(self) -> int:
        """Tested dies."""
        return int(np.count_nonzero(self.dies))

    @property
    def fail_count(self) -> int:
        """Failing dies."""
        return int(np.count_nonzero(self.dies == FAIL))

    @property
    def wafer_yield(self) -> float:
        """Passing dies over tested dies, 0 to 1; NaN for a wafer without a tested die."""
        dies = self.die_count
        return 1.0 - self.fail_count / dies if dies else float("nan")

    @property
    def fingerprint(self) -> str:
        """SHA-256 of shape and dies: the same map has the same fingerprint whatever its names."""
        head = f"{self.dies.shape[0]}x{self.dies.shape[1]}:".encode()
        return hashlib.sha256(head + self.dies.tobytes()).hexdigest()

    def notch_down(self) -> Self:
        """Return the map turned so that its notch points down; nothing is lost, `frame` follows.

        >>> wafer = WaferMap(np.array([[1, 2], [1, 1], [1, 1]]), notch="left")
        >>> wafer.notch_down().dies
        array([[2, 1, 1],
               [1, 1, 1]], dtype=uint8)
        """
        wafer = self
        for _ in range(_TURNS[self.notch]):
            wafer = wafer.turn()
        return wafer

    def turn(self) -> Self:
        """Return the map turned a quarter counter-clockwise; nothing is lost, `frame` follows."""
        return replace(
            self,
            dies=np.rot90(self.dies),
            bins=None if self.bins is None else self.bins.turn(),
            frame=self.frame.turn(self.shape),
            centre=self.centre and (self.shape[1] - 1 - self.centre[1], self.centre[0]),
            reticle=None if self.reticle is None else self.reticle.turn(self.shape),
            die_width_mm=self.die_height_mm,
            die_height_mm=self.die_width_mm,
            notch=_AFTER_TURN[self.notch],
        )


def _checked_dies(dies: Any) -> DieGrid:
    grid = np.asarray(dies)
    if grid.ndim != 2 or grid.size == 0 or max(grid.shape) > MAX_SIDE:
        raise WaferError(
            f"Expected dies as a 2-D array with sides of 1 to {MAX_SIDE}, got shape {grid.shape}. "
            "Give one cell per die: 0 no die, 1 pass, 2 fail."
        )
    if grid.dtype.kind not in "iub":
        raise WaferError(
            f"Expected dies of an integer type, got {grid.dtype}. "
            "Convert to uint8 with 0 no die, 1 pass, 2 fail."
        )
    if grid.max() > FAIL or (grid.dtype.kind == "i" and grid.min() < NO_DIE):
        raise WaferError(
            f"Expected dies with values 0 to 2, got {grid.min()} to {grid.max()}. "
            "Map them to 0 no die, 1 pass, 2 fail."
        )
    return _frozen_copy(grid, np.uint8)


def _check_kind(name: str, value: Any, kind: _Kind) -> None:
    """Raise WaferError for a value of another type; numbers are no truth values."""
    right = isinstance(value, kind.types) and not isinstance(value, bool)
    if not right and not (kind.optional and value is None):
        raise WaferError(
            f"Expected {name} to be {kind.said}{' or None' if kind.optional else ''}, "
            f"got {type(value).__name__} {value!r:.60}. Convert it before building the wafer map."
        )


def _checked_texts(name: str, values: Any) -> tuple[str, ...]:
    held = None if isinstance(values, str) or not isinstance(values, Iterable) else tuple(values)
    if held is None or not all(isinstance(one, str) for one in held):
        raise WaferError(
            f"Expected {name} as a list of texts, got {type(values).__name__} {values!r:.60}. "
            "Put each text into a list, a single one too."
        )
    return held


def _checked_centre(centre: Any) -> tuple[float, float]:
    try:
        values = [float(value) for value in centre]
    except (TypeError, ValueError):
        values = []
    if len(values) != 2 or not all(abs(value) <= _FARTHEST_CENTRE for value in values):
        raise WaferError(
            f"Expected the (row, col) of the wafer's centre within {_FARTHEST_CENTRE:,} dies, got "
            f"{centre!r:.60}. Use None when it is unknown."
        )
    return values[0], values[1]


def _frozen_copy(array: npt.NDArray[Any], dtype: type[np.generic]) -> npt.NDArray[Any]:
    frozen = np.array(array, dtype=dtype, order="C", copy=True)
    frozen.setflags(write=False)
    return frozen


def _frozen_grid(grid: Any, dtype: type[np.generic], name: str) -> npt.NDArray[Any]:
    array = np.asarray(grid)
    if array.ndim != 2 or array.dtype.kind not in "iub":
        raise WaferError(
            f"Expected {name} as a 2-D integer array, got {array.ndim}-D {array.dtype}. "
            "Give one value per cell."
        )
    limits = np.iinfo(dtype)  # type: ignore[type-var]
    if array.size and (array.min() < limits.min or array.max() > limits.max):
        raise WaferError(
            f"Expected {name} between {limits.min} and {limits.max}, "
            f"got {array.min()} to {array.max()}. Check the file's bin numbers."
        )
    return _frozen_copy(array, dtype)


def _same_fields(one: Any, other: Any) -> bool:
    for spec in fields(one):
        mine, theirs = getattr(one, spec.name), getattr(other, spec.name)
        if isinstance(mine, np.ndarray) or isinstance(theirs, np.ndarray):
            if mine is None or theirs is None or not np.array_equal(mine, theirs):
                return False
        elif mine != theirs:
            return False
    return True
