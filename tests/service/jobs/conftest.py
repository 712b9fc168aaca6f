"""Workers for the tests: in a thread of this process, or as the real program."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from waferscope.service.jobs import steps
from waferscope.service.jobs.retain import ask_for
from waferscope.service.jobs.worker import new_badge, work
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings
from waferscope.service.tables.row import now

SOURCE = Path(__file__).resolve().parents[3] / "src"


def eventually(ready: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something is so; fail if it never is."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


@contextmanager
def working(house: Parts, name: str = "w1") -> Iterator[None]:
    """A worker in a thread of this process; it is stopped when its daily job is done.

    A step that waits at the closed gate would keep this process from ending.
    """
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(house, new_badge(name), stop))
    daily = ask_for(house, now().date())
    thread.start()
    try:
        yield
        eventually(lambda: house.queue.state(daily) == "SUCCESS")
    finally:
        stop.set()
        thread.join()


def environment(settings: Settings) -> dict[str, str]:
    """The variables under which a program of its own works in the same house."""
    return {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "WAFERSCOPE_HOME": str(settings.home),
        "WAFERSCOPE_RECORDS_URL": settings.records_url,
        "WAFERSCOPE_BLOBS_URL": settings.blobs_url,
        "WAFERSCOPE_CACHE_URL": settings.cache_url,
        "WAFERSCOPE_SECRET": settings.secret.get_secret_value(),
        "WAFERSCOPE_WEBHOOK_HOSTS": ",".join(settings.webhook_hosts),
        "WAFERSCOPE_JOB_CONCURRENCY": str(settings.job_concurrency),
        "WAFERSCOPE_DEMO": str(settings.demo),
    }


@contextmanager
def program(
    settings: Settings, *words: str, out: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The command line as a process of its own, ended at the end if it has not by then."""
    command = [sys.executable, "-m", "waferscope", *words]
    process = subprocess.Popen(
        command, env=environment(settings), stdout=out, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def moved_in(house: Parts) -> Parts:
    """The house, with the jobs of this process at work in it."""
    steps.move_in(house)
    return house
