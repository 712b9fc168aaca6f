"""From errors to answers: one table of statuses, one shape for every error (RFC 9457).

The errors themselves know no HTTP; they are those of `waferscope.errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from waferscope import errors
from waferscope.service.auth.identity import count_address
from waferscope.service.telemetry import brief, request_id

STATUS: Final[dict[type[errors.WaferScopeError], int]] = {
    errors.WaferScopeError: 500,
    errors.InputError: 422,
    errors.FormatError: 422,
    errors.ModelError: 503,
    errors.MissingExtraError: 501,
    errors.IdentityError: 401,
    errors.AccessError: 403,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.LimitError: 429,
    errors.SizeError: 413,
    errors.UnavailableError: 503,
    errors.FullError: 507,
}
"""The status of an error is that of the nearest class in its line of descent."""

PROBLEM: Final = "application/problem+json"
NO_ROUTE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
"""What the router answers itself: then no route has counted who asks."""
MOST_WRONG: Final = 20
"""Faulty fields that are named: a small request does not get a large answer."""
LONGEST_NAME: Final = 100
FAULT: Final = "Something went wrong here. Report the request id; the log has the rest."
_log = structlog.get_logger()


class FaultyField(BaseModel):
    """A field of a request that is not as it should be."""

    where: list[str] = Field(description="the way to it, such as body, wafers, 0, dies")
    message: str
    code: str


class Problem(BaseModel):
    """The body of every error, as RFC 9457 has it."""

    type: str = Field(description="a URN that names the kind of error; about:blank for no kind")
    title: str = Field(description="the phrase of the status")
    status: int
    detail: str = Field(description="what was expected, what came, and what to do")
    instance: str = Field(description="the path that was asked")
    request_id: str = Field(description="find the request in the log by it")
    errors: list[FaultyField] = Field(
        default=[], description="the faulty fields of a request that does not fit its schema"
    )


def status_of(error: errors.WaferScopeError) -> int:
    """Return the HTTP status of an error.

    >>> status_of(errors.WaferError("no dies")), status_of(errors.RateError("slower"))
    (422, 429)
    """
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(
    status: int, detail: str, *, path: str, kind: str = "", wrong: Sequence[FaultyField] = ()
) -> JSONResponse:
    """Return an error as an answer. ``kind`` names the class, ``wrong`` lists faulty fields."""
    phrase = HTTPStatus(status).phrase
    body = Problem(
        type=f"urn:waferscope:error:{kind}" if kind else "about:blank",
        title=phrase,
        status=status,
        detail=detail or phrase,
        instance=path,
        request_id=request_id(),
        errors=list(wrong),
    ).model_dump(exclude=None if wrong else {"errors"})
    headers = {"Cache-Control": "no-store"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status_code=status, headers=headers, media_type=PROBLEM)


def problem_of(error: errors.WaferScopeError, path: str) -> JSONResponse:
    """Return an error of the house as an answer, with Retry-After where it says when."""
    status = status_of(error)
    hidden = status == HTTPStatus.INTERNAL_SERVER_ERROR
    answer = problem(status, FAULT if hidden else str(error), path=path, kind=type(error).__name__)
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        answer.headers["Retry-After"] = str(wait)
    return answer


def _cause(error: Exception) -> str:
    cause = error.__cause__
    return "" if cause is None else f"{type(cause).__name__}: {brief(cause)}"


async def _answer_own(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.WaferScopeError)
    if isinstance(error, errors.UnavailableError):  # foreseen: where it arose says nothing new
        _log.error("error", kind=type(error).__name__, message=str(error), cause=_cause(error))
    elif status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("error", kind=type(error).__name__, message=str(error), exc_info=error)
    return problem_of(error, request.url.path)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = [
        FaultyField(
            where=[str(part)[:LONGEST_NAME] for part in one["loc"]],
            message=one["msg"],
            code=one["type"],
        )
        for one in error.errors()[:MOST_WRONG]
    ]
    fields = ", ".join(".".join(one.where) for one in wrong)
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"Expected a request as /docs describes it, got something else in {fields}.",
        path=request.url.path,
        kind="InputError",
        wrong=wrong,
    )


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if isinstance(error.__cause__, errors.WaferScopeError):
        return problem_of(error.__cause__, request.url.path)  # raised while the body was read
    if error.status_code in NO_ROUTE:
        try:
            await count_address(request)
        except errors.RateError as refused:
            return problem_of(refused, request.url.path)
    answer = problem(error.status_code, str(error.detail), path=request.url.path)
    answer.headers.update(error.headers or {})
    return answer


async def _answer_gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it


def fault_of(error: Exception, path: str) -> JSONResponse:
    """Log what nobody foresaw, and return it as an answer that tells nothing of it."""
    _log.error("fault", kind=type(error).__name__, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, FAULT, path=path)


def add_error_answers(app: FastAPI) -> None:
    """Make the app answer every error that is foreseen in the one shape.

    `middleware.Faults` answers the others: a handler of the framework would do so outside of all
    layers, without their headers, and then break the connection.
    """
    app.add_exception_handler(errors.WaferScopeError, _answer_own)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(StarletteHTTPException, _answer_http)
    app.add_exception_handler(ClientDisconnect, _answer_gone)
