"""How long a page of 50 out of 1,000,000 wafers takes, with two filters, on PostgreSQL.

``python -m benchmarks.service.lists --records postgresql://...`` fills an empty database (minutes),
or takes the one that it filled before, and asks for pages as the route does: SQL, rows, JSON.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg

from waferscope.service.db import Records
from waferscope.service.ids import new_id
from waferscope.service.migrate import upgrade
from waferscope.service.paging import Place, page_of
from waferscope.service.selection.filters import Wanted
from waferscope.service.selection.shown import WaferShown
from waferscope.service.wafers.store import cursor_of, list_wafers

PER_LOT = 25
PATTERNS = ("Center", "Donut", "Edge-Loc", "Edge-Ring", "Loc", "Near-full", "Random", "Scratch")
CLASSES = ("scratch", "particle", "edge", "center", "ring", "lithography", "etching", "random")
START = datetime(2024, 1, 1, tzinfo=UTC)
TARGET_MS = 50
WAFER = (
    "id,lot_id,user_id,content,blob,name,lot,slot,product,step,tester,tested_at,format,rows,cols,"
    "dies,fails,yield_share,notes,text,prediction_id,label,severity,severity_level,dated,"
    "arrived_at,created_at"
)
LABEL = "wafer_id,label,kind,probability,dies"


def fill(url: str, count: int) -> None:
    """Fill a database with wafers of skewed products, four steps, thirty testers and findings."""
    rng = random.Random(7)
    ids = sorted(new_id("waf") for _ in range(count))
    labels: list[tuple[Any, ...]] = []
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO users (id, name, role, must_change_password, active, created_at) "
            "VALUES ('usr_b', 'bench', 'admin', false, true, now())"
        )
        lots = [_lot(rng, number) for number in range(count // PER_LOT)]
        with cursor.copy("COPY lots (id,name,product,created_at,updated_at) FROM STDIN") as copy:
            for lot in lots:
                copy.write_row((*lot[:3], START, START))
        with cursor.copy(f"COPY wafers ({WAFER}) FROM STDIN") as copy:
            for number, wafer_id in enumerate(ids):
                row, found = _wafer(rng, number, wafer_id, lots[number // PER_LOT])
                copy.write_row(row)
                labels += found
        with cursor.copy(f"COPY wafer_labels ({LABEL}) FROM STDIN") as copy:
            for label in labels:
                copy.write_row(label)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _lot(rng: random.Random, number: int) -> tuple[str, str, str, str]:
    product = f"P{int(rng.paretovariate(1)) % 20:02d}"
    return new_id("lot"), f"LOT{number:06d}", product, rng.choice(("s1", "s2", "probe", "final"))


def _wafer(
    rng: random.Random, number: int, wafer_id: str, lot: Sequence[str]
) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    lot_id, name, product, step = lot
    tester, slot = f"T{rng.randrange(30):02d}", number % PER_LOT + 1
    at, own = START + timedelta(seconds=40 * number), f"{name}-W{slot:02d}"
    hit, seen = rng.random() < 0.2, rng.random() < 0.98
    severity = rng.random() * 100 if hit else 0.0
    level = "critical" if severity > 66 else "medium" if severity > 33 else "low"
    pattern = rng.choice(PATTERNS)
    found: list[tuple[Any, ...]] = []
    if hit and seen:
        found.append((wafer_id, pattern, "pattern", 0.9, 0))
        chosen = rng.sample(CLASSES, rng.randrange(1, 3))
        found += [(wafer_id, one, "class", None, rng.randrange(1, 300)) for one in chosen]
    names = (own, name, slot, product, step, tester, at, "stdf", 64, 64, 3000, 100)
    text = f"{own} {name} {product} {step} {tester}".lower()
    last = ("pred_b", pattern if hit else "", severity, level) if seen else (None, "", None, "")
    content = secrets.token_hex(32)
    row = (wafer_id, lot_id, "usr_b", content, f"wafers/aa/{wafer_id}", *names, rng.random())
    return (*row, "[]", text, *last, at, at, at), found


def questions(rng: random.Random, count: int) -> list[tuple[str, Wanted, str]]:
    """Return pairs of filters as people put them: a name, the filters, the order."""
    span = timedelta(seconds=40 * count)
    made: list[tuple[str, Wanted, str]] = []
    for _ in range(20):
        product, tester = f"P{rng.randrange(20):02d}", f"T{rng.randrange(30):02d}"
        step, since = rng.choice(("s1", "s2", "probe", "final")), START + span * rng.random()
        lot = f"lot{rng.randrange(count // PER_LOT):06d}"
        made += [
            ("product, step", Wanted(product=product, step=step), "-dated"),
            ("product, tester", Wanted(product=product, tester=tester), "-dated"),
            ("product, label", Wanted(product=product, label=rng.choice(PATTERNS)), "-dated"),
            ("step, severity", Wanted(step=step, severity="critical"), "-dated"),
            ("tester, until", Wanted(tester=tester, until=since), "-dated"),
            ("label, until", Wanted(label=rng.choice(CLASSES), until=since), "-dated"),
            ("text, step", Wanted(text=lot[:7], step=step), "-dated"),
            ("product, step by severity", Wanted(product=product, step=step), "-severity"),
        ]
    rng.shuffle(made)
    return made


def measure(records: Records, asked: Sequence[tuple[str, Wanted, str]]) -> None:
    """Print what pages take, in all and by kind of question."""
    taken: dict[str, list[float]] = {}
    for name, wanted, sort in asked:
        start = time.perf_counter()
        with records.reading() as session:
            rows = list_wafers(session, wanted, sort, Place(50))
        page = page_of(rows, Place(50), partial(cursor_of, sort), WaferShown.model_validate)
        page.model_dump_json()
        taken.setdefault(name, []).append((time.perf_counter() - start) * 1000)
    for name, ms in sorted(taken.items()):
        print(f"  {name}: p50 {statistics.median(ms):.1f} ms, highest {max(ms):.1f} ms")
    every = [one for ms in taken.values() for one in ms]
    p95 = statistics.quantiles(every, n=20)[-1]
    print(
        f"50 of a million, two filters: p50 {statistics.median(every):.1f} ms, p95 {p95:.1f} ms",
        end="",
    )
    print(f" (at most {TARGET_MS})")


def main() -> None:
    """Fill if need be, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--records", required=True, help="postgresql:// URL of a database of its own"
    )
    parser.add_argument("--wafers", type=int, default=1_000_000)
    choice = parser.parse_args()
    records = Records(choice.records.replace("postgresql://", "postgresql+psycopg://", 1))
    upgrade(records.engine)
    with records.reading() as session:
        empty = not list_wafers(session, Wanted(), "-dated", Place(1))
    if empty:
        fill(choice.records, choice.wafers)
    print(f"load {os.getloadavg()[0]:.1f}, {len(os.sched_getaffinity(0))} processors")
    asked = questions(random.Random(3), choice.wafers)
    measure(records, asked[:40])  # fills the caches of the database
    print("again:")
    measure(records, asked)


if __name__ == "__main__":
    main()
