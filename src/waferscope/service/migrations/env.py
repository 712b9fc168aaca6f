"""How Alembic runs here: over the engine that `migrate` hands in, blind to the jobs' own tables."""

from __future__ import annotations

from typing import Any

from alembic import context

from waferscope.service.migrate import lock_statement
from waferscope.service.tables import Row


def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Return whether a table is one of ours; DBOS keeps its own beside them."""
    return kind != "table" or name in Row.metadata.tables


def run() -> None:
    """Run the migrations in one transaction."""
    engine = context.config.attributes["engine"]
    with engine.execution_options(writing=True).connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Row.metadata,
            include_name=is_ours,
            compare_type=True,
            transactional_ddl=True,  # Alembic holds SQLite for unable and commits step by step
            render_as_batch=connection.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            lock = lock_statement(connection.dialect.name)
            if lock is not None:
                connection.execute(lock)
            context.run_migrations()


run()
