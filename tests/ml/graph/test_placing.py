"""A wafer has the same answers alone, anywhere on a larger canvas, and among wafers of any size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest
from onnx import ModelProto

from tests.ml.small import draw_dies
from waferscope.errors import ModelError
from waferscope.infer.batching import canvas_shape, stack
from waferscope.infer.model_file import OUTPUTS
from waferscope.ml.graph.export import read_metadata
from waferscope.ml.graph.placing import network_graph, place_each, place_file

Floats = npt.NDArray[np.float32]
SHAPES = ((27, 25), (20, 31), (40, 40), (60, 33), (66, 40))


def open_session(model: onnx.ModelProto) -> ort.InferenceSession:
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def plain(int8_file: Path) -> ort.InferenceSession:
    return open_session(onnx.load(str(int8_file)))


@pytest.fixture(scope="module")
def placed(int8_file: Path) -> ort.InferenceSession:
    return open_session(place_each(onnx.load(str(int8_file))))


@pytest.fixture(scope="module")
def grids() -> list[tuple[npt.NDArray[np.uint8], Floats]]:
    """Dies that reach all four sides of their grid, and a fold."""
    rng = np.random.default_rng(3)
    drawn = [draw_dies(rng, ["Loc"], shape) for shape in SHAPES]
    for dies in drawn:
        dies[dies.shape[0] // 2, [0, -1]] = dies[[0, -1], dies.shape[1] // 2] = 1
    return [(dies, rng.random(dies.shape, np.float32) * (dies > 0)) for dies in drawn]


def ask(session: ort.InferenceSession, dies: Floats, fold: Floats) -> list[Floats]:
    return [np.asarray(x) for x in session.run(list(OUTPUTS), {"dies": dies, "fold": fold})]


def lay(
    grids: list[tuple[npt.NDArray[np.uint8], Floats]], canvas: tuple[int, int]
) -> tuple[Floats, Floats]:
    dies, fold = (stack([grid[k] for grid in grids], canvas) for k in (0, 1))
    return dies, fold


def test_on_its_own_canvas_the_answer_is_the_networks(
    plain: ort.InferenceSession,
    placed: ort.InferenceSession,
    grids: list[tuple[npt.NDArray[np.uint8], Floats]],
) -> None:
    for grid in grids:
        feed = lay([grid], canvas_shape(grid[0].shape))
        for one, other in zip(ask(plain, *feed), ask(placed, *feed), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("corner", [(0, 0), (3, 17), (62, 56), (31, 30)])
def test_anywhere_on_a_larger_canvas_the_answer_is_the_same(
    plain: ort.InferenceSession,
    placed: ort.InferenceSession,
    grids: list[tuple[npt.NDArray[np.uint8], Floats]],
    corner: tuple[int, int],
) -> None:
    for dies, fold in grids:
        own = ask(plain, *lay([(dies, fold)], canvas_shape(dies.shape)))
        (rows, cols), (top, left) = dies.shape, corner
        wide = [np.zeros((1, 128, 96), x.dtype) for x in (dies, fold)]
        for x, given in zip(wide, (dies, fold), strict=True):
            x[0, top : top + rows, left : left + cols] = given
        masks, labels, embedding, evidence = ask(placed, *wide)
        back = [
            (side - own_side) // 2
            for side, own_side in zip(canvas_shape(dies.shape), dies.shape, strict=True)
        ]
        want = own[0][..., back[0] : back[0] + rows, back[1] : back[1] + cols]
        np.testing.assert_array_equal(masks[..., top : top + rows, left : left + cols], want)
        assert np.count_nonzero(masks) == np.count_nonzero(own[0])
        np.testing.assert_array_equal(labels, own[1])
        np.testing.assert_array_equal(embedding, own[2])
        assert evidence.shape == (1, 8, 32, 24)
        assert set(np.unique(evidence)) <= {0.0, *np.unique(own[3])}


def test_evidence_moves_with_the_wafer(
    plain: ort.InferenceSession,
    placed: ort.InferenceSession,
    grids: list[tuple[npt.NDArray[np.uint8], Floats]],
) -> None:
    """By whole cells: each of them has the value that it had on the own canvas."""
    for dies, fold in grids:
        canvas = canvas_shape(dies.shape)
        feed = lay([(dies, fold)], canvas)
        own = ask(plain, *feed)[3]
        wide = [np.zeros((1, canvas[0] + 32, canvas[1] + 32), x.dtype) for x in feed]
        for x, given in zip(wide, feed, strict=True):
            x[:, 20 : 20 + canvas[0], 8 : 8 + canvas[1]] = given
        moved = ask(placed, *wide)[3]
        there = moved[:, :, 5 : 5 + canvas[0] // 4, 2 : 2 + canvas[1] // 4]
        np.testing.assert_array_equal(there, own)
        assert np.count_nonzero(moved) == np.count_nonzero(own)


def test_among_wafers_of_all_sizes_the_answer_is_the_same(
    plain: ort.InferenceSession,
    placed: ort.InferenceSession,
    grids: list[tuple[npt.NDArray[np.uint8], Floats]],
) -> None:
    together = ask(placed, *lay(grids, (96, 64)))
    for n, (dies, fold) in enumerate(grids):
        canvas = canvas_shape(dies.shape)
        own = ask(plain, *lay([(dies, fold)], canvas))
        on = stack([dies], (96, 64))[0] > 0
        own_on = stack([dies], canvas)[0] > 0
        np.testing.assert_allclose(together[0][n][:, on], own[0][0][:, own_on], atol=1e-5)
        for part in (1, 2):
            np.testing.assert_allclose(together[part][n], own[part][0], atol=1e-5)


def test_no_wafer_and_an_empty_one_are_answered(placed: ort.InferenceSession) -> None:
    none = np.zeros((0, 32, 64))
    masks, labels, embedding, evidence = ask(placed, none.astype(np.uint8), none.astype(np.float32))
    assert masks.shape[0] == labels.shape[0] == embedding.shape[0] == evidence.shape[0] == 0
    empty = np.zeros((1, 32, 64))
    masks, *_ = ask(placed, empty.astype(np.uint8), empty.astype(np.float32))
    assert masks.shape[2:] == (32, 64)
    assert not masks.any()


def test_a_file_keeps_what_it_says_and_every_weight(int8_file: Path, tmp_path: Path) -> None:
    before = onnx.load(str(int8_file))
    path = tmp_path / "placed.onnx"
    onnx.save(before, str(path))
    facts = read_metadata(path)
    after = onnx.load(str(place_file(path)))
    assert read_metadata(path) == facts
    for ends in ("input", "output"):
        assert getattr(after.graph, ends) == getattr(before.graph, ends)
    assert network_graph(before) == before.graph
    found = {one.name: one for one in network_graph(after).initializer}
    assert all(found[one.name] == one for one in before.graph.initializer)
    kinds = [[n.op_type for n in graph.node] for graph in (before.graph, network_graph(after))]
    assert " ".join(kinds[0]) in " ".join(kinds[1])


def test_bytes_lie_once_and_floats_beside_their_convolutions(int8_file: Path) -> None:
    """ONNX Runtime keeps two copies of what lies in a loop, and lays out floats only there."""
    graph = place_each(onnx.load(str(int8_file))).graph
    loop = next(node for node in graph.node if node.op_type == "Loop")
    inside = {one.data_type for one in loop.attribute[0].g.initializer}
    assert onnx.TensorProto.INT8 not in inside
    assert onnx.TensorProto.FLOAT in inside
    assert onnx.TensorProto.FLOAT not in {one.data_type for one in graph.initializer}


def test_the_same_file_comes_of_it_each_time(int8_file: Path) -> None:
    """Whatever order sets of names have in a process."""
    code = (
        "import hashlib, sys, onnx; from waferscope.ml.graph.placing import place_each;"
        "model = place_each(onnx.load(sys.argv[1]));"
        "print(hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code, str(int8_file)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(seen) == 1


def test_what_is_no_plain_network_is_refused(int8_file: Path) -> None:
    model = onnx.load(str(int8_file))
    with pytest.raises(ModelError, match=r"not placed yet, got .*, placed\."):
        place_each(place_each(model))
    older = ModelProto.FromString(model.SerializeToString())
    older.opset_import[0].version = 17
    with pytest.raises(ModelError, match=r"Expected operators of opset 20, got opset 17"):
        place_each(older)
    del model.graph.output[-1]
    with pytest.raises(ModelError, match=r"got inputs dies, fold, outputs embedding, mask_probs"):
        place_each(model)
