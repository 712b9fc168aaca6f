"""Passwords: which are refused, and that a hash tells nothing and takes its time."""

from __future__ import annotations

import pytest

from waferscope.errors import InputError
from waferscope.service.auth.passwords import (
    check_password,
    hash_password,
    new_password,
    verify_password,
)


@pytest.mark.parametrize("length", [0, 11, 201])
def test_lengths_have_bounds(length: int) -> None:
    with pytest.raises(InputError, match=f"12 to 200 characters, got {length}"):
        check_password(("kX9$q" * 50)[:length])


@pytest.mark.parametrize(
    "common",
    [
        "password1234",
        "passwordpassword",
        "123456789012",
        "qwertyuiopas",
        "aaaaaaaaaaaa",
        "iloveyou1234",
        "waferscope2026",
        "ada.lovelace1",
    ],
)
def test_common_ones_are_refused(common: str) -> None:
    with pytest.raises(InputError, match="hard to guess"):
        check_password(common, "ada.lovelace")


@pytest.mark.parametrize(
    "good", ["kelp-orbit-tannin-7", "correct zebra paints quietly", "пароль-кедр-орбита-9"]
)
def test_good_ones_are_taken(good: str) -> None:
    check_password(good, "ada")


def test_the_longest_is_judged_at_once() -> None:
    check_password("kelp-orbit-tannin-7" + "x" * 181)


def test_a_hash_fits_its_password_alone() -> None:
    first, second = hash_password("kelp-orbit-tannin-7"), hash_password("kelp-orbit-tannin-7")
    assert first != second
    assert first.startswith("$argon2id$")
    assert verify_password("kelp-orbit-tannin-7", first)
    assert not verify_password("kelp-orbit-tannin-8", first)


def test_nobody_has_no_password() -> None:
    assert not verify_password("", None)
    assert not verify_password("kelp-orbit-tannin-7", None)


def test_one_time_passwords_are_good_ones() -> None:
    made = {new_password() for _ in range(20)}
    assert len(made) == 20
    for password in made:
        check_password(password)
