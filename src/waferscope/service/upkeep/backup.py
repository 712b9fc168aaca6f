"""One file that holds everything: records, jobs and blobs, whatever database they came from.

A tar file: ``manifest.json``, ``records/TABLE.jsonl`` and ``blobs/NAME``. The records are seen at
one instant at which every blob that they speak of is in the file. This takes no lock, and nobody
who writes or deletes has to know of it: blobs go only after the commit that takes their rows, so
one that is missing was deleted if a later look at the records does not find it named any more, and
then another instant is taken. What was copied before, and is not named at that instant, is left
out by the restore. A backup of SQLite may be restored into PostgreSQL, and the other way round.

The audit trail names both. A backup is in it before it begins: no copy of everything is made
without a trace, and it is in the copy too.
"""

from __future__ import annotations

import base64
import io
import json
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from sqlalchemy import Connection, DateTime, Engine, LargeBinary, Table
from sqlalchemy.types import TypeEngine

import waferscope
from waferscope.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from waferscope.service.auth.identity import SYSTEM
from waferscope.service.migrate import current, require_newest, upgrade
from waferscope.service.parts import Parts
from waferscope.service.store import record
from waferscope.service.tables.row import Instant
from waferscope.service.upkeep import store

MANIFEST: Final = "manifest.json"
RECORDS: Final = "records/"
BLOBS: Final = "blobs/"
FORMAT: Final = 1
SPOOL_BYTES: Final = 32_000_000
LOOKS: Final = 100
"""Instants that are tried: each has to copy only what is new since the one before."""


