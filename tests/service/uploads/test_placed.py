"""Blobs before rows: none is left over when it is sure, none is lost when it is not."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from waferscope.errors import InputError, UnavailableError
from waferscope.service.idempotency import AnsweredBefore
from waferscope.service.storage import Blobs
from waferscope.service.uploads.placed import Placed

NAMES = ["uploads/aa/f", *(f"wafers/aa/w{number}" for number in range(20))]


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs((tmp_path / "blobs").as_uri())


def place(blobs: Blobs, folder: Path, error: Exception | None, keep: list[str]) -> None:
    path = folder / "file"
    path.write_bytes(b"whole file")
    allowed = suppress(InputError, UnavailableError, AnsweredBefore, RuntimeError)
    with allowed, Placed(blobs) as placed:
        placed.put_file(NAMES[0], path)
        placed.put_all({name: name.encode for name in NAMES[1:]})
        if error is not None:
            raise error
        placed.keep(keep)


def test_what_is_kept_stays_and_the_rest_goes(blobs: Blobs, tmp_path: Path) -> None:
    place(blobs, tmp_path, None, NAMES[:3])
    assert sorted(blobs.names()) == sorted(NAMES[:3])
    assert blobs.get(NAMES[0]) == b"whole file"
    assert blobs.get(NAMES[1]) == NAMES[1].encode()


@pytest.mark.parametrize("error", [InputError("no"), AnsweredBefore(201, "{}")])
def test_a_refusal_leaves_nothing(blobs: Blobs, tmp_path: Path, error: Exception) -> None:
    place(blobs, tmp_path, error, NAMES)
    assert list(blobs.names()) == []


@pytest.mark.parametrize("error", [UnavailableError("gone"), RuntimeError("a fault")])
def test_where_rows_may_be_there_blobs_stay(blobs: Blobs, tmp_path: Path, error: Exception) -> None:
    place(blobs, tmp_path, error, [])
    assert sorted(blobs.names()) == sorted(NAMES)
