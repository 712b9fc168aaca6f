"""Logins apart from HTTP: what is kept of them, and locks that grow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from tests.service.conftest import PASSWORD, add_person
from waferscope.errors import IdentityError, RateError
from waferscope.service.auth import login
from waferscope.service.auth.identity import Identity
from waferscope.service.auth.passwords import hash_password
from waferscope.service.auth.roles import Role
from waferscope.service.auth.store import user_by_name
from waferscope.service.auth.tokens import digest
from waferscope.service.parts import Parts
from waferscope.service.settings import Settings
from waferscope.service.tables import LoginFailure, RefreshToken, Sitting
from waferscope.service.tables.row import now

CLIENT = login.Client("10.0.0.7", "browser " * 100)
HASH = hash_password(PASSWORD)


def test_locks_double_up_to_an_hour() -> None:
    settings = Settings(lockout_failures=3, lockout_seconds=10)
    waits = [login.locked_seconds(number, settings) for number in range(1, 14)]
    assert waits == [0, 0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    assert login.locked_seconds(10**9, settings) == 3600


def test_a_failure_is_counted_though_it_is_refused(house: Parts) -> None:
    def fail() -> None:
        with house.records.writing() as session:
            login.check_login(session, house.settings, "Nobody", "x", CLIENT)

    for _ in range(5):
        with pytest.raises(IdentityError):
            fail()
    with pytest.raises(RateError):
        fail()
    with house.records.reading() as session:
        assert session.get_one(LoginFailure, "nobody").failures == 5


@pytest.mark.parametrize("times", [0, 1])
def test_wrong_logins_side_by_side_are_all_counted(house: Parts, times: int) -> None:
    settings = house.settings.model_copy(update={"lockout_failures": 100})
    start = Barrier(8)

    def fail(number: int) -> str:
        if number:
            start.wait()
        try:
            with house.records.writing() as session:
                login.check_login(session, settings, "Nobody", "x", CLIENT)
        except Exception as error:
            return type(error).__name__
        return ""

    for _ in range(times):
        fail(0)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(fail, range(1, 9))) == {"IdentityError"}
    with house.records.reading() as session:
        assert session.get_one(LoginFailure, "nobody").failures == 8 + times


def test_old_failures_of_others_are_forgotten_at_a_login(house: Parts) -> None:
    person = add_person(house, "viewer", password=HASH)
    with house.records.writing() as session:
        session.add(LoginFailure(name="old", failures=3, failed_at=now() - timedelta(days=2)))
        session.add(LoginFailure(name="new", failures=3, failed_at=now()))
    with house.records.writing() as session:
        login.check_login(session, house.settings, person.name.upper(), PASSWORD, CLIENT)
    with house.records.reading() as session:
        assert list(session.scalars(select(LoginFailure.name))) == ["new"]


def test_nothing_that_opens_is_kept(house: Parts) -> None:
    person = add_person(house, "viewer", password=HASH)
    with house.records.writing() as session:
        user = user_by_name(session, person.name)
        assert user is not None
        pair = login.open_sitting(session, house.settings, user, CLIENT)
    with house.records.reading() as session:
        sitting = session.get_one(Sitting, pair.sitting_id)
        kept = list(session.scalars(select(RefreshToken.digest)))
    assert kept == [digest(pair.refresh)]
    assert (sitting.address, len(sitting.agent)) == ("10.0.0.7", 200)
    assert timedelta(days=6) < sitting.expires_at - now() <= timedelta(days=7)


def test_a_user_who_is_gone_gets_no_password(house: Parts) -> None:
    ghost = Identity("usr_none", "ghost", Role.VIEWER, via="", kind="token")
    with pytest.raises(IdentityError), house.records.writing() as session:
        login.set_password(session, ghost, PASSWORD)
