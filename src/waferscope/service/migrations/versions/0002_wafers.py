"""Lots, uploads, wafers, predictions and what was remarked on them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    "lots",
    "uploads",
    "wafers",
    "upload_wafers",
    "wafer_labels",
    "predictions",
    "embeddings",
    "flags",
    "causes",
    "retention_rules",
)


def upgrade() -> None:
    """Make the tables."""
    _lots()
    _uploads()
    _wafers()
    _upload_wafers()
    _wafer_labels()
    _predictions()
    _embeddings()
    _flags()
    _causes()
    _retention_rules()


def downgrade() -> None:
    """Drop them."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _lots() -> None:
    op.create_table(
        "lots",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("product", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lots"),
        sa.UniqueConstraint("name", "product", name="uq_lots_name_product"),
    )


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("format", sa.String(length=30), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("blob", sa.String(length=200), nullable=False),
        sa.Column("wafers_new", sa.Integer(), nullable=False),
        sa.Column("wafers_known", sa.Integer(), nullable=False),
        sa.Column("predicts", sa.Boolean(), nullable=False),
        sa.Column("batch_id", sa.String(length=40), nullable=True),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("failures", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_uploads_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )


def _wafers() -> None:
    op.create_table(
        "wafers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("lot_id", sa.String(length=40), nullable=False),
        sa.Column("upload_id", sa.String(length=40), nullable=True),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("blob", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("lot", sa.String(length=200), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("product", sa.String(length=200), nullable=False),
        sa.Column("step", sa.String(length=200), nullable=False),
        sa.Column("tester", sa.String(length=200), nullable=False),
        sa.Column("tested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("format", sa.String(length=30), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("cols", sa.Integer(), nullable=False),
        sa.Column("dies", sa.Integer(), nullable=False),
        sa.Column("fails", sa.Integer(), nullable=False),
        sa.Column("yield_share", sa.Float(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("prediction_id", sa.String(length=40), nullable=True),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("severity", sa.Float(), nullable=True),
        sa.Column("severity_level", sa.String(length=20), nullable=False),
        sa.Column("dated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name="fk_wafers_lot_id"),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], name="fk_wafers_upload_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_wafers_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_wafers"),
        sa.UniqueConstraint("content", name="uq_wafers_content"),
    )


def _upload_wafers() -> None:
    op.create_table(
        "upload_wafers",
        sa.Column("upload_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wafer_id", sa.String(length=40), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["uploads.id"], name="fk_upload_wafers_upload_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["wafer_id"], ["wafers.id"], name="fk_upload_wafers_wafer_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("upload_id", "position", name="pk_upload_wafers"),
    )


def _wafer_labels() -> None:
    op.create_table(
        "wafer_labels",
        sa.Column("wafer_id", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("dies", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["wafer_id"], ["wafers.id"], name="fk_wafer_labels_wafer_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("wafer_id", "label", "kind", name="pk_wafer_labels"),
    )


def _predictions() -> None:
    op.create_table(
        "predictions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("wafer_id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("model_version", sa.String(length=60), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("options_sha", sa.String(length=64), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("patterns", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("severity", sa.Float(), nullable=False),
        sa.Column("severity_level", sa.String(length=20), nullable=False),
        sa.Column("blob", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_predictions_user_id"),
        sa.ForeignKeyConstraint(
            ["wafer_id"], ["wafers.id"], name="fk_predictions_wafer_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_predictions"),
        sa.UniqueConstraint(
            "wafer_id",
            "model_version",
            "options_sha",
            name="uq_predictions_wafer_id_model_version_options_sha",
        ),
    )


def _embeddings() -> None:
    op.create_table(
        "embeddings",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("wafer_id", sa.String(length=40), nullable=False),
        sa.Column("model_version", sa.String(length=60), nullable=False),
        sa.Column("size", sa.SmallInteger(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["wafer_id"], ["wafers.id"], name="fk_embeddings_wafer_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_embeddings"),
        sa.UniqueConstraint(
            "wafer_id", "model_version", name="uq_embeddings_wafer_id_model_version"
        ),
    )


def _flags() -> None:
    op.create_table(
        "flags",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("wafer_id", sa.String(length=40), nullable=False),
        sa.Column("prediction_id", sa.String(length=40), nullable=True),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolution", sa.String(length=20), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["closed_by"], ["users.id"], name="fk_flags_closed_by"),
        sa.ForeignKeyConstraint(
            ["prediction_id"],
            ["predictions.id"],
            name="fk_flags_prediction_id",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_flags_user_id"),
        sa.ForeignKeyConstraint(
            ["wafer_id"], ["wafers.id"], name="fk_flags_wafer_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_flags"),
    )


def _causes() -> None:
    op.create_table(
        "causes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("wafer_id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_causes_user_id"),
        sa.ForeignKeyConstraint(
            ["wafer_id"], ["wafers.id"], name="fk_causes_wafer_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_causes"),
    )


def _retention_rules() -> None:
    op.create_table(
        "retention_rules",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("product", sa.String(length=200), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_retention_rules_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_retention_rules"),
        sa.UniqueConstraint("product", name="uq_retention_rules_product"),
    )
