"""Reads broken files in a process of its own, with little memory and an alarm clock.

Run as ``python -m tests.io.breaking COUNT``: COUNT broken files of each reader; prints the
failures as JSON, by reader.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.io.corpus import attempt, broken, describe, files
from waferscope.io import READERS

GROWTH: Final = 512 << 20
SECONDS: Final = 5
_SEED: Final = 20260101


class TooSlow(BaseException):
    """A file took longer than it may; no reader catches this."""


def _ring(number: int, frame: object) -> None:
    raise TooSlow(f"longer than {SECONDS} s")


def cap_memory() -> None:
    """Let this process grow by no more than the limit from here on."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + GROWTH
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def break_one(name: str, count: int, others: list[bytes]) -> list[dict[str, Any]]:
    """Return the failures of one reader: its own files broken, every second one by content."""
    seeds = files(name)
    rng = np.random.default_rng((_SEED, *name.encode()))
    failures = []
    for number in range(count):
        data = broken(rng, seeds[number % len(seeds)], others[number % len(others)])
        asked = None if number % 2 else name
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        what = attempt(data, asked)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if what is not None:
            failures.append(describe(data, asked, what))
    return failures


def main(count: int) -> None:
    """Read every valid file once, so that all libraries are loaded; then break them."""
    names = [name for name in READERS if files(name)]
    everything = [data for name in names for data in files(name)]
    for name in names:
        for data in files(name):
            attempt(data, name)
    signal.signal(signal.SIGALRM, _ring)
    cap_memory()
    json.dump({name: break_one(name, count, everything) for name in names}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
