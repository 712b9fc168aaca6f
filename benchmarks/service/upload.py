"""How long the upload of a 25-wafer STDF takes over reading the same file with the library.

``python -m benchmarks.service.upload`` starts a server of its own in an empty folder, with every
check on, and sends different lots over loopback, in turn with the library; nothing is predicted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from benchmarks.service.load import HOST, Request, time_one
from benchmarks.service.predict import add_user, serving
from waferscope.domain.wafermap import WaferMap
from waferscope.io import read
from waferscope.io.stdf import stdf_bytes, stdf_row
from waferscope.service.auth.roles import Role
from waferscope.service.migrate import upgrade
from waferscope.service.parts import open_parts
from waferscope.service.settings import Settings

WAFERS = 25
TARGET_MS = 150


def build_lot(number: int, side: int) -> bytes:
    """Return an STDF lot of 25 round wafers, no two of them alike."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    on_wafer = np.hypot(y, x) <= side / 2
    wafers = []
    for slot in range(1, WAFERS + 1):
        dies = np.where(rng.random((side, side)) < 0.1, 2, 1) * on_wafer
        wafers.append(
            WaferMap(dies, wafer_id=f"W{slot:02d}", lot_id=f"LOT{number:04d}", product="BENCH")
        )
    return stdf_bytes([stdf_row(wafer) for wafer in wafers])


def measure(port: int, token: str, side: int, lots: int) -> None:
    """Print what uploads take over reading, for wafers of so many dies across."""
    reading: list[float] = []
    sending: list[float] = []
    server = HTTPConnection(HOST, port)
    for number in range(lots + 1):
        data = build_lot(number, side)
        start = time.perf_counter()
        read(data)
        reading.append((time.perf_counter() - start) * 1000)
        path = "/api/v1/uploads?predict=false&file_name=lot.stdf"
        one = Request("POST", path, data, {"Authorization": f"Bearer {token}"})
        sending.append(time_one(server, one))
    # The first of each imports and reserves memory.
    over = [s - r for s, r in zip(sending[1:], reading[1:], strict=True)]
    print(
        f"{WAFERS} wafers of {side} x {side}: upload p50 {statistics.median(sending[1:]):.0f} ms, "
        f"reading {statistics.median(reading[1:]):.0f} ms, over it p50 "
        f"{statistics.median(over):.0f} ms (at most {TARGET_MS})"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lots", type=int, default=15, help="lots of each size")
    parser.add_argument("--sides", type=int, nargs="+", default=[40, 64, 100], help="dies across")
    choice = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {len(os.sched_getaffinity(0))} processors")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        house = open_parts(Settings(home=home, demo=False))
        upgrade(house.records.engine)
        token = add_user(house, Role.ANNOTATOR)[1]
        app = "waferscope.service.app:create_app"
        with serving(app, home=home) as (port, _):
            for side in choice.sides:
                measure(port, token, side, choice.lots)


if __name__ == "__main__":
    main()
