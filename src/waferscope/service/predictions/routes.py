"""Predicting: ``/api/v1/predict``, and what is kept of it: ``/api/v1/predictions``."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from waferscope.errors import RightsError
from waferscope.service.auth.identity import Viewer
from waferscope.service.auth.roles import Role
from waferscope.service.db import Reads
from waferscope.service.etag import KEPT, is_known, tag_of, unchanged
from waferscope.service.paging import Paging, page_of
from waferscope.service.parts import House, Parts
from waferscope.service.predictions import answer, store
from waferscope.service.predictions.question import Given, parse, read_file
from waferscope.service.predictions.schemas import (
    Asked,
    Options,
    Predicted,
    PredictedWafer,
    PredictionShown,
    PredictParameters,
    Rendering,
)
from waferscope.service.received import FIELD, FORM, received
from waferscope.service.schema import Page, inlined

router = APIRouter(tags=["predictions"])
JSON: Final = "application/json"
_FILE: Final = {"type": "string", "format": "binary"}
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": inlined(Asked)},
            FORM: {"schema": {"type": "object", "properties": {FIELD: _FILE}, "required": [FIELD]}},
            "application/octet-stream": {"schema": _FILE},
        },
    }
}


@router.post("/predict", response_model=Predicted, openapi_extra=BODY)
async def predict(
    request: Request, asked: Annotated[PredictParameters, Query()], who: Viewer, house: House
) -> Response:
    """Predict stored wafers, wafers inline, or those of a file; nothing is kept unless asked for.

    ``store`` keeps the predictions of stored wafers, which an annotator may.
    """
    if asked.store and not who.role.covers(Role.ANNOTATOR):
        raise RightsError("Expected the role annotator or above to keep predictions. Leave it out.")
    version = await house.engine.open(asked.model)
    options = Options(**asked.model_dump(exclude={"store", "file_name"}))
    if not request.headers.get("Content-Type", JSON).startswith(JSON):
        async with received(request, asked.file_name) as path:
            given = await run_in_threadpool(read_file, path)
        return await _predict_given(house, given, options, version)
    body = await request.body()
    short = len(body) < answer.SHORT_BYTES
    question = parse(body) if short else await run_in_threadpool(parse, body)
    if isinstance(question, Given):
        return await _predict_given(house, question, options, version)
    if asked.store:
        await answer.keep_stored(house, who, question, options, version)
    found, tag = await answer.answer_stored(house, question, options, version)
    return Response(found, media_type=JSON, headers={"ETag": tag})


async def _predict_given(house: Parts, given: Given, options: Options, version: str) -> Response:
    key = answer.key_of(given.digest, version, options)
    body = await answer.look_up(house, key)
    if body is None:
        body = await answer.answer_given(house, given.wafers, options, version)
        await answer.remember(house, key, body)
    return Response(body, media_type=JSON, headers={"ETag": tag_of(key)})


@router.get("/predictions")
def list_predictions(
    who: Viewer,
    session: Reads,
    page: Paging,
    wafer_map_id: Annotated[str | None, Query(description="of this wafer")] = None,
    model: Annotated[str | None, Query(description="by this version of the model")] = None,
    severity_level: Literal["low", "medium", "critical"] | None = None,
) -> Page[PredictionShown]:
    """List kept predictions, newest first."""
    wanted = {
        "wafer_id": wafer_map_id,
        "model_version": model,
        "severity_level": severity_level,
    }
    rows = store.list_predictions(session, page, wanted)
    return page_of(rows, page, lambda row: [row.id], PredictionShown.model_validate)


@router.get("/predictions/{prediction_id}", response_model=PredictedWafer)
async def get_prediction(
    prediction_id: str,
    request: Request,
    rendering: Annotated[Rendering, Query()],
    who: Viewer,
    house: House,
) -> Response:
    """Show a kept prediction as it was when it was made."""
    stored = await run_in_threadpool(_find, house, prediction_id)
    key = answer.key_of(prediction_id, "", rendering)
    if is_known(request, tag_of(key)):
        return unchanged(tag_of(key))
    found = await answer.look_up(house, key)
    if found is None:
        found = await run_in_threadpool(answer.load_kept, house, stored, rendering)
        await answer.remember(house, key, found)
    headers = {"ETag": tag_of(key), "Cache-Control": KEPT}
    return Response(answer.item(stored, found), media_type=JSON, headers=headers)


def _find(house: Parts, prediction_id: str) -> store.Stored:
    with house.records.reading() as session:
        return store.kept_prediction(session, prediction_id)
