"""Migrations: up, down and up again, on both databases, and they make the tables that are drawn."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.service.conftest import EMBEDDED, run_sql
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
from waferscope.service.tables import AuditEntry, Milestone, Row, User

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


def test_each_step_goes_back_and_forth_with_data_in_it(empty: sa.Engine) -> None:
    upgrade(empty)
    with empty.execution_options(writing=True).begin() as connection:
        person = {"id": "usr_1", "name": "ada", "role": "admin"}
        connection.execute(sa.insert(User), person)
        connection.execute(sa.insert(Milestone), {"name": "a"})
        entry = {"actor": "ada", "action": "x", "detail": {"n": 1}}
        connection.execute(sa.insert(AuditEntry), entry)
    steps = len(list(ScriptDirectory.from_config(_config(empty)).walk_revisions()))
    for back in range(1, steps):
        downgrade(empty, f"-{back}")
        upgrade(empty)
        with empty.connect() as connection:
            assert connection.scalar(sa.select(User.name)) == "ada"
            assert connection.scalar(sa.select(AuditEntry.detail)) == {"n": 1}


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
