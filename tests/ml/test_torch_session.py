"""A network answers as the file made of it does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from waferscope.domain.wafermap import WaferMap
from waferscope.infer import load_predictor
from waferscope.infer.postprocess import STEPS
from waferscope.ml.model import WaferNet
from waferscope.ml.torch_session import torch_predictor


def test_a_network_answers_as_its_file(
    net: WaferNet, fp32_file: Path, wafers: list[WaferMap]
) -> None:
    ours, theirs = torch_predictor(net), load_predictor(fp32_file)
    assert ours.model.taxonomy == theirs.model.taxonomy
    assert ours.model.embedding_dim == theirs.model.embedding_dim
    for one, other in zip(ours.predict(wafers), theirs.predict(wafers), strict=True):
        np.testing.assert_allclose(one.probs, other.probs, atol=1.0 / STEPS)
        np.testing.assert_allclose(one.embedding, other.embedding, atol=1e-4)
        np.testing.assert_allclose(one.evidence, other.evidence, atol=1e-3)
        assert one.patterns == pytest.approx(other.patterns, abs=1e-4)


def test_dropout_that_is_on_answers_differently_every_time(
    net: WaferNet, wafers: list[WaferMap]
) -> None:
    predictor = torch_predictor(net)
    first, again = (predictor.predict(wafers[0]).probs for _ in range(2))
    np.testing.assert_array_equal(first, again)
    net.decoder.dropout.train()
    try:
        one, other = (predictor.predict(wafers[0]).probs for _ in range(2))
    finally:
        net.decoder.dropout.eval()
    assert not np.array_equal(one, other)
