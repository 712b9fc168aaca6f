"""What the service says of itself: lines of JSON with the request's id, and Prometheus figures."""

from __future__ import annotations

import logging
import random
import re
import sys
import traceback
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from structlog.typing import ExcInfo

_REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
_IDS: Final = random.Random()  # noqa: S311
"""Names requests, guards nothing: asking the system would let other threads in each time."""
_SOUND_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
MOST_CAUSES: Final = 4
MOST_FRAMES: Final = 12
"""What is logged of an error's causes, and of the places in each: a line of log stays short."""
LONGEST_MESSAGE: Final = 300
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


def brief(error: BaseException) -> str:
    r"""Return the first line of an error's message: further ones may hold rows and inputs.

    >>> brief(ValueError("no such row\nDETAIL: name=..."))
    'no such row'
    """
    return structlog.tracebacks.safe_str(error).partition("\n")[0][:LONGEST_MESSAGE]


def _cause_of(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _trace(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """Return what went wrong and where, then its causes: never what variables held, nor bodies."""
    told: list[dict[str, Any]] = []
    error: BaseException | None = exc_info[1]
    while error is not None and len(told) < MOST_CAUSES:
        steps = traceback.walk_tb(error.__traceback__)
        frames = traceback.StackSummary.extract(steps, limit=-MOST_FRAMES, lookup_lines=False)
        told.append(
            {
                "exc_type": type(error).__name__,
                "exc_value": brief(error),
                "frames": [f"{one.filename}:{one.lineno} {one.name}" for one in frames],
            }
        )
        error = _cause_of(error)
    return told


def set_up_logging(level: str = "info") -> None:
    """Write every line of log, the libraries' too, as one line of JSON on stderr.

    Values are escaped by JSON, so that nobody can forge a line with a line break in a name. Errors
    bring their traces without the variables in them, which hold passwords and tokens.
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
                structlog.processors.ExceptionRenderer(_trace),
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
                "waferscope_predictions",
                "Wafers predicted, once for each of their labels",
                ["label", "model"],
                registry=None,
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
