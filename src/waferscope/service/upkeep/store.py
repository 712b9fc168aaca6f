"""The SQL of upkeep: whole tables out and in, and every blob that a row speaks of."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Engine, MetaData, Table, func, insert, inspect, select, text
from sqlalchemy.exc import SAWarning

from waferscope.service.storage import FAILURES, export_name
from waferscope.service.tables import Batch, Prediction, Row, Upload, User, Wafer

CHUNK: Final = 500
JOBS_SCHEMA: Final = "dbos"
BORN_WITH: Final = {"alembic_version", "dbos_migrations", "application_versions", "queues"}
"""Tables that a new database brings along filled: they are not restored."""


def snapshot(engine: Engine) -> Connection:
    """Return a connection that sees the database as it is now, whatever is written meanwhile."""
    if engine.dialect.name == "postgresql":
        return engine.connect().execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    return engine.connect()


def all_tables(connection: Connection) -> list[Table]:
    """Return the tables of records and jobs, each after those that it refers to."""
    found = MetaData()
    jobs_schema = JOBS_SCHEMA if connection.dialect.name == "postgresql" else None
    with warnings.catch_warnings():  # indexes by an expression are no part of a backup
        warnings.filterwarnings(
            "ignore", message="Skipped unsupported reflection", category=SAWarning
        )
        found.reflect(connection, schema=jobs_schema)
    ours = list(Row.metadata.sorted_tables)
    known = {table.name for table in ours} | BORN_WITH
    return ours + [table for table in found.sorted_tables if table.name not in known]


def rows_of(connection: Connection, table: Table) -> Iterator[Mapping[str, Any]]:
    """Yield every row of a table."""
    result = connection.execution_options(yield_per=CHUNK).execute(select(table))
    for row in result.mappings():
        yield dict(row)


def fill(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Put rows into a table."""
    if rows:
        connection.execute(insert(table), rows)


def go_on_counting(connection: Connection) -> None:
    """Let PostgreSQL number the next audit entry after the last one that was put in."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                "SELECT setval(pg_get_serial_sequence('audit', 'id'),"
                " greatest((SELECT max(id) FROM audit), 1))"
            )
        )


def is_empty(connection: Connection) -> bool:
    """Return whether the database has no users, or no tables at all."""
    if not inspect(connection).has_table(User.__tablename__):
        return True
    return connection.scalar(select(func.count()).select_from(User)) == 0


def blobs_of_rows(connection: Connection) -> Iterator[str]:
    """Yield the name of every blob that a row speaks of."""
    for column in (Wafer.blob, Upload.blob, Prediction.blob):
        yield from connection.scalars(
            select(column).where(column != "").execution_options(yield_per=CHUNK)
        )
    for results in connection.scalars(select(Batch.results).execution_options(yield_per=CHUNK)):
        yield from (str(name) for name in results.values())


def blobs_of_jobs(connection: Connection) -> Iterator[str]:
    """Yield the names of files that are not there yet, or whose job has still to tell a row."""
    running = select(Batch.id, Batch.request).where(Batch.finished_at.is_(None))
    for batch_id, request in connection.execute(running):
        yield from (export_name(batch_id, name) for name in (*request["formats"], FAILURES))
