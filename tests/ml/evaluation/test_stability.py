"""A symmetric model turns with the wafer; one that looks left does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import waferscope.ml.evaluation.stability as module
from tests.ml.scripted import Scripted
from tests.ml.small import CLASSES, draw_dies
from tests.tiny_model import build_tiny_model
from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.infer import Predictor, load_predictor
from waferscope.infer.model_file import OpenModel
from waferscope.ml.evaluation.figure import figures_of
from waferscope.ml.evaluation.stability import invariance_figures, symmetry_figures

EDGE = CLASSES.index("edge")


class LeftHanded(Scripted):
    """Marks the failing dies of the left half as edge, however the wafer lies."""

    def predict(self, wafers: Iterable[WaferMap]) -> list[Prediction]:
        """Return one answer per wafer."""
        return list(self._answers(wafers))

    def _answers(self, wafers: Iterable[WaferMap]) -> Iterator[Prediction]:
        for n, wafer in enumerate(wafers):
            probs = np.zeros((8, *wafer.shape), np.float32)
            probs[EDGE, :, : wafer.shape[1] // 2] = 0.9
            probs[:, wafer.dies == 0] = 0
            named = WaferMap(wafer.dies, wafer_id=str(n))
            self.probs = {str(n): probs}
            yield from self.predict_stream([named])


def test_dies_that_differ_are_counted_over_the_seven_others() -> None:
    """Of 6 x 6 failing dies the left 18 are marked; a mirror moves all 36, a turn half of them."""
    wafer = WaferMap(np.full((6, 6), 2, np.uint8))
    found = figures_of(symmetry_figures(cast(Predictor, LeftHanded({})), [wafer]))
    # Against "left": two symmetries keep it (one is the wafer itself), two give right (36 dies
    # differ), four give top or bottom (18 differ).
    assert found["dies_differing"]["value"] == (2 * 36 + 4 * 18) / (7 * 36)
    assert found["wafers_relabelled"]["value"] == 0.0


def test_a_box_filter_turns_with_the_wafer(tmp_path: Path, rng: np.random.Generator) -> None:
    predictor = load_predictor(build_tiny_model(tmp_path / "tiny.onnx"), threads=1)
    wafers = [WaferMap(draw_dies(rng, ["Loc"], s)) for s in ((27, 25), (40, 40))]
    found = figures_of(symmetry_figures(predictor, wafers))
    assert found["wafers"] == 2
    assert found["dies_differing"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_plain_arithmetic_is_the_same_anywhere(tmp_path: Path, rng: np.random.Generator) -> None:
    path = build_tiny_model(tmp_path / "tiny.onnx")
    shapes = [(27, 25), (30, 20), (40, 40)]
    wafers = [WaferMap(draw_dies(rng, ["Edge-Ring", "Loc"], s)) for s in shapes]
    found = figures_of(invariance_figures(path, wafers))
    trials = {"in_company", "two_threads", "canvas_32_wider", "canvas_96_wider"}
    assert set(found) == {"wafers", *trials}
    for name in trials:
        assert found[name]["dies_differing"]["value"] == 0.0
        assert found[name]["most_in_a_wafer"] == 0.0
        assert found[name]["wafers_relabelled"]["value"] == 0.0


def test_what_a_wider_canvas_changes_is_counted(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One die of one wafer moves, and the labels of the other, on the widest canvas alone."""
    wafers = [WaferMap(draw_dies(rng, ["Loc"], s)) for s in ((27, 25), (40, 40))]
    run = module._run

    def moved(opened: OpenModel, members: Sequence[WaferMap], wider: int) -> tuple[Any, Any]:
        masks, labels = run(opened, members, wider)
        if wider == 3:
            masks = [m.copy() for m in masks]
            masks[0][EDGE, 13, 13] ^= members[0].shape == (27, 25)
            labels = labels ^ (members[0].shape == (40, 40))
        return masks, labels

    monkeypatch.setattr(module, "_run", moved)
    found = figures_of(invariance_figures(build_tiny_model(tmp_path / "t.onnx"), wafers))
    dies = [w.die_count for w in wafers]
    assert found["canvas_32_wider"]["dies_differing"]["value"] == 0.0
    widest = found["canvas_96_wider"]
    assert widest["dies_differing"]["value"] == pytest.approx(1 / sum(dies))
    assert widest["most_in_a_wafer"] == pytest.approx(1 / dies[0])
    assert widest["wafers_relabelled"]["value"] == 0.5
