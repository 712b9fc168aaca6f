"""For machines that watch: ``/api/v1/health``, ``/ready`` and ``/metrics``."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool

import waferscope
from waferscope.errors import IdentityError, UnavailableError
from waferscope.service.auth.identity import Counted
from waferscope.service.health import store
from waferscope.service.health.probes import probe
from waferscope.service.health.schemas import Alive, Readiness
from waferscope.service.parts import House, Parts

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> Alive:
    """Whether the process answers."""
    return Alive(version=waferscope.__version__)


@router.get("/ready", dependencies=[Counted], responses={503: {"model": Readiness}})
async def ready(response: Response, house: House) -> Readiness:
    """Whether each part answers; 503 when one that requests need does not."""
    parts = await probe(house)
    is_ready = all(part.ok for part in parts if part.needed)
    if not is_ready:
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return Readiness(ready=is_ready, parts=parts)


@router.get("/metrics", dependencies=[Counted], response_class=Response)
async def metrics(request: Request, house: House) -> Response:
    """Figures for Prometheus, of this process; those of the queue are read now."""
    token = house.settings.metrics_token.get_secret_value()
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        raise IdentityError("Expected the token of WAFERSCOPE_METRICS_TOKEN, got another.")
    try:
        await run_in_threadpool(_count_jobs, house)
    except UnavailableError:
        house.figures.jobs.clear()  # the rest is worth showing while the database is away
    return Response(generate_latest(house.figures.registry), media_type=CONTENT_TYPE_LATEST)


def _count_jobs(house: Parts) -> None:
    with house.records.reading() as session:
        tally = store.tally_jobs(session)
    house.figures.queue_depth.set(tally.waiting)
    house.figures.queue_age.set(tally.oldest_s)
    house.figures.jobs.clear()
    for state, count in tally.states.items():
        house.figures.jobs.labels(state).set(count)
