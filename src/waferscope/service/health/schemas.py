"""What `health` answers."""

from __future__ import annotations

from typing import Literal

from waferscope.service.schema import Answer


class Alive(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class Part(Answer):
    """One part: whether it answers, whether requests need it, and what it said if not."""

    name: Literal["database", "blobs", "cache", "model", "worker"]
    ok: bool
    needed: bool
    detail: str = ""


class Readiness(Answer):
    """Whether every part that requests need answers."""

    ready: bool
    parts: list[Part]
