"""What `similar` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from waferscope.service.schema import Answer, Question
from waferscope.service.selection.filters import EVERYTHING, Wanted

MOST_COMPONENTS = 256
MOST_NEIGHBOURS = 100
Neighbours = Annotated[
    int, Field(ge=1, le=MOST_NEIGHBOURS, description="how many wafers are wanted")
]
Component = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
ModelVersion = Annotated[str, Field(max_length=60, description="whose embeddings are compared")]


class LikeWafer(BaseModel):
    """Alike to a stored wafer, by the model that predicted it last unless another is named."""

    model_config = ConfigDict(frozen=True)

    wafer_id: str = Field(min_length=1, max_length=40)
    k: Neighbours = 10
    model_version: ModelVersion | None = None


class LikeEmbedding(Question):
    """Alike to a wafer that is not stored: the ``embedding`` of its prediction, of unit length."""

    embedding: list[Component] = Field(min_length=1, max_length=MOST_COMPONENTS)
    model_version: ModelVersion
    k: Neighbours = 10
    wanted: Wanted = EVERYTHING


class WaferShown(Answer):
    """A wafer, as far as a neighbour is told by it."""

    id: str
    name: str
    lot: str
    slot: int | None
    product: str
    step: str
    tester: str
    tested_at: datetime | None
    severity: float | None
    severity_level: str


class LabelShown(Answer):
    """What the last stored prediction found: a ``pattern``, or a defect ``class`` and its dies."""

    label: str
    kind: Literal["pattern", "class"]
    probability: float | None
    dies: int


class CauseNoted(Answer):
    """What was found out about a neighbour."""

    id: str
    user_id: str
    label: str
    cause: str
    note: str
    created_at: datetime


class NeighbourShown(Answer):
    """A wafer that looks alike. ``similarity`` is the cosine of the embeddings: 1 is the same."""

    similarity: float
    wafer: WaferShown
    labels: list[LabelShown]
    causes: list[CauseNoted]


class SimilarShown(Answer):
    """The nearest wafers, the nearest first."""

    model_version: str
    searched: int = Field(description="embeddings of this model that could be found")
    items: list[NeighbourShown]
