"""``waferscope serve`` and ``work``: the service and the workers of its jobs."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from waferscope.cli import console

app = typer.Typer()


def require_service() -> None:
    """Raise MissingExtraError, with the cure, when the service's packages are not installed."""
    from importlib.util import find_spec

    from waferscope.errors import MissingExtraError

    missing = [name for name in ("fastapi", "sqlalchemy", "dbos") if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"Expected the service's packages, got an installation without {', '.join(missing)}. "
            "Run pip install 'waferscope[serve]'."
        )


@app.command("serve")
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on, instead of WAFERSCOPE_HOST.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on, instead of WAFERSCOPE_PORT.")
    ] = None,
    worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Run a worker beside the server.")
    ] = True,
) -> None:
    """Serve the API, with its tables brought up to date and a worker beside it.

    The first start makes an admin and prints its one-time password, this once.

    Example: waferscope serve --port 8000
    """
    require_service()
    for name, value in (("HOST", host), ("PORT", port)):
        if value is not None:
            os.environ[f"WAFERSCOPE_{name}"] = str(value)  # worker and web processes read it too
    from waferscope.service import start
    from waferscope.service.parts import open_parts
    from waferscope.service.settings import load_settings
    from waferscope.service.telemetry import set_up_logging

    settings = load_settings()
    set_up_logging(settings.log_level)
    start.require_free(settings)
    house = open_parts(settings)
    first = start.prepare(house)
    house.records.close()
    if first is not None:
        console.print_line(f"first admin: {first.name}")
        console.print_line(f"one-time password, shown this once: {first.password}")
    address = f"http://{settings.host}:{settings.port}"
    console.print_line(f"WaferScope on {address}, API at {address}/docs")
    sys.stdout.flush()
    with start.worker_beside(wanted=worker):
        start.serve(settings)


@app.command("work")
def work(
    name: Annotated[
        str, typer.Option(help="Name of this worker; its host and process number if left out.")
    ] = "",
    parent: Annotated[
        int | None,
        typer.Option(help="Number of the process that began it: stop when that is gone.", min=1),
    ] = None,
) -> None:
    """Do jobs until told to stop; start as many as there are cores to spare, on any machine.

    A worker stops between two steps of a job; what it leaves, another one goes on with.

    Example: waferscope work --name night-1
    """
    require_service()
    from waferscope.service import start
    from waferscope.service.jobs.worker import new_badge
    from waferscope.service.jobs.worker import work as work_on
    from waferscope.service.parts import open_parts
    from waferscope.service.settings import load_settings
    from waferscope.service.telemetry import set_up_logging

    settings = load_settings()
    set_up_logging(settings.log_level)
    stop = start.stop_signals(parent)
    work_on(open_parts(settings), new_badge(name), stop)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that wait for a step that may not begin any more would keep it alive
