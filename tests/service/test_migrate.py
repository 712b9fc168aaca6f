"""Migrations: up, down and up again, on both databases, and they make the tables that are drawn."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.service.conftest import EMBEDDED, run_sql
from tests.service.filled import ROWS
from waferscope.errors import ConfigError
from waferscope.service.db import build_engine
from waferscope.service.migrate import (
    MIGRATIONS,
    _config,
    current,
    downgrade,
    newest,
    require_newest,
    upgrade,
)
from waferscope.service.tables import AuditEntry, Lot, Row, Wafer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """An engine of a database without any table."""
    if backend == EMBEDDED:
        engine = build_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    else:
        server = str(request.getfixturevalue("postgresql_server"))
        run_sql(server, "DROP DATABASE IF EXISTS empty_house")
        run_sql(server, "CREATE DATABASE empty_house")
        url = server.replace("postgresql://", "postgresql+psycopg://", 1)
        engine = build_engine(f"{url}empty_house")
    yield engine
    engine.dispose()


def ours(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names()) & set(Row.metadata.tables)


def test_up_down_and_up_again(empty: sa.Engine) -> None:
    assert current(empty) is None
    for _ in range(2):
        upgrade(empty)
        assert current(empty) == newest(empty)
        assert ours(empty) == set(Row.metadata.tables)
        downgrade(empty)
        assert current(empty) is None
        assert ours(empty) == set()


Kept = dict[str, list[dict[str, Any]]]


def fill(engine: sa.Engine) -> Kept:
    """Put the rows of `filled.ROWS` into a database; return what it holds then."""
    assert {table.__tablename__ for table in ROWS} == set(Row.metadata.tables)
    with change(engine) as connection:
        for table, rows in ROWS.items():
            for row in rows:
                connection.execute(sa.insert(table), row)
    return content(engine)


def content(engine: sa.Engine) -> Kept:
    """Every row of every table of ours, as the database itself says that they are."""
    with engine.connect() as connection:
        return {name: rows_of(connection, as_it_is(connection, name)) for name in ours(engine)}


def as_it_is(connection: sa.Connection, name: str) -> sa.Table:
    return sa.Table(name, sa.MetaData(), autoload_with=connection, resolve_fks=False)


def rows_of(connection: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    rows = connection.execute(sa.select(table)).mappings()
    return sorted((dict(row) for row in rows), key=repr)


def put_back(engine: sa.Engine, kept: Kept) -> None:
    """Add rows to tables that were dropped and made again."""
    with change(engine) as connection:
        for table in ROWS:
            if rows := kept.get(table.__tablename__):
                connection.execute(sa.insert(as_it_is(connection, table.__tablename__)), rows)


def change(engine: sa.Engine) -> AbstractContextManager[sa.Connection]:
    return engine.execution_options(writing=True).begin()


def revisions(engine: sa.Engine) -> list[str]:
    """From the first to the newest."""
    walked = ScriptDirectory.from_config(_config(engine)).walk_revisions()
    return [script.revision for script in walked][::-1]


def tables_by_revision(engine: sa.Engine) -> dict[str, set[str]]:
    """Bring an empty database up step by step; return which tables there are after each."""
    found = {"base": ours(engine)}
    for revision in revisions(engine):
        upgrade(engine, revision)
        found[revision] = ours(engine)
    return found


def test_each_step_makes_tables_or_indexes(empty: sa.Engine) -> None:
    found = tables_by_revision(empty)
    assert found["base"] == set()
    assert {"users", "audit"} <= found["0001"]
    assert {"wafers", "predictions", "flags"} <= found["0002"] - found["0001"]
    assert {"batches", "webhooks", "milestones"} <= found["0003"] - found["0002"]
    assert found[revisions(empty)[-1]] == set(Row.metadata.tables)


def test_step_by_step_down_and_up_with_data_in_every_table(empty: sa.Engine) -> None:
    tables = tables_by_revision(empty)
    full = fill(empty)
    assert all(full[name] for name in Row.metadata.tables)
    way = ["base", *revisions(empty)]
    for revision in way[-2::-1]:
        downgrade(empty, revision)
        assert content(empty) == {name: full[name] for name in tables[revision]}, revision
    for before, revision in pairwise(way):
        upgrade(empty, revision)
        new = {name: full[name] for name in tables[revision] - tables[before]}
        stayed = {name: full[name] for name in tables[before]}
        assert content(empty) == stayed | {name: [] for name in new}, revision
        put_back(empty, new)
    assert content(empty) == full


def test_from_each_step_straight_back_with_data_in_every_table(empty: sa.Engine) -> None:
    tables = tables_by_revision(empty)
    full = fill(empty)
    for revision in ["base", *revisions(empty)][-2::-1]:
        downgrade(empty, revision)
        assert ours(empty) == tables[revision]
        upgrade(empty)
        gone = Row.metadata.tables.keys() - tables[revision]
        stayed = {name: full[name] for name in tables[revision]}
        assert content(empty) == stayed | {name: [] for name in gone}, revision
        put_back(empty, {name: full[name] for name in gone})
        assert content(empty) == full


def test_what_guards_rows_is_there_again_after_a_way_down_and_up(empty: sa.Engine) -> None:
    upgrade(empty)
    full = fill(empty)
    downgrade(empty)
    upgrade(empty)
    put_back(empty, full)
    with pytest.raises(sa.exc.DBAPIError, match="audit"), change(empty) as connection:
        connection.execute(sa.update(AuditEntry).values(actor="eve"))
    with pytest.raises(sa.exc.IntegrityError), change(empty) as connection:
        connection.execute(sa.delete(Lot))
    with change(empty) as connection:
        connection.execute(sa.delete(Wafer).where(Wafer.id == "waf_1"))
    left = content(empty)
    assert [row["id"] for row in left["predictions"]] == ["pred_3"]
    assert left["flags"] == left["causes"] == left["embeddings"] == left["wafer_labels"] == []
    assert [row["wafer_id"] for row in left["upload_wafers"]] == ["waf_2"]


def test_the_tables_are_those_that_are_drawn(empty: sa.Engine) -> None:
    upgrade(empty)
    tables = Row.metadata.tables

    def elsewhere(difference: tuple[object, ...]) -> bool:
        """Whether it is an index that only PostgreSQL has."""
        index = difference[1]
        using = isinstance(index, sa.Index) and index.dialect_kwargs.get("postgresql_using")
        return bool(using) and empty.dialect.name != "postgresql"

    with empty.connect() as connection:
        seen = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or name in tables,
            },
        )
        differences = [one for one in compare_metadata(seen, Row.metadata) if not elsewhere(one)]
    assert differences == []


def test_an_old_or_empty_database_is_refused(empty: sa.Engine) -> None:
    with pytest.raises(ConfigError, match="an empty one"):
        require_newest(empty)
    upgrade(empty, "0001")
    with pytest.raises(ConfigError, match="0001"):
        require_newest(empty)
    upgrade(empty)
    require_newest(empty)


def test_several_may_begin_at_once(empty: sa.Engine) -> None:
    url = empty.url.render_as_string(hide_password=False)
    code = (
        "import sys; from waferscope.service.db import build_engine; "
        "from waferscope.service.migrate import upgrade; upgrade(build_engine(sys.argv[1]))"
    )
    paths = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    started = [subprocess.Popen([sys.executable, "-c", code, url], env=paths) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert current(empty) == newest(empty)


def test_all_steps_are_one_transaction(empty: sa.Engine) -> None:
    """Between two of them another process could take the next one."""
    commits: list[sa.Connection] = []
    sa.event.listen(empty, "commit", commits.append)
    upgrade(empty)
    assert len(commits) == 1
    assert current(empty) == newest(empty)


def test_the_wheel_carries_the_migrations(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for path in MIGRATIONS.rglob("*.py"):
        assert str(path.relative_to(ROOT / "src")) in names
