"""What the OpenAPI document says of errors: of each route the statuses that it may answer with.

Most can be seen from the route as the document describes it: whether somebody has to be known,
whether it names an object, takes a body or an ``Idempotency-Key``. The others are in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Final

from waferscope.service.errors import PROBLEM, Problem

TOLD: Final[dict[int, str]] = {
    400: "The body cannot be read at all",
    401: "Nobody knows who asks: credentials are missing, wrong or expired",
    403: "Who asks is known, and may not do this",
    404: "What was asked for is not there, or is not to be seen by whoever asks",
    409: "It contradicts what is there already",
    413: "Too much at once",
    422: "The request does not fit its schema, or a value or file in it is wrong",
    429: "Too often",
    503: "A part is out of reach for the moment",
    507: "The disk or the store has no room left",
}
"""The errors that the document knows, and what each means."""
LATER: Final = frozenset({429, 503})
"""They say when to try again."""
MORE: Final[dict[str, tuple[int, ...]]] = {
    "POST /api/v1/predict": (404,),
    "GET /api/v1/wafers/stack": (404,),
    "GET /api/v1/wafers/stack.png": (404,),
    "DELETE /api/v1/wafers/{wafer_id}": (409,),
    "POST /api/v1/wafers/{wafer_id}/restore": (409,),
    "GET /api/v1/lots/{lot_id}/report": (413,),
    "POST /api/v1/predict/batch": (404,),
    "POST /api/v1/predict/batch/{batch_id}/cancel": (409,),
    "DELETE /api/v1/predict/batch/{batch_id}": (409,),
    "GET /api/v1/similar": (404,),
    "POST /api/v1/similar": (404,),
    "POST /api/v1/causes": (404,),
    "POST /api/v1/flags": (404,),
    "PATCH /api/v1/flags/{flag_id}": (409,),
    "DELETE /api/v1/flags/{flag_id}": (409,),
    "POST /api/v1/flags/{flag_id}/answer": (409,),
    "PUT /api/v1/retention": (409,),
    "GET /api/v1/auth/oidc/login": (401, 404),
    "GET /api/v1/auth/oidc/callback": (401, 404, 409),
    "POST /api/v1/auth/login": (401,),
    "POST /api/v1/auth/refresh": (401, 403),
    "PATCH /api/v1/users/{user_id}": (409,),
    "POST /api/v1/keys": (404,),
    "GET /api/v1/metrics": (401,),
}
"""What cannot be seen from a route itself."""
UNCOUNTED: Final = frozenset({"GET /api/v1/health"})
"""Nobody asks this too often."""
ALONE: Final = frozenset({"GET /api/v1/health", "GET /api/v1/metrics"})
"""They answer whatever else is out of reach."""


def describe_errors(build: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the document that ``build`` returns, telling the truth about errors."""
    document = build()
    schemas = document["components"]["schemas"]
    if Problem.__name__ in schemas:
        return document  # the app keeps its document, and this has changed it before
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    model = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= model.pop("$defs") | {Problem.__name__: model}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            answers = operation["responses"]
            for status in sorted(set(_statuses(f"{verb.upper()} {path}", operation))):
                if status == HTTPStatus.UNPROCESSABLE_ENTITY or str(status) not in answers:
                    answers[str(status)] = _answer(status)
    return document


def _statuses(name: str, operation: dict[str, Any]) -> Iterator[int]:
    yield from MORE.get(name, ())
    parameters = operation.get("parameters", [])
    if operation.get("security"):
        yield from (401, 403)
    if any(one["in"] == "path" for one in parameters):
        yield 404
    if any(one["name"] == "Idempotency-Key" for one in parameters):
        yield 409
    if "requestBody" in operation:
        yield from (400, 413)
    if "422" in operation["responses"]:
        yield 422
    if name not in UNCOUNTED:
        yield 429
    if name not in ALONE:
        yield 503
    if not name.startswith("GET "):
        yield 507


def _answer(status: int) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    answer: dict[str, Any] = {"description": TOLD[status], "content": {PROBLEM: {"schema": schema}}}
    if status in LATER:
        wait = {"description": "seconds to wait", "schema": {"type": "integer"}}
        answer["headers"] = {"Retry-After": wait}
    return answer
