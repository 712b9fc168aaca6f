"""What all schemas share."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from waferscope.service.schema import Answer, Page, Question


class Asked(Question):
    name: str


class Shown(Answer):
    name: str


def test_a_question_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Asked.model_validate({"name": "a", "nam": "b"})


def test_an_answer_is_made_from_a_row() -> None:
    assert Shown.model_validate(SimpleNamespace(name="a", secret="b")).model_dump() == {"name": "a"}


def test_a_page_says_where_to_go_on() -> None:
    page = Page[Shown](items=[Shown(name="a")], next=None)
    assert page.model_dump() == {"items": [{"name": "a"}], "next": None}
