"""Every exception the package raises on purpose.

    WaferScopeError
    ├── InputError            a value given by the caller is wrong (also a ValueError)
    │   ├── WaferError        the value cannot be a wafer map
    │   └── ConfigError       a recipe, taxonomy or setting cannot be used
    ├── FormatError           a file cannot be read or written as the format it claims
    ├── ModelError            a model file is missing, damaged or made for another contract
    ├── MissingExtraError     an optional dependency is not installed (also an ImportError)
    ├── AccessError           whoever asks may not have what was asked for
    │   ├── IdentityError     nobody knows who asks: credentials are missing, wrong or expired
    │   └── RightsError       who asks is known, and may not do this
    ├── NotFoundError         what was asked for is not there
    ├── ConflictError         it contradicts what is there already
    ├── LimitError            more was asked for than is allowed
    │   ├── RateError         too often; says when to try again
    │   └── SizeError         too much at once
    └── UnavailableError      a part is out of reach for the moment: database, blobs, cache, model
        └── FullError         the disk or the store has no room left

Each message says what was expected, what came, and what to do about it.
"""

from __future__ import annotations

from typing import ClassVar


class WaferScopeError(Exception):
    """Root of the tree; catching it catches everything raised on purpose."""

    keeps_changes: ClassVar[bool] = False
    """Whether what was recorded before it was raised is kept: a refused login is counted."""

    @classmethod
    def build(cls, *, expected: str, got: str, cure: str) -> WaferScopeError:
        """Return the error whose message names what was expected, what came and the cure.

        >>> str(InputError.build(expected="a 2-D array", got="1-D", cure="Reshape it."))
        'Expected a 2-D array, got 1-D. Reshape it.'
        """
        return cls(f"Expected {expected}, got {got}. {cure}")


class InputError(WaferScopeError, ValueError):
    """A value given by the caller is wrong."""


class WaferError(InputError):
    """The value cannot be a wafer map."""


class ConfigError(InputError):
    """A recipe, taxonomy or setting cannot be used."""


class FormatError(WaferScopeError):
    """A file cannot be read or written as the format it claims to be."""


class ModelError(WaferScopeError):
    """A model file is missing, damaged, or made for another contract."""


class MissingExtraError(WaferScopeError, ImportError):
    """An optional dependency is not installed."""


class AccessError(WaferScopeError):
    """Whoever asks may not have what was asked for."""


class IdentityError(AccessError):
    """Nobody knows who asks: credentials are missing, wrong or expired."""

    keeps_changes = True


class RightsError(AccessError):
    """Who asks is known, and may not do this."""


class NotFoundError(WaferScopeError):
    """What was asked for is not there, or is not to be seen by whoever asks."""


class ConflictError(WaferScopeError):
    """It contradicts what is there already."""


class LimitError(WaferScopeError):
    """More was asked for than is allowed."""


class RateError(LimitError):
    """Too often: ``retry_after`` is the number of seconds to wait."""

    def __init__(self, message: str = "", *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SizeError(LimitError):
    """Too much at once."""


class UnavailableError(WaferScopeError):
    """A part is out of reach for the moment; ``retry_after`` is the number of seconds to wait."""

    def __init__(self, message: str = "", *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class FullError(UnavailableError):
    """The disk or the store has no room left."""
