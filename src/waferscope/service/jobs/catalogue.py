"""Every job by its name; a new one is one more row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from waferscope.service.events import DELIVER
from waferscope.service.jobs.deliver import deliver_webhook
from waferscope.service.jobs.predict_batch import predict_batch
from waferscope.service.jobs.retain import RETAIN, retain
from waferscope.service.ordered.order import PREDICT_BATCH

JOBS: Final[dict[str, Callable[..., Any]]] = {
    DELIVER: deliver_webhook,
    PREDICT_BATCH: predict_batch,
    RETAIN: retain,
}
"""A job is a function of JSON words that does all its work in steps (`steps.run_step`)."""
