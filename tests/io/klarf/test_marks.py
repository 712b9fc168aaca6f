"""Class and cluster of each die, against a loop over dies."""

from __future__ import annotations

import numpy as np

from tests.io.klarf.klarf_text import predicted
from waferscope.domain.wafermap import FAIL, WaferMap
from waferscope.io.klarf.marks import build_marks


def test_the_surest_class_and_its_region_count(rng: np.random.Generator) -> None:
    dies = rng.choice([1, 2], (24, 24), p=[0.3, 0.7]).astype(np.uint8)
    zones = {c: np.zeros(dies.shape, bool) for c in (1, 4)}
    zones[1][2:9, 2:9] = True
    zones[4][6:14, 6:14] = True
    zones[4][18:, 18:] = True
    prediction = predicted(WaferMap(dies), zones)
    probs = prediction.probs.copy()
    probs[4, :8] *= 0.8
    prediction = predicted(WaferMap(dies), probs)
    marks = build_marks(prediction)
    for r, c in np.ndindex(dies.shape):
        here = [k for k in range(8) if prediction.masks[k, r, c]]
        best = max(here, key=lambda k: probs[k, r, c], default=None)
        assert marks.classes[r, c] == (0 if best is None else best + 1)
        number = int(marks.clusters[r, c])
        if best is None or dies[r, c] != FAIL:
            assert number == 0
        elif number:
            defect = prediction.defects[number - 1]
            row0, col0, _, _ = defect.bbox
            assert defect.class_id == best + 1
            assert defect.mask[r - row0, c - col0]
    assert {*np.unique(marks.clusters)} - {0} == set(range(1, len(prediction.defects) + 1))
    assert marks.names[5] == "particle"
