"""The SQL of logins: who is let in, and until when."""

from __future__ import annotations

from datetime import timedelta

from tests.service.conftest import add_person
from waferscope.service.auth import store
from waferscope.service.auth.roles import Role
from waferscope.service.parts import Parts
from waferscope.service.tables import ApiKey, LoginFailure, RefreshToken, Sitting, User
from waferscope.service.tables.row import now


def known(house: Parts, user_id: str, sitting_id: str) -> bool:
    with house.records.reading() as session:
        return store.user_of_sitting(session, user_id, sitting_id) is not None


def test_a_user_is_known_while_sitting_and_account_last(house: Parts) -> None:
    one, other = add_person(house, "viewer"), add_person(house, "viewer")
    assert known(house, one.id, one.sitting_id)
    assert not known(house, one.id, other.sitting_id)
    with house.records.writing() as session:
        session.get_one(Sitting, one.sitting_id).expires_at = now()
        session.get_one(User, other.id).active = False
    assert not known(house, one.id, one.sitting_id)
    assert not known(house, other.id, other.sitting_id)


def test_sittings_end_one_all_or_all_but_one(house: Parts) -> None:
    one = add_person(house, "viewer")
    with house.records.writing() as session:
        more = [store.add_sitting(session, one.id, 7, "", "").id for _ in range(2)]
        store.end_sittings(session, "logout", user_id=one.id, only=more[0])
    assert [known(house, one.id, key) for key in (one.sitting_id, *more)] == [True, False, True]
    with house.records.writing() as session:
        store.end_sittings(session, "password", user_id=one.id, but=more[1])
    assert [known(house, one.id, key) for key in (one.sitting_id, *more)] == [False, False, True]


def test_sittings_long_over_are_dropped_with_their_tokens(house: Parts) -> None:
    one = add_person(house, "viewer")
    with house.records.writing() as session:
        session.get_one(Sitting, one.sitting_id).expires_at = now() - timedelta(days=8)
        store.add_refresh_token(session, one.sitting_id, "d")
    with house.records.writing() as session:
        store.add_sitting(session, one.id, 7, "", "")
    with house.records.reading() as session:
        assert session.get(Sitting, one.sitting_id) is None
        assert session.get(RefreshToken, "d") is None


def test_a_key_has_the_lesser_role_and_notes_its_use_now_and_then(house: Parts) -> None:
    owner = add_person(house, "annotator")
    with house.records.writing() as session:
        key = ApiKey(id="key_1", user_id=owner.id, name="n", digest="d", hint="h", scopes=["*"])
        key.role = "admin"
        session.add(key)
    with house.records.reading() as session:
        found = store.key_by_digest(session, "d")
    assert found is not None
    assert found.role is Role.ANNOTATOR
    assert store.use_is_stale(found)
    with house.records.writing() as session:
        store.note_use(session, "key_1")
    with house.records.reading() as session:
        again = store.key_by_digest(session, "d")
    assert again is not None
    assert not store.use_is_stale(again)


def test_failures_are_one_count_whatever_the_case_of_the_name(house: Parts) -> None:
    for name in ("Ada", "ada", "ADA"):
        with house.records.writing() as session:
            store.failures_of(session, name).failures += 1
    with house.records.writing() as session:
        assert store.failures_of(session, "ada").failures == 3
        store.forget_failures(session, "Ada")
        assert store.failures_of(session, "ada").failures == 0
        assert session.query(LoginFailure).count() == 1


def test_a_refresh_token_names_its_sitting_until_that_was_ended(house: Parts) -> None:
    one = add_person(house, "engineer")
    with house.records.writing() as session:
        store.add_refresh_token(session, one.sitting_id, "d")
    with house.records.looking() as connection:
        found = store.sitting_of_refresh(connection, "d")
        assert store.sitting_of_refresh(connection, "e") is None
    assert found == store.KnownSitting(one.sitting_id, one.id, one.name, "engineer")
    with house.records.writing() as session:
        store.end_sittings(session, "logout", user_id=one.id)
        assert store.sitting_of_refresh(session, "d") is None
