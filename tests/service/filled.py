"""At least one row of every table, for tests of what has to carry all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from waferscope.service import tables

_AT: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
_MADE: Final = {"created_at": _AT}
_BY_ADA: Final = {"user_id": "usr_ada", **_MADE}
_ON_ONE: Final = {"wafer_id": "waf_1", **_BY_ADA}


def _wafer(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"waf_{number}",
        "lot_id": "lot_1",
        "upload_id": "upl_1",
        "content": f"{number:064x}",
        "blob": f"wafers/af/waf_{number}",
        "name": f"W{number:02d}",
        "lot": "LOT-7",
        "rows": 9,
        "cols": 11,
        "dies": 71,
        "fails": number,
        "yield_share": 1 - number / 71,
        "notes": ["a note"],
        "text": f"w{number:02d} lot-7",
        "dated": _AT,
        "arrived_at": _AT,
        **_BY_ADA,
        **more,
    }


def _prediction(number: int, wafer: int) -> dict[str, Any]:
    return {
        "id": f"pred_{number}",
        "wafer_id": f"waf_{wafer}",
        "model_version": "1.0",
        "options": {"threshold": None},
        "options_sha": f"{number:064x}",
        "labels": ["ring"],
        "patterns": {"ring": 0.75},
        "metrics": {"fails": 5},
        "severity": 62.5,
        "severity_level": "high",
        "blob": f"predictions/af/{number}",
        **_BY_ADA,
    }


_SEEN: Final = {"prediction_id": "pred_1", "label": "ring", "severity": 62.5}
ROWS: Final[dict[type[tables.Row], list[dict[str, Any]]]] = {
    tables.User: [
        {"id": "usr_ada", "name": "ada", "role": "admin", **_MADE},
        {"id": "usr_bob", "name": "bob", "role": "viewer", "active": False, **_MADE},
    ],
    tables.LoginFailure: [{"name": "eve", "failures": 3, "failed_at": _AT}],
    tables.Sitting: [{"id": "sit_1", "refreshed_at": _AT, "expires_at": _AT, **_BY_ADA}],
    tables.RefreshToken: [{"digest": "d" * 64, "sitting_id": "sit_1", **_MADE}],
    tables.ApiKey: [
        {"id": "key_1", "name": "a", "digest": "e" * 64, "hint": "wsk_1", "role": "viewer"}
        | {"scopes": ["wafers:read"], **_BY_ADA}
    ],
    tables.AuditEntry: [
        {"id": 7, "at": _AT, "actor": "ada", "action": "users.create", "detail": {"n": 1}}
    ],
    tables.IdempotencyKey: [{"key": "k", "fingerprint": "f" * 64, "body": "{}", **_BY_ADA}],
    tables.Lot: [{"id": "lot_1", "name": "LOT-7", "product": "P", "updated_at": _AT, **_MADE}],
    tables.Upload: [
        {"id": "upl_1", "file_name": "a.csv", "format": "csv", "size": 5, "sha256": "a" * 64}
        | {"options": {"fill": None}, "failures": [{"name": "b"}], "notes": [], **_BY_ADA}
    ],
    tables.Wafer: [
        _wafer(1, severity_level="high", **_SEEN),
        _wafer(2),
        _wafer(3, deleted_at=_AT, upload_id=None),
    ],
    tables.UploadWafer: [
        {"upload_id": "upl_1", "position": number, "wafer_id": f"waf_{number + 1}"}
        for number in range(2)
    ],
    tables.WaferLabel: [
        {"wafer_id": "waf_1", "label": "ring", "kind": "pattern", "probability": 0.75},
        {"wafer_id": "waf_1", "label": "ring", "kind": "class", "dies": 5},
    ],
    tables.Prediction: [_prediction(1, 1), _prediction(2, 1), _prediction(3, 3)],
    tables.Embedding: [
        {"number": 5, "wafer_id": "waf_1", "model_version": "1.0", "size": 2}
        | {"vector": b"\x00\xff" * 4, **_MADE}
    ],
    tables.Flag: [
        {"id": "flag_1", "prediction_id": "pred_1", "note": "not a ring", **_ON_ONE},
        {"id": "flag_2", "note": "none", "resolution": "confirmed", "closed_by": "usr_bob"}
        | _ON_ONE,
    ],
    tables.Cause: [{"id": "cause_1", "cause": "pump", "updated_at": _AT, **_ON_ONE}],
    tables.RetentionRule: [{"id": "rule_1", "product": "P", "days": 90, **_BY_ADA}],
    tables.Batch: [
        {"id": "bat_1", "state": "done", "request": {"formats": ["csv"]}, "total": 2, "done": 1}
        | {"failed": 1, "results": {"csv": "exports/_1/bat_1/csv"}, **_BY_ADA}
    ],
    tables.BatchItem: [
        {"batch_id": "bat_1", "position": 0, "wafer_id": "waf_1", "prediction_id": "pred_1"},
        {"batch_id": "bat_1", "position": 1, "wafer_id": "waf_2", "error": "damaged"},
    ],
    tables.Webhook: [
        {"id": "hook_1", "url": "https://example.com", "events": ["batch.done"], "salt": "s"}
        | _BY_ADA
    ],
    tables.Delivery: [
        {"id": "dlv_1", "webhook_id": "hook_1", "event": "batch.done", "payload": {"n": 1}} | _MADE
    ],
    tables.Worker: [{"name": "w1", "host": "h", "pid": 1, "started_at": _AT, "seen_at": _AT}],
    tables.Milestone: [{"name": "demo", "at": _AT}],
}
"""In an order in which they can be added."""
