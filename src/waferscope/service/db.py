"""The records: one engine, and the only place where a transaction is committed.

A route asks for `Reads` or `Writes`; a job step opens ``records.reading()`` or ``writing()``.
Either way the transaction ends with the request or the step: kept if it went well, undone if not.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url, text
from sqlalchemy.orm import Session, sessionmaker

from waferscope.errors import FullError, InputError, UnavailableError, WaferScopeError
from waferscope.service.turns import Turns

BUSY_MS: Final = 10_000
"""How long a writer waits for another one on SQLite."""
POOL_SIZE: Final = 10
POOL_WAIT_S: Final = 5
CONNECT_S: Final = 3
LOOKUPS: Final = 8
"""Short reads of one process at a time, where another process answers them."""
DISK_FULL: Final = {"53100", "53200"}
"""SQLSTATEs of PostgreSQL without disk or memory."""


class Records:
    """The database of the records, SQLite or PostgreSQL; close it with ``close()``.

    ``lookups`` runs the short reads that every request begins with. SQLite answers them in this
    process, where more threads would only contend for the interpreter.
    """

    def __init__(self, url: str) -> None:
        self.engine: Final[Engine] = build_engine(url)
        read_only = self.engine.execution_options(postgresql_readonly=True)
        self._reads = sessionmaker(read_only, expire_on_commit=False)
        self._looks: Final[Engine] = read_only.execution_options(looking=True)
        self.write_engine: Final[Engine] = self.engine.execution_options(writing=True)
        self._writes = sessionmaker(self.write_engine, expire_on_commit=False)
        self.lookups: Final = Turns("lookups", 1 if _is_sqlite(url) else LOOKUPS)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that only reads; nothing of it is kept."""
        with translated(), self._reads() as session:
            yield session

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Give a connection for a single question: what every request asks costs half as much so.

        SQLite begins no transaction for it, and rows come as they are, not as objects. It only
        reads: there would be nothing to undo a change with.
        """
        with translated(), self._looks.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose changes are kept at the end, all of them or none.

        An error undoes them, unless its class says ``keeps_changes``: a refused login is counted.
        """
        with translated(), self._writes() as session:
            try:
                yield session
            except WaferScopeError as error:
                if error.keeps_changes:
                    session.commit()
                raise
            session.commit()

    def ping(self) -> None:
        """Ask the database for an answer. Raises UnavailableError when there is none."""
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give back every connection."""
        self.lookups.close()
        self.engine.dispose()


def build_engine(url: str) -> Engine:
    """Return an engine with the settings of the house: WAL, foreign keys and waits that end.

    Its errors tell no parameters: they hold digests of passwords and what a fab calls its wafers.
    """
    if not _is_sqlite(url):
        return create_engine(
            url,
            pool_size=POOL_SIZE,
            max_overflow=POOL_SIZE,
            pool_timeout=POOL_WAIT_S,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_S},
        )
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=2 * POOL_SIZE,
        pool_timeout=POOL_WAIT_S,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _is_sqlite(url: str) -> bool:
    return make_url(url).get_backend_name() == "sqlite"


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not guessed by the driver
    for pragma in (f"busy_timeout={BUSY_MS}", "foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    _use_wal(connection)


def _use_wal(connection: Any) -> None:
    """Let readers and a writer work side by side; a new file is switched once, and stays so."""
    end = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:  # the switch does not wait by itself
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: one that reads first could not upgrade beside another writer.
    options = connection.get_execution_options()
    if not options.get("looking", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writing", False) else "BEGIN")


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the database says of its own state into errors of the house."""
    try:
        yield
    except exc.TimeoutError as error:
        raise UnavailableError("The database has no free connection. Try again.") from error
    except (exc.DataError, OverflowError) as error:
        raise _too_large() from error
    except exc.DBAPIError as error:
        if not isinstance(error, exc.OperationalError | exc.InterfaceError | exc.InternalError):
            raise
        raise _explain(error) from error
    except exc.StatementError as error:
        if not isinstance(error.orig, OverflowError):
            raise
        raise _too_large() from error  # an instant that is beyond the calendar in UTC


def _too_large() -> InputError:
    return InputError(
        "Expected values that the database can hold, got one with a NUL, too large a number or a "
        "date beyond the calendar. Correct it."
    )


def _explain(error: exc.DBAPIError) -> WaferScopeError:
    cause = error.orig
    full_file = isinstance(cause, sqlite3.OperationalError) and "is full" in str(cause)
    if full_file or getattr(cause, "sqlstate", None) in DISK_FULL:
        return FullError("The database has no room left. Free some disk, then try again.")
    return UnavailableError("The database cannot be reached or is busy. Try again.")


def records_of(request: Request) -> Records:
    """Return the records of the app that answers the request."""
    records: Records = request.app.state.parts.records
    return records


def _reading(request: Request) -> Iterator[Session]:
    with records_of(request).reading() as session:
        yield session


def _writing(request: Request) -> Iterator[Session]:
    with records_of(request).writing() as session:
        yield session


Reads = Annotated[Session, Depends(_reading, scope="function")]
"""A session for a route that changes nothing."""
Writes = Annotated[Session, Depends(_writing, scope="function")]
"""A session for a route that changes something: committed before the answer leaves."""
