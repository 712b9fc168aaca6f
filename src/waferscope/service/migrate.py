"""From an empty or older database to the tables of this version, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from dbos import DBOS
from sqlalchemy import Engine, TextClause, text

from waferscope.errors import ConfigError

MIGRATIONS: Final = Path(__file__).parent / "migrations"
LOCK: Final = 7_402_583
"""Number of the lock under which PostgreSQL lets one process migrate at a time."""


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine, to: str = "head") -> None:
    """Bring the tables up to a revision, the newest one by default, and those of DBOS to theirs."""
    command.upgrade(_config(engine), to)
    DBOS.migrate(engine.url.render_as_string(hide_password=False))


def downgrade(engine: Engine, to: str = "base") -> None:
    """Take the tables back to a revision; to none at all by default."""
    command.downgrade(_config(engine), to)


def current(engine: Engine) -> str | None:
    """Return the revision of the database, None if it is empty."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest(engine: Engine) -> str | None:
    """Return the revision that this version wants."""
    return ScriptDirectory.from_config(_config(engine)).get_current_head()


def require_newest(engine: Engine) -> None:
    """Raise ConfigError unless the database has the tables of this version."""
    found, wanted = current(engine), newest(engine)
    if found != wanted:
        raise ConfigError(
            f"Expected a database at revision {wanted}, got {found or 'an empty one'}. "
            "Start `waferscope serve` once: it brings the tables up to date."
        )


def lock_statement(dialect: str) -> TextClause | None:
    """Return the statement that keeps other processes from migrating meanwhile, if any."""
    return text(f"SELECT pg_advisory_xact_lock({LOCK})") if dialect == "postgresql" else None