def back_up(house: Parts, path: Path) -> dict[str, int]:
    """Write a backup; return how many rows and blobs it holds. The file appears when it is whole.

    A blob that a row speaks of and that is lost already does not stop it; `check` names those.
    Raises ConflictError when there is a file already, UnavailableError when so much is being
    deleted that no instant can be caught.
    """
    if path.exists():
        raise ConflictError(f"Expected a new file, got {str(path)!r}. Take another name.")
    require_newest(house.records.engine)
    with house.records.writing() as session:
        record(session, SYSTEM, "upkeep.backup", file=str(path))
    part = path.with_name(path.name + ".part")
    try:
        with tarfile.open(part, "w") as archive:
            copied: set[str] = set()
            _copy(house, archive, _named(house), copied)  # most of it, while nothing is held open
            looks = (_put_instant(house, archive, copied) for _ in range(LOOKS))
            counts = next((counts for counts in looks if counts is not None), None)
        if counts is None:
            raise UnavailableError(
                f"Expected a moment in which no blob is deleted, found none in {LOOKS} looks. "
                "Try again when less is being deleted."
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return counts


def _put_instant(house: Parts, archive: tarfile.TarFile, copied: set[str]) -> dict[str, int] | None:
    """Put the records of this instant, and what blobs they need and were not copied yet.

    Return how many rows and blobs there are; None, and no record is put, when a blob was deleted
    before it could be copied.
    """
    with store.snapshot(house.records.engine) as connection, connection.begin():
        named = _all_named(connection)
        missing = _copy(house, archive, named - copied, copied)
        if missing and not missing <= _named(house):
            return None
        rows = _put_records(house.records.engine, connection, archive)
    return {"rows": rows, "blobs": len(named & copied)}


def _named(house: Parts) -> set[str]:
    with house.records.reading() as session:
        return _all_named(session.connection())


def _all_named(connection: Connection) -> set[str]:
    return {*store.blobs_of_rows(connection), *store.blobs_of_jobs(connection)}


def _copy(house: Parts, archive: tarfile.TarFile, names: set[str], copied: set[str]) -> set[str]:
    """Copy blobs, note which, and return the names of those that are not there."""
    missing = set()
    for name in sorted(names):
        try:
            content = house.blobs.get(name)
        except NotFoundError:
            missing.add(name)
        else:
            _put(archive, BLOBS + name, content)
            copied.add(name)
    return missing


def _put_records(engine: Engine, connection: Connection, archive: tarfile.TarFile) -> int:
    tables = store.all_tables(connection)
    manifest = {
        "format": FORMAT,
        "version": waferscope.__version__,
        "revision": current(engine),
        "tables": [table.name for table in tables],
    }
    _put(archive, MANIFEST, json.dumps(manifest).encode())
    count = 0
    for table in tables:
        with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
            for row in store.rows_of(connection, table):
                spool.write(json.dumps(_plain(row)).encode() + b"\n")
                count += 1
            _put_file(archive, f"{RECORDS}{table.name}.jsonl", spool)
    return count


def restore(house: Parts, path: Path) -> dict[str, int]:
    """Fill an empty installation from a backup; return how many rows and blobs it got.

    Raises ConflictError unless it is empty, FormatError for a file that is no such backup.
    """
    engine = house.records.engine
    with engine.connect() as connection:
        if not store.is_empty(connection):
            raise ConflictError(
                "Expected an empty installation, got one with users. "
                "Point WAFERSCOPE_RECORDS_URL at a new database."
            )
    try:
        with tarfile.open(path) as archive:
            manifest = _read_manifest(archive, path)
            upgrade(engine)
            counts = _fill(house, archive, manifest)
    except tarfile.TarError as error:
        raise _no_backup(path) from error
    with house.records.writing() as session:
        rows, blobs = counts["rows"], counts["blobs"]
        record(session, SYSTEM, "upkeep.restore", file=str(path), rows=rows, blobs=blobs)
    return counts


def _fill(house: Parts, archive: tarfile.TarFile, manifest: Mapping[str, Any]) -> dict[str, int]:
    rows = blobs = 0
    with house.records.write_engine.begin() as connection:
        tables = {table.name: table for table in store.all_tables(connection)}
        for name in manifest["tables"]:
            member = archive.extractfile(f"{RECORDS}{name}.jsonl")
            if member is not None and name in tables:
                rows += _fill_table(connection, tables[name], member)
        store.go_on_counting(connection)
        named = _all_named(connection)
        for entry in archive:
            name = entry.name.removeprefix(BLOBS)
            if name in named and entry.name.startswith(BLOBS) and entry.isfile():
                content = archive.extractfile(entry)
                assert content is not None
                house.blobs.put(name, content.read())
                blobs += 1
    return {"rows": rows, "blobs": blobs}


def _fill_table(connection: Connection, table: Table, lines: IO[bytes]) -> int:
    count = 0
    for chunk in _chunks(lines):
        store.fill(connection, table, [_rich(table, json.loads(line)) for line in chunk])
        count += len(chunk)
    return count


def _chunks(lines: IO[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == store.CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _read_manifest(archive: tarfile.TarFile, path: Path) -> dict[str, Any]:
    try:
        member = archive.extractfile(MANIFEST)
        manifest = json.loads(member.read()) if member is not None else {}
    except (KeyError, ValueError) as error:
        raise _no_backup(path) from error
    if manifest.get("format") != FORMAT:
        raise _no_backup(path)
    return dict(manifest)


def _no_backup(path: Path) -> FormatError:
    return FormatError(
        f"Expected a backup made by `waferscope admin backup`, got {str(path)!r}. Check the file."
    )


def _put(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    _put_file(archive, name, io.BytesIO(content))


def _put_file(archive: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = content.seek(0, io.SEEK_END)
    entry.mtime = int(time.time())
    entry.mode = 0o600
    content.seek(0)
    archive.addfile(entry, content)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON can hold it: instants as text, bytes in base 64."""
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _rich(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row as the table's columns want it."""
    return {name: _rich_value(table.c[name].type, value) for name, value in row.items()}


def _rich_value(kind: TypeEngine[Any], value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if isinstance(kind, DateTime | Instant):
        return datetime.fromisoformat(value)
    return base64.b64decode(value) if isinstance(kind, LargeBinary) else value
