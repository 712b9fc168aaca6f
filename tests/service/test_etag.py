"""Entity tags, compared as RFC 9110, section 13.1.2, says."""

from __future__ import annotations

import pytest
from fastapi import Request

from waferscope.service.etag import is_known, tag_of, unchanged

TAG = tag_of("waf_1", "png")


def request(header: str | None) -> Request:
    headers = [] if header is None else [(b"if-none-match", header.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize("header", [TAG, f"W/{TAG}", f'"other", {TAG}', f'"a",W/{TAG} ,"b"', "*"])
def test_a_tag_is_known_in_any_list(header: str) -> None:
    assert is_known(request(header), TAG)


@pytest.mark.parametrize("header", [None, "", '"other"', TAG.strip('"'), tag_of("waf_2", "png")])
def test_another_tag_is_not(header: str | None) -> None:
    assert not is_known(request(header), TAG)


def test_parts_do_not_run_into_each_other() -> None:
    assert len({tag_of("ab", "c"), tag_of("a", "bc"), tag_of("abc"), tag_of("abc", "")}) == 4


def test_who_has_it_already_gets_no_body() -> None:
    answer = unchanged(TAG)
    assert (answer.status_code, answer.body, answer.headers["ETag"]) == (304, b"", TAG)
    assert "no-cache" in answer.headers["Cache-Control"]


def test_what_the_whole_answer_says_of_itself_is_said_again() -> None:
    answer = unchanged(TAG, {"Content-Security-Policy": "sandbox"})
    assert answer.headers["Content-Security-Policy"] == "sandbox"
