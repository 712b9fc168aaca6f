"""Load over loopback: clients that each send their next request when the last one is answered."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timings:
    """What a load took: requests per second over all clients, milliseconds of each request."""

    rate: float
    ms: Sequence[float]

    @property
    def p50(self) -> float:
        """The median, in milliseconds."""
        return statistics.median(self.ms)

    @property
    def p95(self) -> float:
        """The 95th percentile, in milliseconds."""
        return statistics.quantiles(self.ms, n=20)[-1]


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return an HTTP/1.1 request; underlines in names of headers stand for hyphens."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def run_load(port: int, requests: Sequence[bytes], clients: int) -> Timings:
    """Send the requests from so many clients; raise RuntimeError for an answer other than 2xx."""
    return asyncio.run(_run(port, iter(requests), clients))


async def _run(port: int, requests: Iterator[bytes], clients: int) -> Timings:
    ms: list[float] = []
    start = time.perf_counter()
    await asyncio.gather(*(_client(port, requests, ms) for _ in range(clients)))
    return Timings(len(ms) / (time.perf_counter() - start), ms)


async def _client(port: int, requests: Iterator[bytes], ms: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for one in requests:
        start = time.perf_counter()
        writer.write(one)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        ms.append((time.perf_counter() - start) * 1000)
        if not head.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(f"Expected 2xx, got {head[:40]!r} {body[:300]!r}")
    writer.close()


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + len(b"content-length:")
    return int(lower[start : lower.index(b"\r\n", start)])
