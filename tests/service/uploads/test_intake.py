"""Taking files in: whole or not at all, whatever breaks off in between."""

from __future__ import annotations

import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy import func, select

from tests.service import servers
from tests.service.conftest import Person, add_person
from tests.service.disks import filled, house_on
from tests.service.gateway import gateway
from tests.service.jobs.conftest import eventually, program
from tests.service.uploads.files import stdf_lot
from waferscope.errors import ConflictError, SizeError, UnavailableError
from waferscope.service.auth.identity import Identity
from waferscope.service.auth.roles import Role
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings
from waferscope.service.tables import BatchItem, Upload, UploadWafer, Wafer
from waferscope.service.upkeep.check import check
from waferscope.service.uploads import store
from waferscope.service.uploads.intake import Arrival, arrive, take_in
from waferscope.service.uploads.schemas import UploadParameters
from waferscope.service.wafer_file import content_of, unpack_wafer


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_upload_wafers": 10})


def arrival(house: Parts, folder: Path, data: bytes, **asked: Any) -> Arrival:
    user = add_person(house, "annotator")
    who = Identity(user.id, user.name, Role.ANNOTATOR, via="", kind="token")
    path = folder / "lot.stdf"
    path.write_bytes(data)
    return arrive(path, who, UploadParameters(**asked))


def counts(house: Parts) -> list[int]:
    with house.records.reading() as session:
        tables = (Upload, UploadWafer, Wafer, BatchItem)
        return [session.scalar(select(func.count()).select_from(one)) or 0 for one in tables]


def test_records_and_blobs_of_a_whole_file(house: Parts, tmp_path: Path) -> None:
    made = take_in(house, arrival(house, tmp_path, stdf_lot(3)))
    assert counts(house) == [1, 3, 3, 3]
    with house.records.reading() as session:
        named = {*session.scalars(select(Wafer.blob)), *session.scalars(select(Upload.blob))}
    assert named == set(house.blobs.names())
    assert [wafer.position for wafer in made.wafers] == [0, 1, 2]


@pytest.mark.parametrize("step", ["add_lots", "add_wafers", "hold_wafers", "add_positions"])
def test_what_breaks_off_leaves_no_record(
    house: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: object) -> None:
        raise ConflictError(step)

    with monkeypatch.context() as patch:
        patch.setattr(store, step, refuse)
        with pytest.raises(ConflictError, match=step):
            take_in(house, arrival(house, tmp_path, stdf_lot(3)))
    assert counts(house) == [0, 0, 0, 0]
    assert list(house.blobs.names()) == []
    take_in(house, arrival(house, tmp_path, stdf_lot(3)))
    assert counts(house) == [1, 3, 3, 3]


def test_too_many_wafers_leave_nothing(house: Parts, tmp_path: Path) -> None:
    with pytest.raises(SizeError, match="at most 10 wafers"):
        take_in(house, arrival(house, tmp_path, stdf_lot(11)))
    assert counts(house) == [0, 0, 0, 0]
    assert list(house.blobs.names()) == []


