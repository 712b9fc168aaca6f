"""Answers: the library's records, computed once, cached, kept when asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from tests.service.conftest import Person, add_person
from tests.service.stored import make_wafer, store_wafers
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import NotFoundError, SizeError, UnavailableError
from waferscope.infer import Predictor, load_predictor
from waferscope.service.auth.identity import Identity
from waferscope.service.auth.roles import Role
from waferscope.service.parts import Parts
from waferscope.service.predictions import answer
from waferscope.service.predictions.schemas import Options, Rendering

VERSION = "0"
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load_predictor(threads=1)


@pytest.fixture
def person(house: Parts) -> Person:
    return add_person(house, "annotator")


@pytest.fixture
def run(house: Parts) -> Iterator[Run]:
    """Runs what is asynchronous, all of a test in one event loop, as in a server."""
    with asyncio.Runner() as runner:
        yield runner.run
        runner.run(house.cache.close())


def identity(person: Person) -> Identity:
    return Identity(person.id, person.name, Role.ANNOTATOR, person.sitting_id, "token")


def runs(house: Parts) -> float:
    """Over how many wafers the model has run."""
    samples = next(iter(house.figures.batch_sizes.collect())).samples
    return next(one.value for one in samples if one.name.endswith("_sum"))


def ask(house: Parts, run: Run, ids: Sequence[str], **options: Any) -> list[dict[str, Any]]:
    body, _ = run(answer.answer_stored(house, ids, Options(**options), VERSION))
    found: list[dict[str, Any]] = json.loads(body)["predictions"]
    return found


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """A record as JSON has it."""
    found: dict[str, Any] = json.loads(json.dumps(record))
    return found


@pytest.mark.parametrize("masks", ["rle", "none"])
@pytest.mark.parametrize("polygons", [True, False])
@pytest.mark.parametrize("metrics", [True, False])
def test_what_is_not_wanted_is_left_out(
    predictor: Predictor, masks: str, polygons: bool, metrics: bool
) -> None:
    prediction = predictor.predict(make_wafer(5))
    rendering = Rendering.model_validate({"masks": masks, "polygons": polygons, "metrics": metrics})
    whole = plain(prediction.to_dict(polygons=polygons))
    left_out = {
        name for name, kept in (("masks", masks == "rle"), ("metrics", metrics)) if not kept
    }
    assert json.loads(answer.render(prediction, rendering)) == {
        name: value for name, value in whole.items() if name not in left_out
    }


def test_stored_wafers_are_answered_as_the_library_answers(
    house: Parts, person: Person, predictor: Predictor, run: Run
) -> None:
    wafers = [make_wafer(seed) for seed in range(3)]
    ids = store_wafers(house, person.id, wafers)
    found = ask(house, run, ids[::-1], threshold=0.3, polygons=True)
    assert [one["wafer_map_id"] for one in found] == ids[::-1]
    assert {one["prediction_id"] for one in found} == {None}
    wanted = predictor.predict(wafers[::-1], threshold=0.3)
    assert [one["prediction"] for one in found] == [plain(one.to_dict()) for one in wanted]


def test_what_was_asked_before_is_not_computed_again(
    house: Parts, person: Person, run: Run
) -> None:
    ids = store_wafers(house, person.id, [make_wafer(seed) for seed in range(2)])

    async def twice() -> tuple[bytes, bytes]:
        first, tag = await answer.answer_stored(house, ids, Options(), VERSION)
        again, same = await answer.answer_stored(house, ids, Options(), VERSION)
        assert tag == same
        for other in (Options(threshold=0.4), Options(polygons=True), Options(masks="none")):
            _, another = await answer.answer_stored(house, ids, other, VERSION)
            assert another != tag
        _, newer = await answer.answer_stored(house, ids, Options(), "1")
        assert newer != tag
        return first, again

    first, again = run(twice())
    assert first == again
    assert runs(house) == 2 + 4 * 2


def test_a_kept_prediction_answers_without_the_model(
    house: Parts, person: Person, run: Run
) -> None:
    ids = store_wafers(house, person.id, [make_wafer(seed) for seed in range(2)])
    options = Options(threshold=0.4)
    run(answer.keep_stored(house, identity(person), ids, options, VERSION))
    before = runs(house)
    version = house.engine.version()
    body, _ = run(answer.answer_stored(house, ids, options, version))
    found = json.loads(body)["predictions"]
    assert all(one["prediction_id"].startswith("pred_") for one in found)
    assert runs(house) == before
    # Kept once, it is not made again.
    run(answer.keep_stored(house, identity(person), ids, options, version))
    assert runs(house) == before


def test_wafers_inline_are_answered_without_ids(
    house: Parts, predictor: Predictor, run: Run
) -> None:
    wafers = [make_wafer(1), make_wafer(2, 33)]
    body = run(answer.answer_given(house, wafers, Options(), VERSION))
    found = json.loads(body)
    assert found["model_version"] == VERSION
    assert [(one["wafer_map_id"], one["prediction_id"]) for one in found["predictions"]] == [
        (None, None)
    ] * 2
    wanted = [plain(one.to_dict(polygons=False)) for one in predictor.predict(wafers)]
    assert [one["prediction"] for one in found["predictions"]] == wanted


def test_a_request_is_bounded(house: Parts, run: Run) -> None:
    side = 1000
    wafers = [WaferMap(np.ones((side, side), np.uint8))] * (answer.MOST_CELLS // side**2 + 1)
    with pytest.raises(SizeError, match="cells"):
        run(answer.answer_given(house, wafers, Options(), VERSION))


def test_large_answers_are_not_cached(house: Parts, run: Run) -> None:
    noise = np.random.default_rng(0).bytes(answer.MOST_CACHED + 1000)

    async def remembered(data: bytes) -> bytes | None:
        await answer.remember(house, "key", data)
        found = await answer.look_up(house, "key")
        await house.cache.delete("key")
        return found

    assert run(remembered(noise)) is None
    assert run(remembered(noise[:1000])) == noise[:1000]


def test_a_wafer_without_its_blob_is_missed(house: Parts, person: Person, run: Run) -> None:
    (wafer_id,) = store_wafers(house, person.id, [make_wafer(1)])
    for name in list(house.blobs.names()):
        house.blobs.delete(name)
    with pytest.raises((NotFoundError, UnavailableError)):
        ask(house, run, [wafer_id])
