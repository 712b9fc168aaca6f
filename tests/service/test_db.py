"""Transactions: kept whole or not at all; and what the database says of itself."""

from __future__ import annotations

import threading
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import exc

from tests.service.conftest import People
from waferscope.errors import (
    FullError,
    IdentityError,
    InputError,
    NotFoundError,
    UnavailableError,
    WaferScopeError,
)
from waferscope.service.db import Reads, Records, Writes, translated
from waferscope.service.errors import add_error_answers
from waferscope.service.parts import Parts
from waferscope.service.tables import Milestone
from waferscope.service.tables.row import now


def reached(records: Records) -> set[str]:
    with records.reading() as session:
        return set(session.scalars(sa.select(Milestone.name)))


def test_what_is_written_is_kept_at_the_end(records: Records) -> None:
    with records.writing() as session:
        session.add(Milestone(name="a"))
        assert reached(records) == set()
    assert reached(records) == {"a"}


@pytest.mark.parametrize(
    ("error", "kept"),
    [(NotFoundError("x"), False), (KeyError("x"), False), (IdentityError("x"), True)],
    ids=lambda value: type(value).__name__,
)
def test_an_error_undoes_it_unless_it_is_to_be_remembered(
    records: Records, error: Exception, kept: bool
) -> None:
    def fail() -> None:
        with records.writing() as session:
            session.add(Milestone(name="a"))
            session.flush()
            raise error

    with pytest.raises(type(error)):
        fail()
    assert reached(records) == ({"a"} if kept else set())


def test_reading_keeps_nothing(records: Records, backend: str) -> None:
    with records.reading() as session:
        session.add(Milestone(name="a"))
        if backend == "servers":  # PostgreSQL refuses, SQLite forgets
            with pytest.raises(exc.DBAPIError, match="read-only"):
                session.flush()
    assert reached(records) == set()


def test_looking_holds_no_snapshot_and_stops_nobody(records: Records, backend: str) -> None:
    names = sa.select(Milestone.name)
    with records.looking() as connection:
        assert connection.execute(names).all() == []
        assert connection.connection.dbapi_connection is not None
        with records.writing() as session:
            session.add(Milestone(name="a"))
        assert connection.execute(names).scalars().all() == ["a"]
        if backend == "embedded":
            assert not connection.connection.dbapi_connection.in_transaction
        else:
            with pytest.raises(exc.DBAPIError, match="read-only"):
                connection.execute(sa.insert(Milestone).values(name="b", at=now()))


def test_writers_wait_for_each_other(records: Records) -> None:
    def count() -> None:
        for _ in range(10):
            with records.writing() as session:
                one = session.get_one(Milestone, "n", with_for_update=True)
                name = session.scalar(sa.select(sa.func.count()).select_from(Milestone))
                session.add(Milestone(name=f"{threading.get_ident()}-{name}"))
                assert one.name == "n"

    with records.writing() as session:
        session.add(Milestone(name="n"))
    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reached(records)) == 41


def test_sqlite_is_set_up_as_the_house_wants(records: Records, backend: str) -> None:
    if backend == "embedded":
        with records.engine.connect() as connection:
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "foreign_keys", "busy_timeout")
            }
        assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000}


def test_what_no_database_holds_is_the_callers_mistake(records: Records, backend: str) -> None:
    strange = "a\x00b" if backend == "servers" else 2**70
    with pytest.raises(InputError), records.writing() as session:
        session.execute(sa.select(sa.literal(strange)))


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize(
    "path",
    ["/wafers?since=", "/wafers?until=", "/audit?since=", "/audit?until=", "/trends?since="],
)
def test_an_instant_beyond_the_calendar_is_the_callers_mistake(
    people: People, path: str, at: str
) -> None:
    answer = people("admin").get(path + quote(at))
    assert answer.status_code == 422
    assert "beyond the calendar" in answer.json()["detail"]


def test_errors_tell_no_parameters(records: Records) -> None:
    def ask() -> None:
        with records.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1 FROM nothing WHERE a = :a"), {"a": "kelp-orbit"})

    with pytest.raises(exc.DBAPIError) as caught:
        ask()
    assert "kelp-orbit" not in str(caught.value)


class ToldError(Exception):
    """What a driver says."""

    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            exc.OperationalError("x", {}, ToldError("server closed the connection")),
            UnavailableError,
        ),
        (exc.InterfaceError("x", {}, ToldError("connection is lost")), UnavailableError),
        (exc.OperationalError("x", {}, ToldError("no space", "53100")), FullError),
        (exc.TimeoutError("QueuePool limit"), UnavailableError),
        (exc.DataError("x", {}, ToldError("out of range")), InputError),
        (exc.ProgrammingError("x", {}, ToldError("no such column")), exc.ProgrammingError),
        (exc.StatementError("x", "SELECT", {}, OverflowError("date out of range")), InputError),
        (exc.StatementError("x", "SELECT", {}, ValueError("naive")), exc.StatementError),
    ],
    ids=["gone", "lost", "full", "pool", "data", "defect", "calendar", "zone"],
)
def test_what_the_database_says_becomes_an_error_of_the_house(
    error: Exception, expected: type[Exception]
) -> None:
    with pytest.raises(expected), translated():
        raise error


def test_a_full_file_is_told_from_a_busy_one(records: Records, backend: str) -> None:
    if backend == "embedded":
        many = [{"name": f"{number}-" + "x" * 50, "at": now()} for number in range(20_000)]
        pages = sa.text("PRAGMA max_page_count = 1")  # no more than there are already

        def fill() -> None:
            with records.writing() as session:
                session.execute(pages)
                session.execute(sa.insert(Milestone), many)

        with pytest.raises(FullError):
            fill()


def test_a_database_out_of_reach_is_said() -> None:
    records = Records("postgresql+psycopg://nobody@127.0.0.1:9/none")
    with pytest.raises(UnavailableError) as caught:
        records.ping()
    assert caught.value.retry_after > 0


def test_the_answer_leaves_after_the_commit(house: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    app = FastAPI()
    app.state.parts = house
    add_error_answers(app)

    @app.post("/write")
    def write(session: Writes) -> str:
        session.add(Milestone(name="a"))
        return "done"

    @app.get("/read")
    def read(session: Reads) -> int:
        return len(list(session.scalars(sa.select(Milestone))))

    def fail(*_: object) -> None:
        raise exc.OperationalError("commit", {}, ToldError("gone"))

    with TestClient(app) as client:
        assert client.post("/write").json() == "done"
        assert client.get("/read").json() == 1
        monkeypatch.setattr("sqlalchemy.orm.Session.commit", fail)
        answer = client.post("/write")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_only_errors_that_say_so_keep_changes() -> None:
    keeping = {kind.__name__ for kind in WaferScopeError.__subclasses__() if kind.keeps_changes}
    assert keeping == set()
    assert IdentityError.keeps_changes
