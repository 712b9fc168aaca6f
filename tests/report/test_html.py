"""The HTML report: well formed, complete in itself, and deaf to hostile names."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.hand_made import build_prediction
from waferscope.domain.prediction import Prediction
from waferscope.errors import InputError
from waferscope.report.html import render, write_html
from waferscope.report.summary import summarise

VOID = {"meta", "link", "br", "hr", "img", "input"}
CENTER = {"center": np.s_[6:9, 6:9]}
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}'


class Page(HTMLParser):
    """Collects tags, attributes and text; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "script"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def lot() -> Iterator[Prediction]:
    yield build_prediction(CENTER, ["Center"], wafer_id="W01", lot_id="A7", notes=("guessed",))
    yield build_prediction({"edge": np.s_[0:2, 4:11]}, [], wafer_id="W02", lot_id="A7")
    yield build_prediction(wafer_id="W03", lot_id="A7", notch="left")


def page(predictions: Iterator[Prediction] | list[Prediction], **limits: int) -> tuple[str, Page]:
    text = render(
        summarise(predictions, **limits), title=None, now=datetime(2026, 5, 4, tzinfo=UTC)
    )
    return text, Page(text)


def test_it_says_what_was_found() -> None:
    _, found = page(lot())
    for words in ("Lot A7", "W01", "hand-1", "2026-05-04", "Center", "no class", "guessed"):
        assert words in found.text
    assert found.tags.count("h1") == 1
    assert "masks and labels disagree" in found.text
    assert "All 3 wafers" in found.text


def test_severity_is_said_in_words_and_classes_in_numbers() -> None:
    _, found = page(lot())
    assert re.search(r"(low|medium|critical) \d+", found.text)
    assert re.search(r"2 center 9", found.text)


def test_nothing_is_loaded_from_elsewhere() -> None:
    text, found = page(lot())
    assert re.findall(r"https?://", text) == []
    assert "link" not in found.tags
    assert "@import" not in text
    assert "url(" not in text.replace("url(#scale)", "")
    for tag, name, value in found.attributes:
        if name in {"src", "href", "xlink:href", "action", "poster"}:
            assert value.startswith(("data:image/png;base64,", "#")), (tag, name)
        assert not name.startswith("on")


def test_the_policy_lets_only_its_own_script_run() -> None:
    text, found = page(lot())
    policy = next(v for t, n, v in found.attributes if n == "content" and "default-src" in v)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_hostile_names_stay_text() -> None:
    made = [
        build_prediction(
            CENTER, [], wafer_id=HOSTILE, lot_id=HOSTILE, product=HOSTILE, notes=(HOSTILE,)
        )
        for _ in range(2)
    ]
    made.append(build_prediction(lot_id="other", model_version=HOSTILE))
    text, found = page(made)
    assert found.tags.count("script") == 1
    assert "img" not in found.tags
    assert "<script>alert" not in text
    assert "{{ 7 * 7 }}" in found.text
    assert found.text.count("alert(1)") >= 4


def test_odd_characters_are_written(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    write_html([build_prediction(wafer_id="\ud800 晶圆 \u202e")], path)
    assert "晶圆" in path.read_text(encoding="utf-8")


def test_gallery_and_table_are_cut_and_say_so() -> None:
    made = [build_prediction(CENTER, wafer_id=f"W{k}") for k in range(9)]
    text, found = page(made, gallery_limit=3, table_limit=5)
    assert "Showing 3 of 9 by severity" in found.text
    assert "Showing 5 of 9 by severity" in found.text
    assert text.count('class="wafer"') == 3
    assert "9 of 9" in found.text


def test_lots_are_listed_when_there_are_several() -> None:
    made = [build_prediction(lot_id=f"L{k:02}") for k in range(30)]
    _, found = page(made)
    assert "Showing 25 of 30" in found.text
    assert "30 lots" in found.text


def test_a_thousand_wafers_make_a_page_of_bounded_size() -> None:
    few = len(page([build_prediction(CENTER, wafer_id="W") for _ in range(60)], table_limit=60)[0])
    many = [build_prediction(CENTER, wafer_id="W")] * 1000
    assert len(page(many, table_limit=60)[0]) < few + 2000


def test_the_file_is_written_whole_with_a_title(tmp_path: Path) -> None:
    path = tmp_path / "lot.html"
    write_html(lot(), path, title="Friday & <co>")
    text = path.read_text(encoding="utf-8")
    assert text.rstrip().endswith("</html>")
    assert "Friday &amp; &lt;co&gt;" in text
    assert [p.name for p in tmp_path.iterdir()] == ["lot.html"]


def test_no_prediction_makes_no_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one prediction"):
        write_html([], tmp_path / "lot.html")
    assert list(tmp_path.iterdir()) == []


def test_a_wafer_without_dies_can_be_shown() -> None:
    _, found = page([build_prediction(dies=np.zeros((6, 9), dtype=np.uint8), wafer_id="bare")])
    assert "bare" in found.text
    assert "Stacked fail map" not in found.text.split("How to read this")[0]


def test_numbers_sort_by_value_not_by_their_print() -> None:
    text, found = page([build_prediction(dies=np.ones((60, 60), dtype=np.uint8))])
    assert 'data-v="3600"' in text
    assert "3,600" in found.text
