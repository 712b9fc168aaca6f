"""Wafers given inline: what a request may say of one, and the wafer map that it stands for."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime, Field

from waferscope.domain.wafermap import MAX_SIDE, Frame, Reticle, WaferMap
from waferscope.errors import WaferError
from waferscope.service.schema import Question

Name = Annotated[str, Field(max_length=200)]
Millimetres = Annotated[float, Field(ge=1e-3, le=1000, allow_inf_nan=False)]
Place = Annotated[int, Field(ge=-(1 << 40), le=1 << 40)]
Middle = Annotated[float, Field(ge=-1_000_000, le=1_000_000)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class FrameGiven(Question):
    """Where the tester's coordinates lie: ``x = x0 + dx * col``, ``y = y0 + dy * row``."""

    x0: Place = 0
    y0: Place = 0
    dx: Literal[1, -1] = 1
    dy: Literal[1, -1] = 1
    swapped: bool = False


class ReticleGiven(Question):
    """The exposure field, in dies."""

    rows: Side
    cols: Side
    row_offset: Place = 0
    col_offset: Place = 0


class WaferGiven(Question):
    """A wafer: 0 no die, 1 pass, 2 fail; row 0 is the top."""

    dies: list[list[int]] | list[str] | str = Field(
        description="rows of numbers, rows as texts of digits, or base64 of uint8 beside `shape`"
    )
    shape: tuple[Side, Side] | None = Field(
        default=None, description="rows and columns of base64 dies"
    )
    wafer_id: Name = ""
    lot_id: Name | None = None
    slot: Annotated[int, Field(ge=0, le=1 << 31)] | None = None
    product: Name | None = None
    step: Name | None = None
    tester: Name | None = None
    tested_at: AwareDatetime | None = None
    die_width_mm: Millimetres | None = None
    die_height_mm: Millimetres | None = None
    diameter_mm: Millimetres | None = None
    notch: Literal["down", "left", "up", "right"] = "down"
    centre: tuple[Middle, Middle] | None = None
    frame: FrameGiven = FrameGiven()
    reticle: ReticleGiven | None = None


_NOT_FIELDS = {"dies", "shape", "frame", "reticle"}
_FIELDS = tuple(name for name in WaferGiven.model_fields if name not in _NOT_FIELDS)


def build_wafer(given: WaferGiven) -> WaferMap:
    """Return the wafer map. Raises WaferError when the dies cannot be those of a wafer.

    >>> build_wafer(WaferGiven(dies=["010", "121"])).dies
    array([[0, 1, 0],
           [1, 2, 1]], dtype=uint8)
    """
    fields: dict[str, Any] = {name: getattr(given, name) for name in _FIELDS}
    reticle = given.reticle
    return WaferMap(
        _grid(given),
        frame=Frame(**given.frame.model_dump()),
        reticle=None if reticle is None else Reticle(**reticle.model_dump()),
        **fields,
    )


def _grid(given: WaferGiven) -> npt.NDArray[Any]:
    dies = given.dies
    if isinstance(dies, str):
        return _decoded(dies, given.shape)
    if len({len(row) for row in dies}) != 1:
        raise WaferError(
            "Expected rows of dies of one length, got several or none. Fill them up with 0."
        )
    if isinstance(dies[0], str):
        flat = np.frombuffer("".join(map(str, dies)).encode(), np.uint8)
        # What is no digit wraps around or makes the length another one, and is refused.
        return _shaped(flat - ord("0"), (len(dies), len(dies[0])))
    try:
        return np.array(dies, np.int64)
    except OverflowError as error:
        raise WaferError("Expected dies of 0, 1 or 2, got a huge number. Correct it.") from error


def _decoded(text: str, shape: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    if shape is None:
        raise WaferError("Expected a shape beside base64 dies, got none. Add [rows, columns].")
    try:
        return _shaped(np.frombuffer(base64.b64decode(text, validate=True), np.uint8), shape)
    except binascii.Error as error:
        raise WaferError(
            f"Expected dies as base64, got a text that is none ({error}). Encode their bytes."
        ) from error


def _shaped(flat: npt.NDArray[np.uint8], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    if flat.size != shape[0] * shape[1]:
        raise WaferError(
            f"Expected {shape[0]} x {shape[1]} dies, got {flat.size}. Give one byte or digit each."
        )
    return flat.reshape(shape)
