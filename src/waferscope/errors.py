"""Every exception the package raises on purpose.

    WaferScopeError
    ├── InputError            a value given by the caller is wrong (also a ValueError)
    │   ├── WaferError        the value cannot be a wafer map
    │   └── ConfigError       a recipe, taxonomy or setting cannot be used
    ├── FormatError           a file cannot be read or written as the format it claims
    ├── ModelError            a model file is missing, damaged or made for another contract
    └── MissingExtraError     an optional dependency is not installed (also an ImportError)

Each message says what was expected, what came, and what to do about it.
"""

from __future__ import annotations


class WaferScopeError(Exception):
    """Root of the tree; catching it catches everything raised on purpose."""

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
