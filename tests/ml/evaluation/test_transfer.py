"""Labels of MixedWM38 without its wafers: nothing of it is fitted on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.infer import Predictor
from waferscope.ml.evaluation.answers import Answers, ask, labels_only
from waferscope.ml.evaluation.exam import open_real
from waferscope.ml.evaluation.figure import figures_of
from waferscope.ml.evaluation.transfer import measure_transfer, transfer_figures
from waferscope.ml.truth import Truth

PATTERNS = DEFAULT_TAXONOMY.patterns


def drawn(rng: np.random.Generator, most: int, cut: float, count: int = 400) -> Answers:
    """Wafers with up to ``most`` labels, whose probabilities lie above ``cut`` where present."""
    labels = np.zeros((count, len(PATTERNS)), bool)
    for row in labels:
        row[rng.permutation(len(PATTERNS))[: rng.integers(most + 1)]] = True
    above, below = rng.uniform(cut, 1.0, labels.shape), rng.uniform(0.0, cut, labels.shape)
    each = np.arange(count)
    return labels_only(np.where(labels, above, below), labels, each, each < 0)


def test_thresholds_come_from_drawn_wafers(rng: np.random.Generator) -> None:
    """What parts them there parts the mixtures; a shifted set is scored with the same cut."""
    fitted = drawn(rng, 4, 0.3)
    same, shifted = (
        figures_of(transfer_figures(fitted, drawn(rng, 4, cut), PATTERNS)) for cut in (0.3, 0.6)
    )
    assert same["exact_match"]["value"] > 0.9
    assert shifted["exact_match"]["value"] < 0.3
    assert same["wafers"] == 400
    assert set(same["by_patterns"]) == {"0", "1", "2", "3", "4"}


def test_nothing_of_the_real_sets_is_fitted_on(
    small_model: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = open_real(small_data)
    seen: list[list[str]] = []

    def watch(predictor: Predictor, truths: Iterable[Truth]) -> Answers:
        held = list(truths)
        seen.append([t.wafer.wafer_id for t in held])
        return ask(predictor, held)

    monkeypatch.setattr("waferscope.ml.evaluation.transfer.ask", watch)
    measure_transfer(small_model, real, fitted_on=6)
    assert [name.split("-")[0] for name in seen[0]] == ["textbook"] * 6
    assert seen[1] == [w.wafer_id for w in real.mixedwm38]


def test_a_model_file_is_measured_and_named(small_model: Path, small_data: Path) -> None:
    found = measure_transfer(small_model, open_real(small_data), fitted_on=6)
    assert found["model"]["file"] == small_model.name
    assert 0.0 <= found["exact_match"]["value"] <= 1.0
    assert found["wafers"] == 9
