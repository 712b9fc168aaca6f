"""The model of the house: single wafers run together, and get what they would get alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from tests.service.stored import make_wafer
from waferscope import infer
from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import InputError, NotFoundError, SizeError, UnavailableError
from waferscope.infer import Predictor, load_predictor
from waferscope.infer.model_file import find_model
from waferscope.service.engine import MOST_CELLS, Engine
from waferscope.service.telemetry import Figures

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def figures() -> Figures:
    return Figures()


@pytest.fixture
def engine(figures: Figures) -> Iterator[Engine]:
    one = Engine(figures, threads=1, gather_ms=50)
    yield one
    one.close()


@pytest.fixture(scope="module")
def alone() -> Predictor:
    return load_predictor(threads=1)


def sizes(figures: Figures) -> tuple[float, float]:
    """How often the model ran, and over how many wafers in all."""
    found = {one.name: one.value for one in next(iter(figures.batch_sizes.collect())).samples}
    return found["waferscope_batch_wafers_count"], found["waferscope_batch_wafers_sum"]


async def predict_all(engine: Engine, wafers: list[WaferMap], **more: Any) -> list[Prediction]:
    return await asyncio.gather(*(engine.predict_one(wafer, **more) for wafer in wafers))


def test_fifty_clients_do_not_run_fifty_sessions(
    engine: Engine, figures: Figures, alone: Predictor
) -> None:
    wafers = [make_wafer(seed) for seed in range(50)]
    found = asyncio.run(predict_all(engine, wafers))
    runs, total = sizes(figures)
    assert (total, runs < 10) == (50, True)
    for prediction, wafer in zip(found, wafers, strict=True):
        assert prediction.wafer is wafer
        assert prediction.to_dict() == alone.predict(wafer).to_dict()


def test_small_wafers_run_beside_each_other_and_large_ones_one_by_one(
    figures: Figures, alone: Predictor
) -> None:
    engine = Engine(figures, threads=2, gather_ms=20)
    wafers = [make_wafer(seed, side) for side in (24, 90) for seed in range(8)]
    found = asyncio.run(predict_all(engine, wafers))
    engine.close()
    assert sizes(figures)[1] == 16
    for prediction, wafer in zip(found, wafers, strict=True):
        assert prediction.to_dict() == alone.predict(wafer).to_dict()


def test_each_gets_its_own_threshold(engine: Engine, alone: Predictor) -> None:
    wafer = make_wafer(3)

    async def each() -> tuple[Prediction, Prediction, Prediction]:
        return await asyncio.gather(
            engine.predict_one(wafer, 0.1),
            engine.predict_one(wafer, 0.9),
            engine.predict_one(wafer),
        )

    low, high, own = asyncio.run(each())
    assert low.to_dict() == alone.predict(wafer, threshold=0.1).to_dict()
    assert high.to_dict() == alone.predict(wafer, threshold=0.9).to_dict()
    assert own.to_dict() == alone.predict(wafer).to_dict()


def test_who_asked_wrongly_is_told_and_the_others_are_served(engine: Engine) -> None:
    async def mixed() -> tuple[Prediction | BaseException, Prediction | BaseException]:
        return await asyncio.gather(
            engine.predict_one(make_wafer(1), 7.0),
            engine.predict_one(make_wafer(2)),
            return_exceptions=True,
        )

    wrong, right = asyncio.run(mixed())
    assert isinstance(wrong, InputError)
    assert isinstance(right, Prediction)
    assert right.wafer == make_wafer(2)


def test_many_wafers_are_predicted_at_once(
    engine: Engine, figures: Figures, alone: Predictor
) -> None:
    wafers = [make_wafer(seed, side) for seed, side in ((1, 24), (2, 40), (3, 24))]
    found = engine.predict(wafers)
    assert [one.to_dict() for one in found] == [one.to_dict() for one in alone.predict(wafers)]
    counted = {
        (sample.labels["label"], sample.labels["model"]): sample.value
        for sample in next(iter(figures.predictions.collect())).samples
        if sample.name.endswith("_total")
    }
    labels = [label for one in found for label in one.labels or ["none"]]
    assert counted == {(name, alone.model.version): labels.count(name) for name in labels}


def test_a_wafer_of_several_labels_counts_for_each(engine: Engine, figures: Figures) -> None:
    (plain,) = engine.predict([make_wafer(1)])
    certain = dict.fromkeys(plain.patterns, 0.0) | {"Center": 1.0, "Scratch": 1.0}
    engine._count([replace(plain, patterns=certain)])
    version = plain.model_version
    for label in ("Center", "Scratch"):
        before = plain.labels.count(label)
        assert figures.predictions.labels(label, version)._value.get() == before + 1


def test_a_huge_wafer_is_refused(engine: Engine) -> None:
    huge = WaferMap(np.ones((MOST_CELLS // 1000 + 1, 1000), np.uint8))
    with pytest.raises(SizeError, match="cells"):
        engine.predict([make_wafer(1), huge])
    with pytest.raises(SizeError, match="cells"):
        asyncio.run(engine.predict_one(huge))


def test_only_the_model_that_is_there_is_served(engine: Engine, alone: Predictor) -> None:
    own = alone.model.version
    assert asyncio.run(engine.open()) == engine.version(own) == own
    with pytest.raises(NotFoundError, match=r"\(0\..*\), got '9\.9'"):
        asyncio.run(engine.open("9.9"))


def test_a_model_that_cannot_be_opened_is_named_and_where_it_lies_is_not(
    figures: Figures, tmp_path: Path
) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"no model")
    for name in ("none.onnx", "junk.onnx"):
        broken = Engine(figures, tmp_path / name)
        for asked in (broken.open(), broken.predict_one(make_wafer(1))):
            with pytest.raises(UnavailableError, match=name) as caught:
                asyncio.run(asked)
            assert str(tmp_path) not in str(caught.value)
        broken.close()


def test_a_refused_file_is_logged_once_and_tried_again_once_it_has_changed(
    figures: Figures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, tried = tmp_path / "model.onnx", []
    load = infer.load_predictor

    def counted(model: Path, threads: int) -> Predictor:
        tried.append(threads)
        return load(model, threads)

    monkeypatch.setattr(infer, "load_predictor", counted)
    engine = Engine(figures, path, threads=1)
    with capture_logs() as logged:
        for content in (None, b"no model", b"no model either"):
            if content is not None:
                path.write_bytes(content)
            for _ in range(3):
                with pytest.raises(UnavailableError):
                    engine.version()
    assert len(tried) == 3
    assert [str(path) in line["cause"] for line in logged] == [True] * 3
    shutil.copy(find_model(), path)
    assert engine.version() == engine.model.version
    assert len(tried) == 4
    engine.close()


def test_predicting_loads_no_torch() -> None:
    code = (
        "import asyncio, sys, numpy as np\n"
        "from waferscope.service.engine import Engine\n"
        "from waferscope.service.telemetry import Figures\n"
        "before = 'onnxruntime' in sys.modules\n"
        "import waferscope\n"
        "engine = Engine(Figures(), threads=1)\n"
        "wafer = waferscope.WaferMap(np.ones((9, 9), np.uint8))\n"
        "asyncio.run(engine.predict_one(wafer)).to_dict()\n"
        "engine.close()\n"
        "print(before, 'onnxruntime' in sys.modules, 'torch' in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["False", "True", "False"]
