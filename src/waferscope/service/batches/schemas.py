"""What `batches` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from waferscope.service.schema import Answer, Question
from waferscope.service.tables import Batch
from waferscope.service.tables.row import ID_LENGTH, now

MOST_WAFERS: Final = 100_000
MOST_LOTS: Final = 1_000
Format = Literal["csv", "parquet", "json", "coco", "zip"]
State = Literal["queued", "running", "done", "failed", "cancelled"]
Id = Annotated[str, Field(max_length=ID_LENGTH)]


class NewBatch(Question):
    """Wafers to predict: by their ids, or all of some lots; and what to make of the results."""

    wafer_map_ids: list[Id] | None = Field(default=None, min_length=1, max_length=MOST_WAFERS)
    lot_ids: list[Id] | None = Field(default=None, min_length=1, max_length=MOST_LOTS)
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="mask threshold of all classes; else the model's"
    )
    model: str | None = Field(
        default=None, max_length=60, description="version of the model; else the one served"
    )
    formats: list[Format] = Field(
        default=["csv"], max_length=5, description="files to make of the results"
    )
    priority: int = Field(default=5, ge=1, le=10, description="1 is done first, 10 last")

    @model_validator(mode="after")
    def _refuse_what_is_unclear(self) -> Self:
        if (self.wafer_map_ids is None) == (self.lot_ids is None):
            raise ValueError("expected either wafer_map_ids or lot_ids")
        for name in ("wafer_map_ids", "lot_ids", "formats"):
            given = getattr(self, name) or ()
            if len(set(given)) < len(given):
                raise ValueError(f"expected each of {name} once")
        return self


class BatchShown(Answer):
    """A batch and how far it is."""

    id: str
    user_id: str
    state: State
    priority: int
    model_version: str
    threshold: float | None
    formats: list[Format]
    total: int
    done: int
    failed: int
    progress: float = Field(description="share of the wafers that are done or failed, 0 to 1")
    eta_seconds: float | None = Field(
        description="until every wafer is predicted; null until it is known, and while the files "
        "are written after that; 0 when the batch has ended"
    )
    error: str
    results: list[str] = Field(description="files that can be fetched")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, batch: Batch) -> Self:
        """Return what is shown of a row."""
        request: dict[str, Any] = batch.request
        over = batch.done + batch.failed
        return cls(
            **{name: getattr(batch, name) for name in cls.model_fields if hasattr(Batch, name)}
            | {
                "threshold": request["threshold"],
                "formats": request["formats"],
                "progress": over / batch.total if batch.total else 0.0,
                "eta_seconds": eta(batch, now()),
                "results": sorted(batch.results),
            }
        )


class ItemShown(Answer):
    """One wafer of a batch."""

    position: int
    wafer_map_id: str = Field(validation_alias="wafer_id")
    state: Literal["waiting", "done", "failed"]
    prediction_id: str | None
    error: str


def eta(batch: Batch, at: datetime) -> float | None:
    """Return the seconds until every wafer is predicted, at the pace so far; None if unknown.

    Then files are written, for which there is no pace: a zip with pictures may take longer than
    the predictions. That is unknown too, and not 0 before the end.
    """
    if batch.finished_at is not None:
        return 0.0
    over = batch.done + batch.failed
    if batch.state != "running" or batch.started_at is None or over in (0, batch.total):
        return None
    pace = (at - batch.started_at).total_seconds() / over
    return round(pace * (batch.total - over), 1)
