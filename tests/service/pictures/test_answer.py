"""Drawings as answers: made once, kept while they are small, not sent to who has them."""

from __future__ import annotations

import asyncio

import numpy as np
from fastapi import Request

from tests.service.stored import make_wafer
from waferscope.domain.wafermap import WaferMap
from waferscope.io.image import overlay_png
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


def test_a_page_of_a_large_wafer_is_drawn_once(house: Parts) -> None:
    clean = make_wafer(1, 300).dies
    noisy = (clean > 0) & (np.random.default_rng(0).random(clean.shape) < 0.5)
    wafer = WaferMap(np.where(noisy, 2, clean).astype(np.uint8))
    drawn: list[int] = []

    def draw() -> bytes:
        page = overlay_png(house.engine.predict([wafer])[0])
        drawn.append(len(page))
        return page

    async def ask() -> set[bytes]:
        drawing = Drawing("test", ["large"], draw)
        answers = [await answer_drawing(house, asking(), drawing) for _ in range(3)]
        await house.cache.close()
        return {bytes(answer.body) for answer in answers}

    assert len(asyncio.run(ask())) == 1
    assert len(drawn) == 1
    assert drawn[0] > 100_000


def test_tags_differ_by_kind_and_subject() -> None:
    tags = {Drawing(kind, subject, bytes).tag for kind in "ab" for subject in (["1"], ["1", ""])}
    assert len(tags) == 4
