"""Creating calls that are repeated: one effect, one answer, whoever asks and however often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import func, select, update

from tests.service.conftest import People
from waferscope.service.parts import Parts
from waferscope.service.tables import IdempotencyKey, User
from waferscope.service.tables.row import now

KEY = {"Idempotency-Key": "order-7"}


def count(house: Parts) -> int:
    with house.records.reading() as session:
        made = select(func.count()).select_from(User).where(User.name.like("made-%"))
        return session.scalar(made) or 0


def test_a_repetition_has_no_effect(people: People, house: Parts) -> None:
    admin = people("admin")
    first, again = (admin.post("/users", json={"name": "made-1"}, headers=KEY) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.json()["id"] == again.json()["id"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert count(house) == 1


def test_keys_of_two_users_are_apart(people: People, house: Parts) -> None:
    for number in range(2):
        made = people("admin").post("/users", json={"name": f"made-{number}"}, headers=KEY)
        assert made.status_code == 201
    assert count(house) == 2


def test_another_call_under_the_same_key_is_refused(people: People) -> None:
    admin = people("admin")
    admin.post("/users", json={"name": "made-1"}, headers=KEY)
    assert admin.post("/users", json={"name": "made-2"}, headers=KEY).status_code == 409
    other = admin.post("/keys", json={"name": "n", "scopes": ["*"]}, headers=KEY)
    assert other.status_code == 409


def test_a_call_that_failed_may_be_repeated(people: People) -> None:
    admin = people("admin")
    assert admin.post("/users", json={"name": "!"}, headers=KEY).status_code == 422
    assert admin.post("/users", json={"name": "made-1"}, headers=KEY).status_code == 201


def test_two_at_once_have_one_effect(people: People, house: Parts) -> None:
    admin = people("admin")

    def post(_: int) -> int:
        return admin.post("/users", json={"name": "made-1"}, headers=KEY).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(post, range(4)))
    assert 201 in statuses
    assert set(statuses) <= {201, 409}
    assert count(house) == 1


def test_answers_are_kept_for_a_day(people: People, house: Parts) -> None:
    admin = people("admin")
    admin.post("/users", json={"name": "made-1"}, headers=KEY)
    with house.records.writing() as session:
        session.execute(update(IdempotencyKey).values(created_at=now() - timedelta(days=2)))
    assert admin.post("/users", json={"name": "made-2"}, headers=KEY).status_code == 201


def test_a_key_has_a_length(people: People) -> None:
    long = {"Idempotency-Key": "k" * 201}
    answer = people("admin").post("/users", json={"name": "made-1"}, headers=long)
    assert answer.status_code == 422
