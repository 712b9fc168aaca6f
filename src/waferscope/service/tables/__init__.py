"""Every table of the records; the migrations beside this folder make them."""

from __future__ import annotations

from waferscope.service.tables.people import (
    ApiKey,
    AuditEntry,
    IdempotencyKey,
    LoginFailure,
    RefreshToken,
    Sitting,
    User,
)
from waferscope.service.tables.row import Row
from waferscope.service.tables.wafers import (
    Cause,
    Embedding,
    Flag,
    Lot,
    Prediction,
    RetentionRule,
    Upload,
    UploadWafer,
    Wafer,
    WaferLabel,
)
from waferscope.service.tables.work import (
    Batch,
    BatchItem,
    Delivery,
    Milestone,
    Webhook,
    Worker,
)

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Batch",
    "BatchItem",
    "Cause",
    "Delivery",
    "Embedding",
    "Flag",
    "IdempotencyKey",
    "LoginFailure",
    "Lot",
    "Milestone",
    "Prediction",
    "RefreshToken",
    "RetentionRule",
    "Row",
    "Sitting",
    "Upload",
    "UploadWafer",
    "User",
    "Wafer",
    "WaferLabel",
    "Webhook",
    "Worker",
]
