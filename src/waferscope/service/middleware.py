"""What surrounds every request: its id, log line, figures, headers, the size of its body."""

from __future__ import annotations

import time
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waferscope.errors import SizeError
from waferscope.service import telemetry
from waferscope.service.errors import problem_of
from waferscope.service.parts import Parts

LARGE: Final = ("/api/v1/wafers", "/api/v1/lots", "/api/v1/uploads", "/api/v1/predict")
"""Where files are sent to: for them the limit of uploads holds, else that of requests."""
JSON: Final = "application/json"
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
STRICT_CONTENT: Final = "default-src 'none'; frame-ancestors 'none'"
DOCS_CONTENT: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
    "img-src 'self' data: https:; font-src 'self' https://fonts.gstatic.com; "
    "worker-src blob:; frame-ancestors 'none'"
)
DOCS: Final = ("/docs", "/redoc")
HSTS: Final = "max-age=31536000; includeSubDomains"
_log = structlog.get_logger()


class Surround:
    """Gives each request its id, and each answer its headers, its log line and its figures."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self.app = app
        self.parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = telemetry.start_request(Headers(scope=scope).get("X-Request-ID"))
        started = time.perf_counter()
        status = 500

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(MutableHeaders(scope=message), scope["path"], given)
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _add_headers(self, headers: MutableHeaders, path: str, given: str) -> None:
        headers["X-Request-ID"] = given
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        content = DOCS_CONTENT if path in DOCS else STRICT_CONTENT
        headers.setdefault("Content-Security-Policy", content)
        headers.setdefault("Cache-Control", "no-store")
        if self.parts.settings.cookie_secure:
            headers["Strict-Transport-Security"] = HSTS

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"]
        self.parts.figures.requests.labels(method, route, status).inc()
        self.parts.figures.seconds.labels(method, route).observe(seconds)
        client = scope.get("client")
        _log.info(
            "request",
            method=method,
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 1),
            address=client[0] if client else "",
        )


class BodyLimit:
    """Refuses bodies over the limit: by their announced length, or as soon as they pass it."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self.app = app
        self.small = int(parts.settings.max_body_mb * 1e6)
        self.large = int(parts.settings.max_upload_mb * 1e6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # JSON is held in memory as a whole, files are not.
        is_file = not headers.get("Content-Type", JSON).startswith(JSON)
        limit = self.large if is_file and scope["path"].startswith(LARGE) else self.small
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
