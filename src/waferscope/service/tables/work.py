"""What is done beside the requests: batches, webhooks, workers, and what was done once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from waferscope.service.tables.row import ID_LENGTH, Key, Made, Name, Row, UserKey


class Batch(Row):
    """A prediction of many wafers as a job.

    ``state``: queued, running, done, failed or cancelled. ``request`` is what was asked;
    ``results`` maps each format to its blob.
    """

    __tablename__ = "batches"

    id: Mapped[Key]
    user_id: Mapped[UserKey]
    workflow_id: Mapped[str | None] = mapped_column(String(100), unique=True)
    state: Mapped[str] = mapped_column(String(20), default="queued")
    priority: Mapped[int] = mapped_column(default=0)
    model_version: Mapped[str] = mapped_column(String(60), default="")
    request: Mapped[dict[str, Any]]
    results: Mapped[dict[str, Any]]
    error: Mapped[str] = mapped_column(Text, default="")
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[Made] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "user_id", "id"), Index(None, "state", "id"))


class BatchItem(Row):
    """One wafer of a batch, in its place. ``state``: waiting, done or failed."""

    __tablename__ = "batch_items"

    batch_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wafer_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    prediction_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    error: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (Index(None, "batch_id", "state", "position"),)


class Webhook(Row):
    """An address that is told of events. Its secret is derived from the salt, never kept."""

    __tablename__ = "webhooks"

    id: Mapped[Key]
    user_id: Mapped[UserKey] = mapped_column(index=True)
    url: Mapped[str] = mapped_column(String(2000))
    events: Mapped[list[str]]
    salt: Mapped[str] = mapped_column(String(64))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[Made]


class Delivery(Row):
    """One event on its way to one webhook. ``state``: waiting, delivered or failed."""

    __tablename__ = "deliveries"

    id: Mapped[Key]
    webhook_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("webhooks.id", ondelete="CASCADE")
    )
    event: Mapped[str] = mapped_column(String(60))
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(20), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    last_status: Mapped[int | None]
    last_error: Mapped[Name] = mapped_column(default="")
    created_at: Mapped[Made] = mapped_column(index=True)
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "webhook_id", "id"),)


class Worker(Row):
    """A process that runs jobs, and when it was last heard of."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    host: Mapped[Name]
    pid: Mapped[int]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
    stopped_at: Mapped[datetime | None]


class Milestone(Row):
    """Something that is done once in the life of an installation, such as loading the demo lot."""

    __tablename__ = "milestones"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    at: Mapped[Made]
