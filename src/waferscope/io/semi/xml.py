"""XML in and out, with limits: what E142 and G85 files are made of.

Names of elements and attributes are kept in lower case and without their namespace, because files
differ in both. Entities, external references and a document type with rules of its own are
refused, so nothing can grow out of a small file or lead to another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException, DTDForbidden
from defusedxml.ElementTree import DefusedXMLParser

from waferscope.errors import FormatError
from waferscope.io.archive import Blob

LARGEST: Final = 96 << 20
"""Bytes of one file; a map of 4096x4096 dies of four digits has 64 MiB."""
DEEPEST: Final = 32
MOST_PARTS: Final = 400_000
"""Elements and attributes of one file; a list of 130,000 dies with x and y has as many."""
_MOST_MARKS: Final = 1_000_000
"""Signs that begin a tag, a comment or a section; each of them costs time."""
_STEP: Final = 1 << 16
_LONGEST_TOKEN: Final = 1 << 20
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True, eq=False)
class Node:
    """One element: its name and attributes, the text directly in it, the elements in it."""

    name: str
    attrs: dict[str, str]
    texts: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text directly in the element, as it stands."""
        return "".join(self.texts)

    def get(self, *names: str) -> str:
        """Return the first of these attributes that has a value, without blanks around it."""
        values = (self.attrs.get(name.lower(), "").strip() for name in names)
        return next((value for value in values if value), "")

    def all(self, name: str) -> list[Node]:
        """Return the elements of this name directly in it."""
        return [child for child in self.children if child.name == name.lower()]

    def first(self, name: str) -> Node | None:
        """Return the first element of this name directly in it."""
        return next(iter(self.all(name)), None)

    def walk(self, name: str) -> Iterator[Node]:
        """Yield the elements of this name at any depth, itself included, in the file's order."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            if node.name == name.lower():
                yield node
            waiting += reversed(node.children)

    def value(self, name: str) -> str:
        """Return the text of the first such element directly in it, or the attribute's value."""
        child = self.first(name)
        return (child.text.strip() if child is not None else "") or self.get(name)


def read_xml(blob: Blob) -> Node:
    """Return the root element; raise FormatError for XML that is damaged, unsafe or too large."""
    tree = _Tree(blob.name)
    parser = _Parser(target=tree, forbid_dtd=True)
    size = marks = waiting = 0
    try:
        for chunk in blob.chunks():
            size += len(chunk)
            if size > LARGEST:
                raise _refused(blob.name, f"more than {LARGEST:,} bytes")
            marks += chunk.count(b"<")
            if marks > _MOST_MARKS:
                raise _refused(blob.name, f"more than {_MOST_MARKS:,} tags and comments")
            for start in range(0, len(chunk), _STEP):
                before = tree.events
                parser.feed(chunk[start : start + _STEP])
                waiting = waiting + _STEP if tree.events == before else 0
                if waiting > _LONGEST_TOKEN:
                    raise _refused(blob.name, f"a tag or comment of over {_LONGEST_TOKEN:,} bytes")
        parser.close()
    except DefusedXmlException as error:
        raise FormatError(
            f"Expected XML without entities or a document type of its own, got {blob.name} with "
            f"one ({type(error).__name__}). Take it out, if you trust the file."
        ) from error
    # LookupError, ValueError: an encoding that is unknown or that the parser cannot read
    except (ParseError, LookupError, ValueError) as error:
        raise FormatError(
            f"Expected well-formed XML, got {blob.name} damaged or cut short ({error}). "
            "Write it again."
        ) from error
    if blob.cut_short or tree.root is None:
        raise FormatError(
            f"Expected a whole XML file, got {blob.name} ({blob.cut_short or 'empty'}). "
            "Fetch or pack it again."
        )
    return tree.root


def xml_text(text: str) -> str:
    """Return a text as XML holds it; raise FormatError for characters that XML cannot hold.

    >>> xml_text('<7"')
    '&lt;7&quot;'
    """
    if (illegal := _ILLEGAL.search(text)) is not None:
        raise FormatError(
            f"Expected text that XML can hold, got {text[:40]!r} with {illegal[0]!r}. Rename it."
        )
    return re.sub("[\t\n\r]", lambda blank: f"&#{ord(blank[0])};", escape(text, quote=True))


def tag(name: str, attrs: Mapping[str, object], inner: Iterable[str] | None = None) -> list[str]:
    """Return the lines of an element; attributes that are None or "" are left out.

    >>> tag("Bin", {"BinCode": "01", "BinDescription": ""})
    ['<Bin BinCode="01"/>']
    """
    pairs = ((key, str(value)) for key, value in attrs.items() if value not in (None, ""))
    opening = "".join([name, *(f' {key}="{xml_text(value)}"' for key, value in pairs)])
    if inner is None:
        return [f"<{opening}/>"]
    return [f"<{opening}>", *(f"  {line}" for line in inner), f"</{name}>"]


class _Parser(DefusedXMLParser):
    """Refuses a document type that brings rules: default attributes can grow without bounds."""

    def defused_start_doctype_decl(
        self, name: Any, sysid: Any, pubid: Any, has_internal_subset: Any
    ) -> None:
        if has_internal_subset:
            raise DTDForbidden(name, sysid, pubid)


class _Tree:
    """What the parser calls: builds nodes, and counts them."""

    def __init__(self, name: str) -> None:
        self.root: Node | None = None
        self.events = 0
        self._name = name
        self._parts = 0
        self._open: list[Node] = []

    def start(self, name: str, attrs: Mapping[str, str]) -> None:
        self.events += 1
        self._parts += 1 + len(attrs)
        if self._parts > MOST_PARTS:
            raise _refused(self._name, f"more than {MOST_PARTS:,} elements and attributes")
        if len(self._open) >= DEEPEST:
            raise _refused(self._name, f"elements in each other more than {DEEPEST} deep")
        node = Node(_local(name), {_local(key): value for key, value in attrs.items()})
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def data(self, text: str) -> None:
        self.events += 1
        if self._open and (self._open[-1].texts or not text.isspace()):
            self._open[-1].texts.append(text)

    def end(self, _name: str) -> None:
        self.events += 1
        self._open.pop()

    def close(self) -> Node | None:
        return self.root


def _local(name: str) -> str:
    return name.rpartition("}")[2].lower()


def _refused(name: str, what: str) -> FormatError:
    return FormatError(
        f"Expected an XML file of a wafer map, got {name} with {what}. "
        "Check that it is one, or split it."
    )
