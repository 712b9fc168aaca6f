"""How fast predicting over HTTP is, beside the library itself and a bare FastAPI route.

``python -m benchmarks.service.predict`` starts a server of its own in an empty folder, with every
check on (tokens, limits, log), and measures over loopback; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
from fastapi import FastAPI

from benchmarks.service.load import HOST, Request, Timings, run_load, time_one
from waferscope.domain.wafermap import WaferMap
from waferscope.infer import load_predictor
from waferscope.service.auth import tokens
from waferscope.service.auth.roles import Role
from waferscope.service.auth.store import add_sitting
from waferscope.service.ids import new_id
from waferscope.service.migrate import upgrade
from waferscope.service.parts import Parts, open_parts
from waferscope.service.settings import Settings
from waferscope.service.storage import blob_name
from waferscope.service.tables import Lot, User, Wafer
from waferscope.service.tables.row import now
from waferscope.service.wafer_file import content_of, pack_wafer
from waferscope.synth import build_wafer

PREDICT = "/api/v1/predict"
JSON = "application/json"
ALIKE = 100
DIFFERING = 5
INLINE_MOST = 1000
"""Requests per second that are prepared, more than will be answered."""
PART_S = 20
bare = FastAPI()


@bare.get("/")
async def answer() -> dict[str, str]:
    """Answer at once: what the framework itself costs."""
    return {"a": "b"}


@contextmanager
def serving(app: str, *options: str, home: Path) -> Iterator[tuple[int, int]]:
    """Run an app in a process of its own; give its port and its process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", app, *options, "--port", str(port)]
    command += ["--log-level", "warning", "--no-access-log"]
    rates = {f"WAFERSCOPE_RATE_{kind}": "100000000/minute" for kind in ("IDENTITY", "ADDRESS")}
    environment = {**os.environ, **rates, "WAFERSCOPE_HOME": str(home)}
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def add_user(house: Parts, role: Role = Role.VIEWER) -> tuple[str, str]:
    """Add a user; return id and access token."""
    user_id = new_id("usr")
    with house.records.writing() as session:
        session.add(User(id=user_id, name=user_id, role=role.value))
        session.flush()
        sitting = add_sitting(session, user_id, 7, "127.0.0.1", "benchmark")
    return user_id, tokens.sign_access(house.settings, user_id, sitting.id, role)


def store_wafer(house: Parts, user_id: str, wafer: WaferMap) -> str:
    """Store a wafer, without a prediction; return its id."""
    content, wafer_id, lot_id = content_of(wafer), new_id("waf"), new_id("lot")
    blob = blob_name("wafers", content)
    house.blobs.put(blob, pack_wafer(wafer))
    rows, cols = wafer.shape
    with house.records.writing() as session:
        session.add(Lot(id=lot_id, name=lot_id, updated_at=now()))
        session.flush()
        row = Wafer(id=wafer_id, lot_id=lot_id, user_id=user_id, content=content, blob=blob)
        row.rows, row.cols, row.dies, row.fails = rows, cols, wafer.die_count, wafer.fail_count
        row.yield_share, row.notes = wafer.wafer_yield, []
        session.add(row)
    return wafer_id


def ask(token: str, body: object) -> Request:
    """Return a request to predict."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": JSON}
    return Request("POST", PREDICT, json.dumps(body).encode(), headers)


def synthetic(seed: int, side: int) -> WaferMap:
    """Return a synthetic wafer of so many dies across."""
    return build_wafer(np.random.default_rng(seed), shape=(side, side)).to_wafermap()


def inline(token: str, seed: int, count: int, side: int = 64) -> list[Request]:
    """Return requests with a wafer inline each, as base64, no two alike.

    A hundred of them show the same synthetic wafer, but for a handful of passing dies that fail.
    """
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        if number % ALIKE == 0:
            dies = synthetic(seed + number, side).dies
        varied = dies.copy()
        varied.flat[rng.choice(np.flatnonzero(varied == 1), DIFFERING)] = 2
        packed = base64.b64encode(varied.tobytes()).decode()
        found.append(ask(token, {"wafers": [{"dies": packed, "shape": varied.shape}]}))
    return found


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def processor_s(pid: int) -> float:
    """Return the seconds that processors have worked for a process, over all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    port: int, pid: int, requests: Sequence[Request], clients: int, seconds: int
) -> Timings:
    """Run a load and print what the server's processors worked for each request.

    A single request is sent over and over, several are sent once each.
    """
    before = processor_s(pid)
    found = run_load(port, requests, clients, seconds, again=len(requests) == 1)
    print(f"  processor {(processor_s(pid) - before) / found.answers * 1000:.2f} ms a request")
    return found


