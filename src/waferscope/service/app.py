"""The web app: every router, every layer around them, and nothing that computes."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline

import waferscope
from waferscope.service.audit import routes as audit
from waferscope.service.auth import routes as auth
from waferscope.service.batches import routes as batches
from waferscope.service.causes import routes as causes
from waferscope.service.document import describe_errors
from waferscope.service.errors import add_error_answers
from waferscope.service.flags import routes as flags
from waferscope.service.health import routes as health
from waferscope.service.idempotency import AnsweredBefore, answer_again
from waferscope.service.keys import routes as keys
from waferscope.service.lots import routes as lots
from waferscope.service.middleware import (
    DOCS_FILES,
    OPENAPI,
    BodyLimit,
    Faults,
    OpenPages,
    Surround,
)
from waferscope.service.parts import Parts, open_parts
from waferscope.service.predictions import routes as predictions
from waferscope.service.retention import routes as retention
from waferscope.service.settings import Settings, load_settings
from waferscope.service.similar import routes as similar
from waferscope.service.telemetry import set_up_logging
from waferscope.service.trends import routes as trends
from waferscope.service.uploads import routes as uploads
from waferscope.service.users import routes as users
from waferscope.service.wafers import routes as wafers
from waferscope.service.webhooks import routes as webhooks

NOUNS: Final = (
    *(predictions, wafers, uploads, lots, batches, similar, trends, causes, flags, retention),
    *(auth, users, keys, audit, webhooks, health),
)
"""The nouns of the API, the busiest first, as routes are tried in order; a new one is one more."""

PUBLIC: Final = frozenset(
    {
        "POST /api/v1/auth/login",
        "POST /api/v1/auth/refresh",
        "GET /api/v1/auth/oidc/login",
        "GET /api/v1/auth/oidc/callback",
        "GET /api/v1/health",
        "GET /api/v1/ready",
        "GET /api/v1/metrics",
    }
)
"""What may be asked by anybody; a test finds every other route closed."""


def build_app(settings: Settings, parts: Parts | None = None) -> FastAPI:
    """Return the app over its parts, which are opened unless they are given."""
    app = FastAPIOffline(
        title="WaferScope",
        version=waferscope.__version__,
        description="Marks on every die of a wafer which defect mechanism it belongs to.",
        lifespan=_lifespan,
        openapi_url=OPENAPI,
        static_url=DOCS_FILES,
    )
    app.openapi = partial(describe_errors, app.openapi)  # type: ignore[method-assign]
    app.state.parts = parts if parts is not None else open_parts(settings)
    for noun in NOUNS:
        app.include_router(noun.router, prefix="/api/v1")
    add_error_answers(app)
    app.add_exception_handler(AnsweredBefore, answer_again)
    app.add_middleware(BodyLimit)
    app.add_middleware(OpenPages)
    app.add_middleware(Faults)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_credentials=True,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-None-Match",
                "X-API-Key",
                "X-CSRF-Token",
                "X-Request-ID",
            ],
            expose_headers=[
                "Content-Disposition",
                "ETag",
                "Idempotent-Replayed",
                "Retry-After",
                "X-Cols",
                "X-Dtype",
                "X-Request-ID",
                "X-Rows",
            ],
        )
    app.add_middleware(Surround)
    return app


def create_app() -> FastAPI:
    """Return the app of this process, from its environment: what uvicorn calls."""
    settings = load_settings()
    set_up_logging(settings.log_level)
    app = build_app(settings)
    gc.collect()
    gc.freeze()  # what was loaded stays: no collection has to look through it again
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.parts.close()
