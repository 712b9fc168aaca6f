"""Wafers that look alike: ``/api/v1/similar``."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from waferscope.errors import InputError
from waferscope.service.auth.identity import Viewer
from waferscope.service.db import Reads
from waferscope.service.parts import House
from waferscope.service.selection.filters import Filters
from waferscope.service.similar import store
from waferscope.service.similar.follow import catch_up
from waferscope.service.similar.nearest import Asked, find_nearest
from waferscope.service.similar.schemas import (
    CauseNoted,
    LabelShown,
    LikeEmbedding,
    LikeWafer,
    NeighbourShown,
    SimilarShown,
    WaferShown,
)

router = APIRouter(prefix="/similar", tags=["similar"])


@router.get("")
def list_like_wafer(
    who: Viewer,
    session: Reads,
    house: House,
    like: Annotated[LikeWafer, Query()],
    wanted: Filters,
) -> SimilarShown:
    """List the wafers that look most alike to a stored one, with their labels and causes."""
    row = store.get_embedding(session, like.wafer_id, like.model_version)
    vector = np.frombuffer(row.vector, dtype="<f4")
    return _answer(session, house, Asked(vector, row.model_version, like.k, wanted, like.wafer_id))


@router.post("")
def list_like_embedding(
    body: LikeEmbedding, who: Viewer, session: Reads, house: House
) -> SimilarShown:
    """List the wafers that look most alike to one that is not stored, by its embedding."""
    size = store.size_of(session, body.model_version)
    vector = np.array(body.embedding, dtype=np.float32)
    length = np.linalg.norm(vector)
    if vector.size != size or not 0.99 < length < 1.01:
        raise InputError(
            f"Expected an embedding of {size} components and unit length, got {vector.size} of "
            f"length {length:.3f}. Take `embedding` of a prediction by {body.model_version!r}."
        )
    asked = Asked(vector / length, body.model_version, body.k, body.wanted)
    return _answer(session, house, asked)


def _answer(session: Session, house: House, asked: Asked) -> SimilarShown:
    followed = house.vectors.of(asked.model_version, asked.vector.size)
    catch_up(session, followed, asked.model_version)
    nearest = find_nearest(session, followed, asked)
    ids = [one.wafer.id for one in nearest]
    labels, causes = store.labels_of(session, ids), store.causes_of(session, ids)
    return SimilarShown(
        model_version=asked.model_version,
        searched=len(followed.index),
        items=[
            NeighbourShown(
                similarity=round(one.similarity, 6),
                wafer=WaferShown.model_validate(one.wafer),
                labels=[LabelShown.model_validate(row) for row in labels.get(one.wafer.id, [])],
                causes=[CauseNoted.model_validate(row) for row in causes.get(one.wafer.id, [])],
            )
            for one in nearest
        ],
    )
