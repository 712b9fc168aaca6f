"""The first start and those after it; and a worker that is kept running beside the server."""

from __future__ import annotations

import json
import os
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select

from tests.service.conftest import add_person
from tests.service.jobs.conftest import eventually, program
from tests.service.servers import free_port, listens, wait_for
from tests.service.uploads.files import stdf_lot
from waferscope.service import start
from waferscope.service.auth.passwords import verify_password
from waferscope.service.auth.store import user_by_name
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings
from waferscope.service.tables import Batch, Upload, Wafer


def count(house: Parts, table: type[Wafer | Upload | Batch]) -> int:
    with house.records.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_an_admin_is_made_once(house: Parts) -> None:
    first = start.prepare(house)
    assert first is not None
    assert start.prepare(house) is None
    with house.records.reading() as session:
        admin = user_by_name(session, first.name)
    assert admin is not None
    assert (admin.role, admin.must_change_password) == ("admin", True)
    assert verify_password(first.password, admin.password)
    assert count(house, Wafer) == 0


class TestWithTheDemoLot:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"demo": True})

    def test_the_demo_lot_is_there_and_is_to_be_predicted(self, house: Parts) -> None:
        start.prepare(house)
        start.prepare(house)
        assert count(house, Upload) == 1
        assert count(house, Wafer) > 20
        assert count(house, Batch) == 1


def ask(url: str) -> dict[str, object]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            found: dict[str, object] = json.load(answer)
    except (urllib.error.URLError, ConnectionError):
        return {}
    return found


def worker_lives(url: str) -> bool:
    parts = ask(f"{url}/ready").get("parts")
    assert isinstance(parts, list | None)
    return any(part["name"] == "worker" and part["ok"] for part in parts or [])


def test_it_serves_with_a_worker_beside_it_and_stops_calmly(settings: Settings) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/api/v1"
    with program(settings, "serve", "--port", str(port)) as server:
        eventually(lambda: worker_lives(url), 120)
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) in {0, -signal.SIGTERM}
    assert ask(f"{url}/health") == {}


def slowly(data: bytes, half_sent: threading.Event, go_on: threading.Event) -> Iterator[bytes]:
    """Give one half of a body, and the other one when told to."""
    middle = len(data) // 2
    yield data[:middle]
    half_sent.set()
    assert go_on.wait(60)
    yield data[middle:]


def test_an_upload_under_way_is_finished_before_it_stops(
    house: Parts, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where the server keeps what it receives
    person, port = add_person(house, "annotator"), free_port()
    half_sent, go_on = threading.Event(), threading.Event()
    place = f"http://127.0.0.1:{port}/api/v1/uploads?predict=false&file_name=lot.stdf"
    with program(settings, "serve", "--no-worker", "--port", str(port)) as server:
        wait_for(lambda: listens(port), "the server")
        with ThreadPoolExecutor(1) as pool:
            body = slowly(stdf_lot(3), half_sent, go_on)
            sent = pool.submit(httpx2.post, place, content=body, headers=person.headers, timeout=60)
            assert half_sent.wait(60)
            wait_for(lambda: any(tmp_path.glob("waferscope-*")), "the server to see the request")
            server.send_signal(signal.SIGTERM)
            eventually(lambda: not listens(port))
            assert server.poll() is None  # it waits for the rest
            go_on.set()
            answer = sent.result(60)
        assert server.wait(60) in {0, -signal.SIGTERM}
    assert answer.status_code == 201, answer.text
    assert count(house, Wafer) == answer.json()["wafers_new"] == 3


def test_no_worker_is_started_where_none_is_wanted() -> None:
    before = threading.active_count()
    with start.worker_beside(wanted=False):
        assert threading.active_count() == before


def test_a_signal_sets_the_event() -> None:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = start.stop_signals()
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
    finally:
        for number, before in kept.items():
            signal.signal(number, before)


def test_the_end_of_the_parent_sets_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    parents = iter([7, 7, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents, 1))
    try:
        assert start.stop_signals(7).wait(10)
        assert next(parents, None) is None
        assert start.stop_signals(7).wait(10)  # gone before it could be asked for
    finally:
        for number, before in kept.items():
            signal.signal(number, before)
