"""One question to each part: failures and silence are named, and stop nobody else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from waferscope.errors import UnavailableError
from waferscope.service.health import probes
from waferscope.service.health.schemas import Part
from waferscope.service.parts import Parts


def ask(house: Parts) -> dict[str, Part]:
    return {part.name: part for part in asyncio.run(probes.probe(house))}


def test_a_part_that_fails_says_why(house: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise UnavailableError("gone")

    monkeypatch.setattr(house.blobs, "ping", fail)
    parts = ask(house)
    assert (parts["blobs"].ok, parts["blobs"].needed, parts["blobs"].detail) == (
        False,
        True,
        "gone",
    )
    assert parts["database"].ok


def test_a_part_that_is_silent_is_not_waited_for(
    house: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sleep() -> bool:
        await asyncio.sleep(30)
        return True

    monkeypatch.setattr(probes, "PATIENCE_S", 0.5)
    monkeypatch.setattr(house.cache, "ping", sleep)
    began = time.monotonic()
    parts = ask(house)
    assert time.monotonic() - began < 15
    assert parts["cache"].detail == "No answer within 0.5 s."
    assert not parts["cache"].needed


def test_a_model_that_is_not_there_is_missed(house: Parts) -> None:
    lost = house.settings.model_copy(update={"model": Path("none.onnx")})
    parts = ask(Parts(**{**vars(house), "settings": lost}))
    assert not parts["model"].ok
    assert "none.onnx" in parts["model"].detail