def measure_large(port: int, house: Parts, token: str, user_id: str, count: int) -> None:
    """Print what a stored 300 x 300 wafer takes, in turn with the library in this process."""
    predictor = load_predictor()
    library: list[float] = []
    served: list[float] = []
    # Made beforehand: work in between would leave one of the two with warm caches.
    wafers = [synthetic(seed, 300) for seed in range(count + 1)]
    stored = [store_wafer(house, user_id, wafer) for wafer in wafers]
    server = HTTPConnection(HOST, port)
    for wafer, wafer_id in zip(wafers, stored, strict=True):
        start = time.perf_counter()
        json.dumps(predictor.predict(wafer).to_dict(polygons=False))
        library.append((time.perf_counter() - start) * 1000)
        served.append(time_one(server, ask(token, {"wafer_map_ids": [wafer_id]})))
    # The first of each reserves memory.
    mine, theirs = statistics.median(served[1:]), statistics.median(library[1:])
    print(f"300 x 300 stored, uncached: p50 {mine:.0f} ms, library {theirs:.0f}", end="")
    print(f", ratio {mine / theirs:.2f} (at most 1.30)")


def show(name: str, found: Timings, target: str) -> None:
    """Print one line of figures."""
    print(f"{name}: {found.rate:.0f}/s, p50 {found.p50:.1f} ms, p95 {found.p95:.1f} ms ({target})")


def measure_memory(port: int, pid: int, token: str, count: int) -> None:
    """Print the memory of the server after each tenth of so many small predictions."""
    done = 0
    for part in range(1, 11):
        while done < part * count // 10:
            requests = inline(token, 10**7 + done, PART_S * INLINE_MOST, 24)
            done += run_load(port, requests, 16, PART_S).answers
        print(f"memory after {done:,} more: {resident_mb(pid):.0f} MB")


def measure_library() -> None:
    """Print how many wafers per second the library makes records of, in batches."""
    predictor = load_predictor()
    many = [synthetic(seed, 64) for seed in range(280)]
    start = time.perf_counter()
    for prediction in predictor.predict_stream(many):
        json.dumps(prediction.to_dict(polygons=False))
    print(f"library, 64 x 64 in batches: {len(many) / (time.perf_counter() - start):.0f}/s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", type=int, default=40, help="wafers of 300 x 300")
    parser.add_argument("--seconds", type=int, default=8, help="how long each load lasts")
    parser.add_argument("--long", type=int, default=0, help="predictions to watch memory over")
    choice = parser.parse_args()
    seconds = choice.seconds
    print(f"load {os.getloadavg()[0]:.1f}, {len(os.sched_getaffinity(0))} processors")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        house = open_parts(Settings(home=home, demo=False))
        upgrade(house.records.engine)
        user_id, token = add_user(house)
        with serving("benchmarks.service.predict:bare", home=home) as (port, pid):
            found = measure(port, pid, [Request("GET", "/")], 16, seconds)
            show("bare route, 16 clients", found, "for comparison")
        with serving("waferscope.service.app:create_app", "--factory", home=home) as (port, pid):
            run_load(port, inline(token, 10**6, 2 * INLINE_MOST), 8, 2)
            measure_large(port, house, token, user_id, choice.large)
            found = measure(port, pid, inline(token, 0, seconds * INLINE_MOST), 32, seconds)
            show("64 x 64 inline, 32 clients", found, "at least 250/s")
            wafer_id = store_wafer(house, user_id, WaferMap(np.ones((64, 64), np.uint8)))
            again = ask(token, {"wafer_map_ids": [wafer_id]})
            run_load(port, [again], 1, 1, again=True)
            show("cached, 16 clients", measure(port, pid, [again], 16, seconds), "at least 600/s")
            print(f"memory {resident_mb(pid):.0f} MB (at most 700)")
            if choice.long:
                measure_memory(port, pid, token, choice.long)
    measure_library()


if __name__ == "__main__":
    main()
