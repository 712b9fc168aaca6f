"""Passwords: which are good enough, and how they are kept (argon2id)."""

from __future__ import annotations

import secrets
from functools import cache
from typing import Final

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from zxcvbn import zxcvbn

from waferscope.errors import InputError

SHORTEST: Final = 12
LONGEST: Final = 200
WEAKEST: Final = 3
"""Least score of zxcvbn, 0 to 4: 3 takes more than 10^8 guesses, common words counted as such."""
ESTIMATED: Final = 72
"""Characters that zxcvbn looks at; its time grows with the square."""

_HASHES: Final = PasswordHash((Argon2Hasher(),))


def check_password(password: str, *about: str) -> None:
    """Raise InputError if the password is short, common, or made of what is ``about`` its owner."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(
            f"Expected a password of {SHORTEST} to {LONGEST} characters, got {len(password)}. "
            "Take several words that do not belong together."
        )
    found = zxcvbn(password[:ESTIMATED], user_inputs=[*filter(None, about), "waferscope"])
    if found["score"] < WEAKEST:
        why = found["feedback"]["warning"] or "it follows a pattern"
        raise InputError(
            f"Expected a password that is hard to guess, got a common one ({why.rstrip('.')}). "
            "Take several words that do not belong together."
        )


def hash_password(password: str) -> str:
    """Return the argon2id hash, with its salt and cost in it."""
    return _HASHES.hash(password)


def verify_password(password: str, hashed: str | None) -> bool:
    """Return whether it is the password. Without a hash it takes as long, and is not."""
    known = hashed is not None
    right = _HASHES.verify(password, hashed if hashed is not None else _nobody())
    return right and known


@cache
def _nobody() -> str:
    return hash_password(secrets.token_urlsafe(16))


def new_password() -> str:
    """Return a one-time password: 20 letters and digits, 103 bits."""
    letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(letters) for _ in range(20))
