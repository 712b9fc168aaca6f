"""Drawings as answers: made once, kept while they are small, not sent to who has them."""

from __future__ import annotations

import asyncio

from fastapi import Request

from waferscope.service.parts import Parts
from waferscope.service.pictures.answer import MOST_CACHED, Drawing, answer_drawing


def asking(tag: str = "") -> Request:
    headers = [(b"if-none-match", tag.encode())] if tag else []
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers})


def test_it_is_drawn_once_and_large_ones_each_time(house: Parts) -> None:
    drawn: list[int] = []

    def draw(size: int) -> bytes:
        drawn.append(size)
        return bytes(size)

    async def ask() -> None:
        for size in (10, 10, MOST_CACHED + 1, MOST_CACHED + 1):
            drawing = Drawing("test", [str(size)], lambda size=size: draw(size))  # type: ignore[misc]
            answer = await answer_drawing(house, asking(), drawing)
            assert len(answer.body) == size
            assert answer.headers["ETag"] == drawing.tag
            known = await answer_drawing(house, asking(drawing.tag), drawing)
            assert (known.status_code, known.body) == (304, b"")
        await house.cache.close()

    asyncio.run(ask())
    assert drawn == [10, MOST_CACHED + 1, MOST_CACHED + 1]


def test_tags_differ_by_kind_and_subject() -> None:
    tags = {Drawing(kind, subject, bytes).tag for kind in "ab" for subject in (["1"], ["1", ""])}
    assert len(tags) == 4
