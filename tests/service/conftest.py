"""A running house for each test: once on SQLite, files and memory, once on real servers.

Ask for ``client`` (nobody), or for ``people``: ``people("engineer")`` gives a client that is
logged in as one. ``house`` gives the parts behind them, ``settings`` what they were opened with.
"""

from __future__ import annotations

import functools
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr

from tests.service import servers
from waferscope import infer
from waferscope.service.app import build_app
from waferscope.service.auth import tokens
from waferscope.service.auth.roles import Role
from waferscope.service.auth.store import add_sitting
from waferscope.service.db import Records, build_engine
from waferscope.service.ids import new_id
from waferscope.service.migrate import upgrade
from waferscope.service.parts import Parts, open_parts
from waferscope.service.settings import Settings
from waferscope.service.tables import User

EMBEDDED, SERVERS = "embedded", "servers"
API = "/api/v1"
SECRET = "a secret of thirty-two characters or more"
PASSWORD = "kelp-orbit-tannin-7"
_numbers = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def one_model() -> Iterator[None]:
    """The model is opened once for all houses; opening it takes most of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infer, "load_predictor", functools.cache(infer.load_predictor))
        yield


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with servers.postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with servers.redis() as url:
        yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    with servers.s3() as url:
        yield url


def run_sql(server: str, statement: str) -> None:
    """Run one statement outside of any transaction, as PostgreSQL wants it for databases."""
    url = server.replace("postgresql://", "postgresql+psycopg://", 1) + "postgres"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement))


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database with all tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "records.db"
    engine = build_engine(f"sqlite:///{path}")
    upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def migrated_template(postgresql_server: str) -> str:
    """The name of an empty PostgreSQL database with all tables, to be copied."""
    run_sql(postgresql_server, "CREATE DATABASE template_house")
    url = postgresql_server.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = build_engine(f"{url}template_house")
    upgrade(engine)
    engine.dispose()
    return "template_house"


@pytest.fixture(params=[EMBEDDED, SERVERS])
def backend(request: pytest.FixtureRequest) -> str:
    """Which of the two ways to keep things; a test that asks for anything here runs on both."""
    return str(request.param)


@pytest.fixture
def records_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh database with all tables, gone after the test."""
    if backend == EMBEDDED:
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "records.db")
        yield f"sqlite:///{tmp_path / 'records.db'}"
        return
    server = str(request.getfixturevalue("postgresql_server"))
    template = str(request.getfixturevalue("migrated_template"))
    name = f"house_{next(_numbers)}"
    run_sql(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield f"{server}{name}"
    # Now, while its files are in memory alone: hundreds of them take minutes to remove from a disk.
    run_sql(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def blobs_url(
    backend: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The URL of an empty blob store."""
    if backend == EMBEDDED:
        return (tmp_path / "blobs").as_uri()
    server = str(request.getfixturevalue("s3_server"))
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", server),
    ):
        monkeypatch.setenv(name, value)
    bucket = f"house-{next(_numbers)}"
    boto3.client("s3", endpoint_url=server, region_name="us-east-1").create_bucket(Bucket=bucket)
    return f"s3://{bucket}/blobs"


@pytest.fixture
def cache_url(backend: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty cache."""
    if backend == EMBEDDED:
        return "memory://"
    server = str(request.getfixturevalue("redis_server"))
    import redis

    redis.Redis.from_url(f"{server}0").flushall()
    return f"{server}0"


@pytest.fixture
def settings(records_url: str, blobs_url: str, cache_url: str, tmp_path: Path) -> Settings:
    """The settings of the house under test; a test changes them with ``settings.model_copy``."""
    return Settings(
        home=tmp_path,
        records_url=records_url,
        blobs_url=blobs_url,
        cache_url=cache_url,
        secret=SecretStr(SECRET),
        demo=False,
        rate_login="1000/minute",
        rate_address="10000/minute",
        rate_identity="10000/minute",
    )


@pytest.fixture
def house(settings: Settings) -> Iterator[Parts]:
    """The parts of the house under test."""
    parts = open_parts(settings)
    yield parts
    parts.records.close()


@pytest.fixture
def records(house: Parts) -> Records:
    return house.records


@pytest.fixture
def api(one_app: FastAPI) -> FastAPI:
    """The app for its routes and its OpenAPI document."""
    return one_app


@pytest.fixture(scope="session")
def one_app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The app, put together once; each test moves its own parts in."""
    return build_app(Settings(home=tmp_path_factory.mktemp("nobody")))


@pytest.fixture
def client(one_app: FastAPI, house: Parts) -> Iterator[TestClient]:
    """A client that is not logged in."""
    one_app.state.parts = house
    with TestClient(one_app, base_url="http://testserver/api/v1") as one:
        yield one


@dataclass(frozen=True)
class Person:
    """A user and the access token of a sitting of theirs."""

    id: str
    name: str
    sitting_id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def add_person(house: Parts, role: str, **more: object) -> Person:
    """Add a user of a role, without a password, and open a sitting for them."""
    name = f"{role}-{next(_numbers)}"
    user_id = new_id("usr")
    with house.records.writing() as session:
        session.add(User(id=user_id, name=name, role=role, **more))
        session.flush()
        sitting = add_sitting(session, user_id, 7, "127.0.0.1", "test")
    token = tokens.sign_access(house.settings, user_id, sitting.id, Role(role))
    return Person(user_id, name, sitting.id, token)


People = Callable[[str], TestClient]


@pytest.fixture
def people(client: TestClient, house: Parts) -> People:
    """Call it with a role for a client that is logged in as a new user of that role."""

    def log_in(role: str) -> TestClient:
        headers = add_person(house, role).headers
        one = TestClient(client.app, base_url="http://testserver/api/v1", headers=headers)
        one.portal = client.portal  # one event loop for all, as in a server
        return one

    return log_in
