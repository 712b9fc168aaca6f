"""From settings to a running service: what is done before the first request, and by whom."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources
from typing import Final

import structlog
import uvicorn

from waferscope.errors import ConfigError
from waferscope.service import store
from waferscope.service.auth.identity import SYSTEM
from waferscope.service.auth.roles import Role
from waferscope.service.migrate import upgrade
from waferscope.service.parts import Parts
from waferscope.service.people import make_user
from waferscope.service.settings import Settings
from waferscope.service.uploads.intake import arrive, take_in
from waferscope.service.uploads.schemas import UploadParameters

FIRST_ADMIN: Final = "admin"
DEMO_LOT: Final = "demo_lot.stdf.gz"
FIRST_START: Final = "first admin"
RESTART_S: Final = 5
_log = structlog.get_logger()


@dataclass(frozen=True)
class FirstAdmin:
    """The admin who was made on the first start, and the password to be said once."""

    name: str
    password: str


def require_free(settings: Settings) -> None:
    """Raise ConfigError when the address to listen on is taken, or is none of this machine."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        raise ConfigError(
            f"Expected a free address to listen on, got {settings.host}:{settings.port} "
            f"({error.strerror}). Stop what listens there, or give another --host or --port."
        ) from error


def prepare(house: Parts) -> FirstAdmin | None:
    """Bring the tables up to date; on the first start make an admin and return how to log in."""
    upgrade(house.records.engine)
    with house.records.writing() as session:
        if not store.reach(session, FIRST_START):
            return None
        made = make_user(session, SYSTEM, name=FIRST_ADMIN, role=Role.ADMIN)
    if house.settings.demo:
        load_demo_lot(house, made.id)
    return FirstAdmin(made.name, made.one_time_password or "")


def load_demo_lot(house: Parts, user_id: str) -> None:
    """Take in the lot that ships with the package, in a user's name; a worker predicts it."""
    who = replace(SYSTEM, user_id=user_id)
    with resources.as_file(resources.files("waferscope") / "demo" / DEMO_LOT) as path:
        take_in(house, arrive(path, who, UploadParameters()))


@contextmanager
def worker_beside(*, wanted: bool = True) -> Iterator[None]:
    """Keep a worker process running beside this one; it is told to stop at the end."""
    if not wanted:
        yield
        return
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_worker, args=(stop,), name="worker-keeper")
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def _keep_worker(stop: threading.Event) -> None:
    command = [sys.executable, "-m", "waferscope", "work", "--parent", str(os.getpid())]
    while not stop.is_set():
        # In a session of its own: Ctrl-C is for the server, which then tells the worker.
        worker = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own words
        while worker.poll() is None and not stop.wait(0.2):
            pass
        if worker.poll() is None:
            worker.terminate()
            worker.wait()
        elif not stop.is_set():
            _log.error("worker ended", code=worker.returncode, again_in_s=RESTART_S)
            stop.wait(RESTART_S)


def serve(settings: Settings) -> None:
    """Answer requests until told to stop; running ones may finish."""
    uvicorn.run(
        "waferscope.service.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def stop_signals(parent: int | None = None) -> threading.Event:
    """Return an event that is set by SIGTERM, by Ctrl-C, or by the end of the ``parent`` process.

    The parent says its number, for it may be gone before this one could ask for it.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if parent is not None:
        watch = threading.Thread(target=_watch, args=(parent, stop), daemon=True)
        watch.start()
    return stop


def _watch(parent: int, stop: threading.Event) -> None:
    while os.getppid() == parent and not stop.is_set():
        time.sleep(1)
    stop.set()
