"""The four roles, each with all that those before it may do."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Viewer reads; annotator also uploads and marks; engineer also trains; admin also manages."""

    VIEWER = "viewer"
    ANNOTATOR = "annotator"
    ENGINEER = "engineer"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Place in the order of authority, 0 to 3."""
        return list(Role).index(self)

    def covers(self, other: Role) -> bool:
        """Return whether this role may do all that the other may.

        >>> Role.ENGINEER.covers(Role.VIEWER), Role.VIEWER.covers(Role.ENGINEER)
        (True, False)
        """
        return self.rank >= other.rank


def lesser(first: Role, second: Role) -> Role:
    """Return the role with less authority."""
    return first if second.covers(first) else second