def test_a_wafer_purged_in_between_is_sent_again(
    house: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was known when its blob would have been put, and is gone when the rows are added."""
    one = arrival(house, tmp_path, stdf_lot(1), predict=False)
    ghost = store.Known("waf_purged", deleted=False, predicted=False)
    with monkeypatch.context() as patch:
        patch.setattr(store, "known_wafers", lambda _, contents: dict.fromkeys(contents, ghost))
        with pytest.raises(UnavailableError, match="Send it again"):
            take_in(house, one)
    assert counts(house) == [0, 0, 0, 0]
    assert take_in(house, one).wafers_new == 1


def send(port: int, person: Person, number: int) -> httpx2.Response:
    """Upload a file of three new wafers to a server."""
    return httpx2.post(
        f"http://127.0.0.1:{port}/api/v1/uploads",
        params={"predict": "false", "file_name": "lot.stdf"},
        content=stdf_lot(3, f"L{number}", first=3 * number),
        headers=person.headers,
        timeout=60,
    )


@pytest.mark.parametrize("backend", ["embedded"], indirect=True)
def test_a_full_disk_is_said_and_survived(
    settings: Settings, migrated_file: Path, tmp_path: Path
) -> None:
    """Records and blobs lie on a disk that is really full: whichever of them fails first."""
    with house_on(tmp_path / "disk", "6m", settings, migrated_file) as house:
        disk, port = house.settings.home, servers.free_port()
        person, answers = add_person(house, "annotator"), []
        with program(house.settings, "serve", "--no-worker", "--port", str(port)):
            servers.wait_for(lambda: servers.listens(port), "the server")
            for number in range(24):
                with filled(disk, left=number * 16_384):
                    answers.append(send(port, person, number))
                assert check(house, young=timedelta(0)).is_sound
            assert send(port, person, 99).status_code == 201
        refused = [one for one in answers if one.status_code != 201]
        assert refused[0] is answers[0]
        assert len(refused) < len(answers)
        for one in refused:
            assert one.status_code == 507, one.text
            assert "no room left" in one.json()["detail"]
        taken = len(answers) - len(refused) + 1
        assert counts(house) == [taken, 3 * taken, 3 * taken, 0]
        assert check(house, young=timedelta(0)).is_sound


@pytest.mark.parametrize("backend", ["servers"], indirect=True)
def test_a_blob_store_that_goes_away_is_said_and_survived(
    house: Parts, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way to a real store is cut while a server runs, and mended again."""
    person, port = add_person(house, "annotator"), servers.free_port()
    store_port = urlsplit(os.environ["AWS_ENDPOINT_URL"]).port or 0
    with gateway(store_port) as way:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{way.port}")
        with program(settings, "serve", "--no-worker", "--port", str(port)):
            servers.wait_for(lambda: servers.listens(port), "the server")
            assert send(port, person, 1).status_code == 201
            way.cut()
            answer = send(port, person, 2)
            assert answer.status_code == 503, answer.text
            assert "blob store" in answer.json()["detail"]
            assert int(answer.headers["Retry-After"]) > 0
            assert counts(house) == [1, 3, 3, 0]
            way.mend()
            assert send(port, person, 2).status_code == 201
    assert counts(house) == [2, 6, 6, 0]
    assert check(house, young=timedelta(0)).is_sound


CLIENTS = 20


def test_a_killed_server_keeps_every_wafer_that_it_acknowledged(
    house: Parts, settings: Settings
) -> None:
    """kill -9 in the middle of twenty clients' uploads; nothing acknowledged is lost or half."""
    person = add_person(house, "annotator")
    port, stop, lock = servers.free_port(), threading.Event(), threading.Lock()
    acknowledged: dict[str, int] = {}

    def keep_sending(client: int) -> None:
        with suppress(httpx2.HTTPError):
            for number in itertools.count(client, CLIENTS):
                if stop.is_set():
                    return
                answer = send(port, person, number)
                if answer.status_code == 201:
                    body = answer.json()
                    with lock:
                        acknowledged[body["id"]] = body["wafers_new"]

    with program(settings, "serve", "--no-worker", "--port", str(port)) as server:
        servers.wait_for(lambda: servers.listens(port), "the server")
        with ThreadPoolExecutor(CLIENTS) as pool:
            for client in range(CLIENTS):
                pool.submit(keep_sending, client)
            eventually(lambda: len(acknowledged) >= 2 * CLIENTS, 120)
            server.kill()
            server.wait()
            stop.set()
    with house.records.reading() as session:
        kept = {row.id: row.wafers_new for row in session.scalars(select(Upload))}
        per_file = select(UploadWafer.upload_id, func.count()).group_by(UploadWafer.upload_id)
        held = dict(session.execute(per_file).tuples().all())
        wafers = list(session.scalars(select(Wafer)))
    assert acknowledged.items() <= kept.items()
    assert set(acknowledged.values()) == {3}
    assert held == kept
    assert len(wafers) == sum(kept.values())
    for wafer in wafers:
        assert content_of(unpack_wafer(house.blobs.get(wafer.blob))) == wafer.content
    assert check(house).missing == ()
