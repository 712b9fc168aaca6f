"""One question to each part: failures and silence are named, and stop nobody else."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from waferscope import infer
from waferscope.errors import UnavailableError
from waferscope.service.engine import Engine
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


def with_model(house: Parts, path: Path) -> Parts:
    return Parts(**{**vars(house), "engine": Engine(house.figures, path)})


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_a_model_that_cannot_be_opened_is_missed(
    house: Parts, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "junk.onnx"
    if content is not None:
        path.write_bytes(content)
    model = ask(with_model(house, path))["model"]
    assert (model.ok, model.needed) == (False, True)
    assert "junk.onnx" in model.detail
    assert str(tmp_path) not in model.detail


def test_the_model_is_opened_once_for_all_that_ask(
    house: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[int] = []
    load = infer.load_predictor

    def counted(model: Path | None, threads: int) -> infer.Predictor:
        loaded.append(threads)
        return load(model, threads)

    monkeypatch.setattr(infer, "load_predictor", counted)

    async def ask_thrice() -> list[Part]:
        return [part for _ in range(3) for part in await probes.probe(house)]

    parts = asyncio.run(ask_thrice())
    assert [part.ok for part in parts if part.name == "model"] == [True] * 3
    assert len(loaded) == 1


def test_a_model_that_takes_long_to_open_holds_up_nobody(
    house: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    load = infer.load_predictor

    def slow(model: Path | None, threads: int) -> infer.Predictor:
        assert answered.wait(60), "the loop was blocked"
        return load(model, threads)

    monkeypatch.setattr(infer, "load_predictor", slow)
    monkeypatch.setattr(probes, "PATIENCE_S", 0.5)

    async def ask_twice() -> tuple[Part, Part]:
        first = {part.name: part for part in await probes.probe(house)}["model"]
        answered.set()
        await house.engine.open()
        return first, {part.name: part for part in await probes.probe(house)}["model"]

    first, second = asyncio.run(ask_twice())
    assert first.detail == "No answer within 0.5 s."
    assert second.ok
