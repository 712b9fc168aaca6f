"""Similar wafers out of a million: time, memory and recall of the search behind ``/similar``.

``python -m benchmarks.service.similar`` fills a database of its own with wafers and embeddings
(SQLite in a temporary folder, or ``--records postgresql://...``, an empty database), then searches
as the routes do: the index brought up to date, candidates found, compared again and fetched.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlalchemy import insert
from sqlalchemy.orm import Session

from waferscope.service.ids import new_id
from waferscope.service.migrate import upgrade
from waferscope.service.parts import Parts, open_parts
from waferscope.service.selection.filters import EVERYTHING, Wanted
from waferscope.service.settings import Settings
from waferscope.service.similar.follow import catch_up
from waferscope.service.similar.nearest import Asked, Near, find_nearest
from waferscope.service.tables import Embedding, Lot, User, Wafer
from waferscope.service.tables.row import now
from waferscope.service.vectors import Followed, VectorIndex

Floats = npt.NDArray[np.float32]
MODEL = "benchmark"
PART = 20_000
RANK = 16
"""Embeddings of real wafers by the released model have 97 % of their variance in 16 directions."""
K = 10


def draw(rng: np.random.Generator, count: int, size: int, directions: Floats) -> Floats:
    """Return unit vectors ``[count, size]`` in some directions, with a little noise around."""
    inner = rng.normal(size=(count, RANK)) * (0.8 ** np.arange(RANK))
    vectors = inner @ directions + rng.normal(scale=0.02, size=(count, size))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def parts_of(count: int, size: int) -> Iterator[Floats]:
    """Yield the embeddings of all wafers, the same ones each time."""
    rng = np.random.default_rng(1)
    directions = np.linalg.qr(rng.normal(size=(size, RANK)))[0].T.astype(np.float32)
    for begin in range(0, count, PART):
        yield draw(rng, min(PART, count - begin), size, directions)


def fill(house: Parts, count: int, size: int) -> None:
    """Store a user, a lot, and wafers with their embeddings: every hundredth of product P0."""
    user, lot = new_id("usr"), new_id("lot")
    with house.records.writing() as session:
        session.add(User(id=user, name="benchmark", role="viewer"))
        session.add(Lot(id=lot, name="L", updated_at=now()))
    done = 0
    for vectors in parts_of(count, size):
        with house.records.writing() as session:
            _insert(session, vectors, user, lot, done)
        done += len(vectors)
        print(f"\r{done:,} of {count:,} wafers stored", end="", flush=True)
    print()


def _insert(session: Session, vectors: Floats, user: str, lot: str, done: int) -> None:
    ids = [f"waf_{done + i:026d}" for i in range(len(vectors))]
    same = {"lot_id": lot, "user_id": user, "blob": "", "notes": [], "rows": 1, "cols": 1}
    same |= {"dies": 1, "fails": 0, "yield_share": 1.0, "created_at": now(), "dated": now()}
    wafers = [
        {"id": id_, "content": id_, "product": _product(done + i), **same}
        for i, id_ in enumerate(ids)
    ]
    session.execute(insert(Wafer), wafers)
    rows = [
        {"wafer_id": id_, "model_version": MODEL, "size": vector.size, "vector": vector.tobytes()}
        for id_, vector in zip(ids, vectors, strict=True)
    ]
    yesterday = now() - timedelta(days=1)
    session.execute(insert(Embedding), [{**row, "created_at": yesterday} for row in rows])


def _product(number: int) -> str:
    return "P0" if number % 100 == 0 else f"P{1 + number % 2}"


def true_nearest(queries: Floats, count: int, size: int) -> list[set[int]]:
    """Return the numbers of the K nearest to each query, by float32 cosines with all of them."""
    scores, numbers, begin = [], [], 1
    for vectors in parts_of(count, size):
        cosines = queries @ vectors.T
        best = np.argpartition(-cosines, K, axis=1)[:, :K]
        scores.append(np.take_along_axis(cosines, best, axis=1))
        numbers.append(best + begin)
        begin += len(vectors)
    all_scores, all_numbers = np.concatenate(scores, axis=1), np.concatenate(numbers, axis=1)
    order = np.argsort(-all_scores, axis=1)[:, :K]
    return [set(row.tolist()) for row in np.take_along_axis(all_numbers, order, axis=1)]


def resident() -> int:
    """Return the resident memory of this process, in bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def timed(ask: Callable[[Floats], list[Near]], queries: Floats) -> tuple[str, list[list[Near]]]:
    """Return p50 and p95 of the clock and p50 of the processor, in ms, and what was found."""
    clock, processor, found = [], [], []
    ask(queries[0])
    for query in queries:
        begin, worked = time.perf_counter(), time.process_time()
        found.append(ask(query))
        clock.append(1000 * (time.perf_counter() - begin))
        processor.append(1000 * (time.process_time() - worked))
    p50, p95 = np.percentile(clock, [50, 95])
    return f"p50 {p50:.1f} p95 {p95:.1f} ms, processor {np.median(processor):.1f} ms", found


def measure(house: Parts, count: int, size: int, asks: int) -> None:
    """Fill the index, search, and print what it took."""
    followed = Followed(VectorIndex(size))
    before, begin, worked = resident(), time.perf_counter(), time.process_time()
    with house.records.reading() as session:
        catch_up(session, followed, MODEL)
    print(
        f"index: {len(followed.index):,} vectors of {size}, {followed.index.nbytes / 1e6:.0f} MB; "
        f"process grew by {(resident() - before) / 1e6:.0f} MB; "
        f"read in {time.perf_counter() - begin:.1f} s, "
        f"processor {time.process_time() - worked:.1f} s"
    )
    queries = next(parts_of(count, size))[:: max(1, PART // asks)][:asks]
    wanted = {
        "all wafers": EVERYTHING,
        "1 % of them": Wanted(product="P0"),
        "half of them": Wanted(product="P1"),
    }
    for name, filters in wanted.items():

        def ask(query: Floats, filters: Wanted = filters) -> list[Near]:
            with house.records.reading() as session:
                catch_up(session, followed, MODEL)
                return find_nearest(session, followed, Asked(query, MODEL, K, filters))

        line, found = timed(ask, queries)
        print(f"{name}: {line}")
        if filters is EVERYTHING:
            truth = true_nearest(queries, count, size)
            hits = [
                len({int(one.wafer.id[4:]) + 1 for one in near} & true)
                for near, true in zip(found, truth, strict=True)
            ]
            print(f"recall of the nearest {K}: {sum(hits) / K / len(hits):.4f}")


def main() -> None:
    """Measure, as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--wafers", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=256, help="components of an embedding")
    parser.add_argument("--asks", type=int, default=50, help="searches of each kind")
    parser.add_argument("--records", default="", help="URL of an empty database; else SQLite")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waferscope-similar-") as folder:
        house = open_parts(Settings(home=Path(folder), records_url=asked.records))
        upgrade(house.records.engine)
        fill(house, asked.wafers, asked.size)
        measure(house, asked.wafers, asked.size, asked.asks)
        house.records.close()


if __name__ == "__main__":
    main()
