"""What is answered of stacked maps, and what may be asked of pictures."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query
from pydantic import Field

from waferscope.service.schema import Answer

Side = Annotated[int, Query(ge=16, le=2048, description="longer side of the picture, in pixels")]
SmallSide = Annotated[int, Query(ge=16, le=512, description="longer side, in pixels")]
PICTURE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/png": {}}, "description": "A PNG picture"},
    304: {"description": "The client has it already"},
}
"""What the document says of a route that draws."""


class StackShown(Answer):
    """Wafers of one grid laid over each other, notches down: numbers per position."""

    rows: int
    cols: int
    wafers: int = Field(description="how many lie over each other")
    left_out: int = Field(description="how many had another grid than most")
    top: float = Field(description="highest fail rate of a position, 0 to 1")
    tested: list[list[int]] = Field(description="dies tested at each position, rows from the top")
    fails: list[list[int]] = Field(description="dies that fail at each position")
