"""What a worker counted, for Prometheus: on a port of its own, since nobody else asks a worker."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from waferscope.errors import ConfigError
from waferscope.service.parts import Parts


@contextmanager
def showing(house: Parts) -> Iterator[None]:
    """Show the figures of this process meanwhile, where the settings name a port for it.

    They are behind the same token as those of a web process. Raises ConfigError for a port that
    is taken.
    """
    settings = house.settings
    if not settings.worker_metrics_port:
        yield
        return
    place = f"{settings.host}:{settings.worker_metrics_port}"
    try:
        server = make_server(
            settings.host,
            settings.worker_metrics_port,
            _guarded(house),
            ThreadingWSGIServer,
            _Quiet,
        )
    except OSError as error:
        raise ConfigError(
            f"Expected a free WAFERSCOPE_WORKER_METRICS_PORT, got {place} ({error.strerror}). "
            "Give each worker of a machine another one, or 0."
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="waferscope-figures", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _guarded(house: Parts) -> Any:
    shown = make_wsgi_app(house.figures.registry)
    token = house.settings.metrics_token.get_secret_value()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        given = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        if token and not hmac.compare_digest(given.encode(), token.encode()):
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
            return [b""]
        found: Iterable[bytes] = shown(environ, start_response)
        return found

    return answer


class _Quiet(WSGIRequestHandler):
    """Logs no scrape."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
