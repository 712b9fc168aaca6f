"""What the service says of itself: lines of JSON with the request's id, and Prometheus figures."""

from __future__ import annotations

import logging
import random
import re
import sys
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
_IDS: Final = random.Random()  # noqa: S311
"""Names requests, guards nothing: asking the system would let other threads in each time."""
_SOUND_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def request_id() -> str:
    """Return the id of the request or job step that is being served; empty outside of one."""
    return _REQUEST_ID.get()


def start_request(given: str | None = None) -> str:
    """Begin a request under the id that the caller gave, or a new one if that is not sound."""
    chosen = given if given and _SOUND_ID.fullmatch(given) else f"{_IDS.getrandbits(64):016x}"
    _REQUEST_ID.set(chosen)
    return chosen


def _add_request_id(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    if request_id():
        line["request_id"] = request_id()
    return line


def set_up_logging(level: str = "info") -> None:
    """Write every line of log, the libraries' too, as one line of JSON on stderr.

    Values are escaped by JSON, so that nobody can forge a line with a line break in a name.
    """
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.dict_tracebacks,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [out]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "dbos", "alembic", "httpx2"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in ("uvicorn.access", "httpx2", "alembic", "dbos"):
        logging.getLogger(name).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Figures:
    """The figures of one process, in a registry of their own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    predictions: Counter = field(init=False)
    batch_sizes: Histogram = field(init=False)
    cache_reads: Counter = field(init=False)
    refusals: Counter = field(init=False)
    queue_depth: Gauge = field(init=False)
    queue_age: Gauge = field(init=False)
    jobs: Gauge = field(init=False)

    def __post_init__(self) -> None:
        make = {
            "requests": Counter(
                "waferscope_requests", "Requests", ["method", "route", "status"], registry=None
            ),
            "seconds": Histogram(
                "waferscope_request_seconds",
                "Time to answer",
                ["method", "route"],
                registry=None,
                buckets=SECONDS,
            ),
            "predictions": Counter(
                "waferscope_predictions", "Wafers predicted", ["label", "model"], registry=None
            ),
            "batch_sizes": Histogram(
                "waferscope_batch_wafers",
                "Wafers that went through the model together",
                registry=None,
                buckets=(1, 2, 4, 8, 16, 32, 64),
            ),
            "cache_reads": Counter(
                "waferscope_cache_reads", "Looks into the cache", ["kind", "found"], registry=None
            ),
            "refusals": Counter(
                "waferscope_refusals", "Requests over a limit", ["limit"], registry=None
            ),
            "queue_depth": Gauge("waferscope_queue_jobs", "Jobs that wait", registry=None),
            "queue_age": Gauge(
                "waferscope_queue_seconds", "Age of the oldest job that waits", registry=None
            ),
            "jobs": Gauge("waferscope_jobs", "Jobs by state", ["state"], registry=None),
        }
        for name, figure in make.items():
            self.registry.register(figure)
            object.__setattr__(self, name, figure)
