"""People and keys from the command line: by name, checked as over HTTP."""

from __future__ import annotations

import pytest

from waferscope.errors import ConflictError, InputError, NotFoundError
from waferscope.service import people
from waferscope.service.auth.identity import SYSTEM
from waferscope.service.auth.passwords import verify_password
from waferscope.service.auth.store import failures_of, user_by_name
from waferscope.service.db import Records


def test_a_user_is_made_and_gets_a_new_password(records: Records) -> None:
    with records.writing() as session:
        made = people.make_user(session, SYSTEM, name="Ada", role="engineer")
    assert (made.name, made.role, made.must_change_password) == ("ada", "engineer", True)
    with records.writing() as session:
        failures_of(session, "ada").failures = 9
    with records.writing() as session:
        again = people.renew_password(session, SYSTEM, "ADA")
        assert failures_of(session, "ada").failures == 0
    assert again.one_time_password != made.one_time_password
    with records.reading() as session:
        user = user_by_name(session, "ada")
        assert user is not None
        assert verify_password(again.one_time_password or "", user.password)


def test_a_key_is_made_for_a_user(records: Records) -> None:
    wanted = {"name": "n", "role": "viewer", "scopes": ["wafers:read"], "days": 7}
    with records.writing() as session:
        user = people.make_user(session, SYSTEM, name="ada")
        made = people.make_key(session, SYSTEM, "ada", wanted)
    assert made.user_id == user.id
    assert made.key is not None


@pytest.mark.parametrize("wanted", [{"name": "a b"}, {"name": "ada", "role": "emperor"}])
def test_what_makes_no_sense_is_refused(records: Records, wanted: dict[str, str]) -> None:
    with pytest.raises(InputError, match="Expected a"), records.writing() as session:
        people.make_user(session, SYSTEM, **wanted)


def test_names_have_to_be_free_and_known(records: Records) -> None:
    with records.writing() as session:
        people.make_user(session, SYSTEM, name="ada")
    with pytest.raises(ConflictError), records.writing() as session:
        people.make_user(session, SYSTEM, name="ada")
    with pytest.raises(NotFoundError, match="'eve'"), records.writing() as session:
        people.renew_password(session, SYSTEM, "eve")
