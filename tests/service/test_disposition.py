"""Files as answers: saved under a name that no header can be broken with."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from waferscope.service.disposition import attachment


@pytest.mark.parametrize(
    "name",
    ["lot.stdf", 'a"; filename="b.exe', "a\r\nSet-Cookie: x=1", "../../etc/passwd", "晶圆.png"],
)
def test_any_name_makes_one_sound_header(name: str) -> None:
    answer = attachment(iter([b"ab"]), name, 2)
    header = answer.headers["Content-Disposition"]
    assert header.isascii()
    assert "\r" not in header
    assert "\n" not in header
    assert header.count('"') == 2
    plain = header.split('filename="')[1].split('"')[0]
    assert "/" not in plain
    assert unquote(header.split("UTF-8''")[1]) == name
    assert answer.headers["Content-Length"] == "2"
    assert answer.media_type == "application/octet-stream"


def test_without_a_size_none_is_claimed() -> None:
    assert "Content-Length" not in attachment(iter([b"ab"]), "a").headers
