"""What `wafers` is asked and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from waferscope.domain.wafermap import WaferMap
from waferscope.io.json_wafer import describe
from waferscope.service.schema import Answer
from waferscope.service.selection.shown import WaferShown
from waferscope.service.tables import Wafer, WaferLabel

Sort = Literal["-dated", "dated", "-arrived", "arrived", "-severity", "severity", "-yield", "yield"]
"""Orders of the list; a minus stands for falling."""


class LabelShown(Answer):
    """A pattern or a defect class found on a wafer."""

    label: str
    kind: Literal["pattern", "class"]
    probability: float | None = Field(description="of a pattern")
    dies: int = Field(description="failing dies in the mask of a class")


class WaferFull(WaferShown):
    """A wafer with all that is known of it but its dies."""

    upload_id: str | None
    user_id: str
    content: str = Field(description="digest of all that was measured: equal wafers have the same")
    notes: list[str] = Field(description="what was guessed, dropped or found damaged")
    labels: list[LabelShown]
    map: dict[str, Any] = Field(
        description="plain fields of the record `waferscope.wafer/1`: frame, notch, sizes in mm"
    )

    @classmethod
    def build(cls, wafer: Wafer, labels: Iterable[WaferLabel], known: WaferMap) -> WaferFull:
        """Return what is shown of a row, its labels and its map."""
        return cls(
            **WaferShown.model_validate(wafer).model_dump(),
            upload_id=wafer.upload_id,
            user_id=wafer.user_id,
            content=wafer.content,
            notes=wafer.notes,
            labels=[LabelShown.model_validate(one) for one in labels],
            map=describe(known),
        )
