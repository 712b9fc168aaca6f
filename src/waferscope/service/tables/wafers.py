"""What was measured and what was seen in it: lots, uploads, wafers, predictions, remarks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from waferscope.service.tables.row import ID_LENGTH, Digest, Key, Made, Name, Row, UserKey


class Lot(Row):
    """Wafers made together: one name within one product."""

    __tablename__ = "lots"

    id: Mapped[Key]
    name: Mapped[Name]
    product: Mapped[Name] = mapped_column(default="")
    created_at: Mapped[Made] = mapped_column(index=True)
    updated_at: Mapped[Made]

    __table_args__ = (UniqueConstraint("name", "product"), Index(None, "product", "id"))


class Upload(Row):
    """One file that arrived, and what became of it.

    ``options`` is how it was read; ``failures`` names what could not be read inside of it.
    """

    __tablename__ = "uploads"

    id: Mapped[Key]
    user_id: Mapped[UserKey] = mapped_column(index=True)
    file_name: Mapped[Name]
    format: Mapped[str] = mapped_column(String(30))
    size: Mapped[int]
    sha256: Mapped[Digest] = mapped_column(index=True)
    blob: Mapped[Name] = mapped_column(default="")
    wafers_new: Mapped[int] = mapped_column(default=0)
    wafers_known: Mapped[int] = mapped_column(default=0)
    predicts: Mapped[bool] = mapped_column(default=True)
    batch_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    options: Mapped[dict[str, Any]]
    failures: Mapped[list[dict[str, Any]]]
    notes: Mapped[list[str]]
    created_at: Mapped[Made] = mapped_column(index=True)


class UploadWafer(Row):
    """A wafer of an uploaded file, in its place; ``known`` if it was there before the file came."""

    __tablename__ = "upload_wafers"

    upload_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wafer_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("wafers.id", ondelete="CASCADE"), index=True
    )
    known: Mapped[bool] = mapped_column(default=False)


WORST: Final = "coalesce(severity, -1)"
"""What wafers are ordered by to have the worst first: those without a prediction come last."""


class Wafer(Row):
    """One tested wafer; its dies are a blob, its latest prediction is repeated here for lists.

    ``content`` is the digest of all that was measured (`wafer_file.content_of`), ``dated`` when
    that was, or when it came where nobody knows; ``arrived_at`` when it came last. ``text`` is
    what a search looks through, in lower case. ``severity`` 0 to 100 and ``severity_level`` and
    ``label`` (the first of the labels) are those of the last stored prediction; empty or None
    before there is one.
    """

    __tablename__ = "wafers"

    id: Mapped[Key]
    lot_id: Mapped[str] = mapped_column(String(ID_LENGTH), ForeignKey("lots.id"))
    upload_id: Mapped[str | None] = mapped_column(
        String(ID_LENGTH), ForeignKey("uploads.id"), index=True
    )
    user_id: Mapped[UserKey] = mapped_column(index=True)
    content: Mapped[str] = mapped_column(String(64), unique=True)
    blob: Mapped[Name]
    name: Mapped[Name] = mapped_column(default="")
    lot: Mapped[Name] = mapped_column(default="")
    slot: Mapped[int | None]
    product: Mapped[Name] = mapped_column(default="")
    step: Mapped[Name] = mapped_column(default="")
    tester: Mapped[Name] = mapped_column(default="")
    tested_at: Mapped[datetime | None]
    format: Mapped[str] = mapped_column(String(30), default="")
    rows: Mapped[int]
    cols: Mapped[int]
    dies: Mapped[int]
    fails: Mapped[int]
    yield_share: Mapped[float] = mapped_column(Float)
    notes: Mapped[list[str]]
    text: Mapped[str] = mapped_column(Text, default="")
    prediction_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    label: Mapped[str] = mapped_column(String(60), default="")
    severity: Mapped[float | None] = mapped_column(Float)
    severity_level: Mapped[str] = mapped_column(String(20), default="")
    dated: Mapped[Made]
    arrived_at: Mapped[Made]
    created_at: Mapped[Made]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        Index(None, "lot_id", "id"),
        Index(None, "dated", "id"),
        Index(None, "lot", "dated", "id"),
        Index(None, "product", "dated", "id"),
        Index(None, "product", "step", "dated", "id"),
        Index(None, "step", "dated", "id"),
        Index(None, "tester", "dated", "id"),
        Index(None, "severity_level", "dated", "id"),
        Index("ix_wafers_worst", sql(WORST), "id"),
        Index(None, "yield_share", "id"),
        Index(None, "deleted_at"),
        Index(None, "text", postgresql_using="gin", postgresql_ops={"text": "gin_trgm_ops"}).ddl_if(
            dialect="postgresql"
        ),
    )

    @property
    def wafer_yield(self) -> float | None:
        """Passing dies over tested dies, 0 to 1; None for a wafer without a tested die."""
        return self.yield_share if self.dies else None


class WaferLabel(Row):
    """One class found on a wafer by its last stored prediction: for filters and trends."""

    __tablename__ = "wafer_labels"

    wafer_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("wafers.id", ondelete="CASCADE"), primary_key=True
    )
    label: Mapped[str] = mapped_column(String(60), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    probability: Mapped[float | None] = mapped_column(Float)
    dies: Mapped[int] = mapped_column(default=0)

    __table_args__ = (Index(None, "label", "kind", "wafer_id"),)


class Prediction(Row):
    """One prediction of one wafer by one model under one set of options."""

    __tablename__ = "predictions"

    id: Mapped[Key]
    wafer_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("wafers.id", ondelete="CASCADE")
    )
    user_id: Mapped[UserKey] = mapped_column(index=True)
    model_version: Mapped[str] = mapped_column(String(60))
    options: Mapped[dict[str, Any]]
    options_sha: Mapped[Digest]
    labels: Mapped[list[str]]
    patterns: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]
    severity: Mapped[float] = mapped_column(Float)
    severity_level: Mapped[str] = mapped_column(String(20))
    blob: Mapped[Name] = mapped_column(default="")
    created_at: Mapped[Made] = mapped_column(index=True)

    __table_args__ = (
        UniqueConstraint("wafer_id", "model_version", "options_sha"),
        Index(None, "wafer_id", "id"),
    )


class Embedding(Row):
    """The place of a wafer among all: a unit vector of float32, little endian.

    ``number`` rises with each row: an index of vectors knows by it what it has not seen yet.
    """

    __tablename__ = "embeddings"

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    wafer_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("wafers.id", ondelete="CASCADE")
    )
    model_version: Mapped[str] = mapped_column(String(60))
    size: Mapped[int] = mapped_column(SmallInteger)
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Made]

    __table_args__ = (
        UniqueConstraint("wafer_id", "model_version"),
        Index(None, "model_version", "number"),
    )


class Flag(Row):
    """A user says that a prediction is wrong, and why; a reviewer closes it.

    ``resolution``: empty while open, then ``confirmed`` or ``dismissed``, with an ``answer``.
    """

    __tablename__ = "flags"

    id: Mapped[Key]
    wafer_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("wafers.id", ondelete="CASCADE")
    )
    prediction_id: Mapped[str | None] = mapped_column(
        String(ID_LENGTH), ForeignKey("predictions.id", ondelete="SET NULL"), index=True
    )
    user_id: Mapped[UserKey]
    label: Mapped[str] = mapped_column(String(60), default="")
    note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Made]
    resolution: Mapped[str] = mapped_column(String(20), default="")
    answer: Mapped[str] = mapped_column(Text, default="")
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None] = mapped_column(String(ID_LENGTH), ForeignKey("users.id"))

    __table_args__ = (
        Index(None, "wafer_id", "id"),
        Index(None, "user_id", "id"),
        Index(None, "resolution", "id"),
    )

    @property
    def state(self) -> str:
        """Whether it is open, confirmed or dismissed."""
        return self.resolution or "open"


class Cause(Row):
    """What a pattern turned out to be."""

    __tablename__ = "causes"

    id: Mapped[Key]
    wafer_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("wafers.id", ondelete="CASCADE")
    )
    user_id: Mapped[UserKey]
    label: Mapped[str] = mapped_column(String(60), default="")
    cause: Mapped[Name]
    note: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[Made]
    updated_at: Mapped[Made]

    __table_args__ = (
        Index(None, "wafer_id", "id"),
        Index(None, "user_id", "id"),
        Index(None, "label", "id"),
    )


class RetentionRule(Row):
    """How long wafers of a product are kept; an empty product stands for all of them."""

    __tablename__ = "retention_rules"

    id: Mapped[Key]
    product: Mapped[str] = mapped_column(String(200), default="", unique=True)
    days: Mapped[int]
    user_id: Mapped[UserKey]
    created_at: Mapped[Made]
