"""Load over loopback: one request at a time, or all that wrk (from apt) sends for many clients."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

SCRIPT: Final = Path(__file__).with_suffix(".lua")
HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class Request:
    """What is asked of a server."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self) -> bytes:
        """Return it as HTTP/1.1."""
        headers = {"Host": HOST, "Content-Length": str(len(self.body)), **self.headers}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True)
class Timings:
    """What a load took: answers, answers per second, percentiles of their milliseconds."""

    answers: int
    rate: float
    p50: float
    p95: float


def time_one(connection: HTTPConnection, one: Request) -> float:
    """Return the milliseconds of a request; raise RuntimeError for an answer other than 2xx."""
    start = time.perf_counter()
    connection.request(one.method, one.path, one.body, dict(one.headers))
    answer = connection.getresponse()
    body = answer.read()
    taken = (time.perf_counter() - start) * 1000
    if answer.status // 100 != 2:
        raise RuntimeError(f"Expected 2xx, got {answer.status} {body[:300]!r}")
    return taken


def run_load(
    port: int, requests: Sequence[Request], clients: int, seconds: int, *, again: bool = False
) -> Timings:
    """Send the requests in their order from so many clients that wait for each answer.

    Raises RuntimeError for an answer other than 2xx, when the requests do not last for the time
    and may not be sent ``again``, and where wrk is not installed.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("Expected the program wrk, found none. Run `apt-get install wrk`.")
    with tempfile.TemporaryDirectory() as folder:
        queue = Path(folder) / "requests"
        with queue.open("wb") as out:
            for one in requests:
                data = one.raw()
                out.write(b"%d\n%b" % (len(data), data))
        command = [wrk, "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "60s"]
        command += ["-s", str(SCRIPT), f"http://{HOST}:{port}", "--", str(queue)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(ran.stdout.rpartition("\nJSON ")[2])
    if told["errors"]:
        raise RuntimeError(f"Expected answers of 2xx, got {told['errors']} others of {told}")
    if told["sent"] > len(requests) and not again:
        raise RuntimeError(f"Expected at least {told['sent']} requests, got {len(requests)}.")
    return Timings(told["answers"], told["rate"], told["p50_ms"], told["p95_ms"])
