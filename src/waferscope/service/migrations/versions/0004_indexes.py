"""The indexes of every list, and of every row that is deleted with another one."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INDEXES = (
    ("api_keys", "user_id"),
    ("audit", "action", "id"),
    ("audit", "actor_id", "id"),
    ("audit", "at"),
    ("audit", "target", "id"),
    ("batch_items", "batch_id", "state", "position"),
    ("batches", "created_at"),
    ("batches", "state", "id"),
    ("batches", "user_id", "id"),
    ("causes", "label", "id"),
    ("causes", "user_id", "id"),
    ("causes", "wafer_id", "id"),
    ("deliveries", "created_at"),
    ("deliveries", "webhook_id", "id"),
    ("embeddings", "model_version", "number"),
    ("flags", "prediction_id"),
    ("flags", "resolution", "id"),
    ("flags", "user_id", "id"),
    ("flags", "wafer_id", "id"),
    ("idempotency_keys", "created_at"),
    ("lots", "created_at"),
    ("lots", "product", "id"),
    ("predictions", "created_at"),
    ("predictions", "user_id"),
    ("predictions", "wafer_id", "id"),
    ("refresh_tokens", "sitting_id"),
    ("sittings", "expires_at"),
    ("sittings", "user_id"),
    ("upload_wafers", "wafer_id"),
    ("uploads", "created_at"),
    ("uploads", "sha256"),
    ("uploads", "user_id"),
    ("wafer_labels", "label", "kind", "wafer_id"),
    ("wafers", "dated", "id"),
    ("wafers", "deleted_at"),
    ("wafers", "lot", "dated", "id"),
    ("wafers", "lot_id", "id"),
    ("wafers", "product", "dated", "id"),
    ("wafers", "product", "step", "dated", "id"),
    ("wafers", "severity_level", "dated", "id"),
    ("wafers", "step", "dated", "id"),
    ("wafers", "tester", "dated", "id"),
    ("wafers", "upload_id"),
    ("wafers", "user_id"),
    ("wafers", "yield_share", "id"),
    ("webhooks", "user_id"),
    ("workers", "seen_at"),
)
"""The table and the columns of each; the name is made of both."""
WORST = "ix_wafers_worst"
WORDS = "ix_wafers_text"


def upgrade() -> None:
    """Make the indexes. PostgreSQL finds a part of a text by its trigrams."""
    for table, *columns in INDEXES:
        op.create_index(_name(table, columns), table, columns)
    op.create_index(WORST, "wafers", [text("coalesce(severity, -1)"), "id"])
    if op.get_context().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        op.execute(f"CREATE INDEX {WORDS} ON wafers USING gin (text gin_trgm_ops)")


def downgrade() -> None:
    """Drop them."""
    if op.get_context().dialect.name == "postgresql":
        op.drop_index(WORDS, "wafers")
    op.drop_index(WORST, "wafers")
    for table, *columns in reversed(INDEXES):
        op.drop_index(_name(table, columns), table)


def _name(table: str, columns: list[str]) -> str:
    return f"ix_{table}_{'_'.join(columns)}"
