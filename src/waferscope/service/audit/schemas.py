"""What `audit` is asked and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from waferscope.service.moment import Moment
from waferscope.service.schema import Answer


class Wanted(Answer):
    """Which entries: those that agree with all that is given."""

    actor_id: str | None = Field(default=None, max_length=40, description="what one user did")
    action: str | None = Field(default=None, max_length=60, description="as `users.create`")
    target: str | None = Field(default=None, max_length=200, description="an id")
    since: Moment | None = None
    until: Moment | None = None


class EntryShown(Answer):
    """Who did what to what. ``via`` tells how: ``token:sit_...``, ``key:key_...``, ``system``."""

    id: int
    at: datetime
    actor_id: str
    actor: str
    via: str
    action: str
    target: str
    detail: dict[str, Any]
    request_id: str
    address: str
