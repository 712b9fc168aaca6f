"""XML within limits: what it reads, and what it will not have anything to do with."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope.errors import FormatError
from waferscope.io.archive import Blob
from waferscope.io.semi import xml
from waferscope.io.semi.xml import DEEPEST, Node, read_xml, tag, xml_text


def parsed(data: bytes) -> Node:
    return read_xml(Blob("map.xml", "", io.BytesIO(data)))


def test_names_lose_case_and_namespace() -> None:
    root = parsed(
        b'<?xml version="1.0"?><!-- x --><s:Map xmlns:s="urn:x" s:WaferID=" W1 ">'
        b"\n <Row>\n1<![CDATA[2 ]]>3</Row><Row/><Data><ROW>4</ROW></Data></s:Map>"
    )
    assert (root.name, root.get("waferid"), root.get("Other", "WaferId")) == ("map", "W1", "W1")
    assert [node.text for node in root.all("Row")] == ["\n12 3", ""]
    assert [node.text for node in root.walk("row")] == ["\n12 3", "", "4"]
    assert root.first("data") is root.children[2]
    assert (root.first("none"), root.value("data"), root.value("row")) == (None, "", "12 3")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "ascii"])
def test_encodings(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><a>x</a>'
    assert parsed(text.encode(encoding)).text == "x"


BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (BOMB, "without entities"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:x">]><a>&x;</a>', "without entities"),
        (b'<!DOCTYPE a [<!ATTLIST b c CDATA "long">]><a><b/></a>', "without entities"),
        (b'<!DOCTYPE a SYSTEM "http://x/a.dtd"><a>&x;</a>', "well-formed|without entities"),
        (b"", "well-formed"),
        (b"<a>", "well-formed"),
        (b"<a></b>", "well-formed"),
        (b"<a>\0</a>", "well-formed"),
        (b"<a b='1' b='2'/>", "well-formed"),
        (b'<?xml version="1.0" encoding="nope"?><a/>', "well-formed"),
        (b'<?xml version="1.0" encoding="gbk"?><a/>', "well-formed"),
        (b'<?xml version="1.0" encoding="utf-16"?><a/>', "well-formed"),
        (b"<a>" * (DEEPEST + 1), "deep"),
        (b"<a>" + b"<!--" + b"x" * (3 << 20), "tag or comment"),
        (b"<a " + b" ".join(b'x%d=""' % n for n in range(300_000)), "tag or comment"),
    ],
)
def test_refused(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        parsed(data)


@pytest.mark.parametrize(
    ("name", "inner", "words"),
    [
        ("MOST_PARTS", b'<b c=""/>', "elements and attributes"),
        ("_MOST_MARKS", b"<b/><!---->", "tags and comments"),
        ("_MOST_MARKS", b"<b/><![CDATA[]]>", "tags and comments"),
        ("LARGEST", b"text", "bytes"),
    ],
)
def test_limits(monkeypatch: pytest.MonkeyPatch, name: str, inner: bytes, words: str) -> None:
    monkeypatch.setattr(xml, name, 1000)
    assert parsed(b"<a>" + inner * 50 + b"</a>").name == "a"
    with pytest.raises(FormatError, match=words):
        parsed(b"<a>" + inner * 600 + b"</a>")


def test_a_plain_document_type_is_harmless() -> None:
    assert parsed(b'<!DOCTYPE Map SYSTEM "G85.dtd"><Map/>').name == "map"


@settings(max_examples=60)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")))
def test_text_comes_back(text: str) -> None:
    tabbed = f"x{text}\t\r\ny"
    (line,) = tag("a", {"b": tabbed, "empty": "", "none": None})
    root = parsed(line.encode())
    assert root.attrs == {"b": tabbed}
    assert parsed(f"<a>{xml_text(tabbed)}</a>".encode()).text == tabbed


def test_elements_in_each_other() -> None:
    assert tag("a", {"n": 1}, tag("b", {}, ["<c/>"])) == [
        '<a n="1">',
        "  <b>",
        "    <c/>",
        "  </b>",
        "</a>",
    ]


@pytest.mark.parametrize("sign", ["\0", "\x1b", "\ud800", "\ufffe"])
def test_signs_that_xml_cannot_hold(sign: str) -> None:
    with pytest.raises(FormatError, match="XML can hold"):
        xml_text(f"a{sign}")
