"""Wafers for the tests of what predicts them: synthetic ones, stored as an upload stores them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import insert

from waferscope.domain.wafermap import WaferMap
from waferscope.service.ids import new_id
from waferscope.service.parts import Parts
from waferscope.service.storage import blob_name
from waferscope.service.tables import Lot, Wafer
from waferscope.service.tables.row import now
from waferscope.service.wafer_file import pack_wafer

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def make_wafer(seed: int = 0, side: int = 24, **fields: Any) -> WaferMap:
    """A round wafer of about ``side`` dies across, with a spot that fails and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    dies = (np.hypot(y, x) <= side / 2).astype(np.uint8)
    row, col = rng.uniform(-side / 4, side / 4, 2)
    fails = (np.hypot(y - row, x - col) < side / 6) | (rng.random(dies.shape) < 0.03)
    dies[(dies > 0) & fails] = 2
    return WaferMap(dies, **({"wafer_id": f"W{seed:04d}", "lot_id": "L1"} | fields))


def store_wafers(house: Parts, user_id: str, wafers: Sequence[WaferMap]) -> list[str]:
    """Store wafers, blobs and rows, all in one new lot; return their ids."""
    lot_id = new_id("lot")
    rows = []
    for number, wafer in enumerate(wafers):
        blob = blob_name("wafers", hashlib.sha256(f"{lot_id} {number}".encode()).hexdigest())
        house.blobs.put(blob, pack_wafer(wafer))
        rows.append(_row(wafer, lot_id, user_id, blob))
    with house.records.writing() as session:
        session.add(Lot(id=lot_id, name=lot_id, updated_at=now()))
        session.flush()
        session.execute(insert(Wafer), rows)
    return [row["id"] for row in rows]


def _row(wafer: WaferMap, lot_id: str, user_id: str, blob: str) -> dict[str, Any]:
    return {
        "id": new_id("waf"),
        "lot_id": lot_id,
        "user_id": user_id,
        "content": blob.rsplit("/", 1)[1],
        "blob": blob,
        "name": wafer.wafer_id,
        "rows": wafer.shape[0],
        "cols": wafer.shape[1],
        "dies": wafer.die_count,
        "fails": wafer.fail_count,
        "yield_share": wafer.wafer_yield,
        "notes": [],
        "created_at": now(),
    }
