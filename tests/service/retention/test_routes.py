"""Rules of retention: set, replaced, listed and deleted by admins, and audited."""

from __future__ import annotations

import pytest

from tests.service.conftest import People


def test_a_rule_is_set_replaced_and_deleted(people: People) -> None:
    admin = people("admin")
    first = admin.put("/retention", json={"product": "P1", "days": 30})
    assert first.status_code == 200, first.text
    assert admin.put("/retention", json={"days": 365}).json()["product"] == ""
    again = admin.put("/retention", json={"product": "P1", "days": 60}).json()
    assert again["id"] == first.json()["id"]
    listed = admin.get("/retention").json()
    assert [(rule["product"], rule["days"]) for rule in listed] == [("", 365), ("P1", 60)]
    assert admin.delete(f"/retention/{again['id']}").status_code == 204
    assert admin.delete(f"/retention/{again['id']}").status_code == 404
    done = admin.get("/audit", params={"action": "retention.set"}).json()["items"]
    assert len(done) == 3


@pytest.mark.parametrize("role", ["viewer", "annotator", "engineer"])
def test_only_admins_have_to_do_with_rules(people: People, role: str) -> None:
    one = people(role)
    assert one.get("/retention").status_code == 403
    assert one.put("/retention", json={"days": 1}).status_code == 403
    assert one.delete("/retention/rule_1").status_code == 403


@pytest.mark.parametrize("body", [{"days": 0}, {"days": 99_999}, {}, {"days": 3, "lot": "L"}])
def test_rules_that_cannot_be_are_refused(people: People, body: dict[str, object]) -> None:
    assert people("admin").put("/retention", json=body).status_code == 422
