"""What surrounds every request: its id, log line, figures, headers, faults, size of body."""

from __future__ import annotations

import time
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waferscope.errors import RateError, SizeError
from waferscope.service import telemetry
from waferscope.service.auth.identity import count_address
from waferscope.service.errors import fault_of, problem_of
from waferscope.service.parts import Parts

LARGE: Final = frozenset({("POST", "/api/v1/uploads"), ("POST", "/api/v1/predict")})
"""What writes a file to disk as it comes: there the limit of uploads holds. All others hold the
body in memory, and do so before they know who asks."""
JSON: Final = "application/json"
HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)
"""Headers of every answer that does not say otherwise itself."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STRICT_CONTENT: Final = "default-src 'none'; frame-ancestors 'none'"
DOCS_CONTENT: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; worker-src blob:; frame-ancestors 'none'"
)
DOCS: Final = ("/docs", "/redoc")
PAGES: Final = (*DOCS, "/docs/oauth2-redirect")
"""Routes that are no part of the API: its documentation."""
DOCS_FILES: Final = "/docs-files"
"""Where their scripts and styles lie: a fab's network reaches no other host."""
OPENAPI: Final = "/api/v1/openapi.json"
OPEN: Final = (*DOCS, OPENAPI)
"""How the paths of the documentation begin, its files' too."""
HSTS: Final = "max-age=31536000; includeSubDomains"
_log = structlog.get_logger()


class Surround:
    """Gives each request its id, and each answer its headers, its log line and its figures."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = telemetry.start_request(Headers(scope=scope).get("X-Request-ID"))
        parts: Parts = scope["app"].state.parts
        started = time.perf_counter()
        status = 500

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, scope["path"], given, parts.settings.cookie_secure)
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        finally:
            _note(parts, scope, status, time.perf_counter() - started)


def _add_headers(message: Message, path: str, given: str, secure: bool) -> None:
    headers = message.setdefault("headers", [])
    there = {name.lower() for name, _ in headers}
    headers += [(name, value) for name, value in HEADERS if name not in there]
    headers.append((b"x-request-id", given.encode()))
    if b"content-security-policy" not in there:
        content = DOCS_CONTENT if path in DOCS else STRICT_CONTENT
        headers.append((b"content-security-policy", content.encode()))
    if secure:
        headers.append((b"strict-transport-security", HSTS.encode()))


def _note(parts: Parts, scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in METHODS else "OTHER"
    parts.figures.requests.labels(method, route, status).inc()
    parts.figures.seconds.labels(method, route).observe(seconds)
    client = scope.get("client")
    _log.info(
        "request",
        method=method,
        path=scope["path"],
        status=status,
        ms=round(seconds * 1000, 1),
        address=client[0] if client else "",
    )


class Faults:
    """Answers what nobody foresaw, inside of all layers that give answers their headers.

    An answer that has begun cannot be another one: then the server logs the fault and hangs up.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def send_on(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except Exception as error:
            if begun:
                raise
            await fault_of(error, scope["path"])(scope, receive, send)


class OpenPages:
    """Counts requests for the documentation by address, as routes open to anybody do."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(OPEN):
            try:
                await count_address(Request(scope))
            except RateError as error:
                await problem_of(error, scope["path"])(scope, receive, send)
                return
        await self.app(scope, receive, send)


class BodyLimit:
    """Refuses bodies over the limit: by their announced length, or as soon as they pass it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # JSON is held in memory as a whole, files are not.
        is_file = not headers.get("Content-Type", JSON).startswith(JSON)
        settings = scope["app"].state.parts.settings
        large = is_file and (scope["method"], scope["path"]) in LARGE
        limit = int((settings.max_upload_mb if large else settings.max_body_mb) * 1e6)
        announced = headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > limit:
            await problem_of(_too_large(limit), scope["path"])(scope, receive, send)
            return
        seen = 0

        async def receive_counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _too_large(limit)
            return message

        await self.app(scope, receive_counted, send)


def _too_large(limit: int) -> SizeError:
    return SizeError(
        f"Expected a body of at most {limit / 1e6:g} MB, got more. Send it in parts, or ask an "
        "admin to raise WAFERSCOPE_MAX_BODY_MB or WAFERSCOPE_MAX_UPLOAD_MB."
    )
