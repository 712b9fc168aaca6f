"""Across data sets: labels of MixedWM38 by a model that never saw one of its wafers.

Nothing of MixedWM38 is fitted on: probabilities and thresholds come from textbook wafers of
another seed, whose shapes were written down after looking at MixedWM38. Beside it stands Li et
al., 2025: single real patterns of WM-811K to mixtures of MixedWM38, 85.38 %; that is another task.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from waferscope.ml.calibrate import fit_patterns
from waferscope.ml.evaluation.answers import Answers, ask
from waferscope.ml.evaluation.candidate import open_candidate
from waferscope.ml.evaluation.exam import RealSets, unmarked
from waferscope.ml.evaluation.figure import figures_of
from waferscope.ml.evaluation.labels import Decided, multi_figures, pattern_scores
from waferscope.ml.truth import FIT_SEED, textbook

FITTED_ON: Final = 4000
"""Textbook wafers that thresholds are fitted on."""
KEPT: Final = ("wafers", "exact_match", "macro_f1", "f1", "by_patterns", "by_combination")


def measure_transfer(model: Path, real: RealSets, fitted_on: int = FITTED_ON) -> dict[str, Any]:
    """Return what a checkpoint or model file, trained without MixedWM38, makes of it.

    Raises ModelError for a file that is neither.
    """
    with open_candidate(model) as given:
        found = transfer_figures(
            ask(given.predictor, textbook(FIT_SEED, fitted_on)),
            ask(given.predictor, unmarked(real.mixedwm38)),
            given.predictor.model.taxonomy.patterns,
        )
        return {"model": given.describe(), **figures_of(found)}


def transfer_figures(drawn: Answers, mixedwm38: Answers, patterns: Sequence[str]) -> dict[str, Any]:
    """Return the tallies of MixedWM38 with what was fitted on drawn wafers."""
    fit = fit_patterns([pattern_scores(drawn, single=False)])
    probs = fit.calibrated(mixedwm38.patterns)
    said = Decided(probs, probs / fit.thresholds, mixedwm38.labels, mixedwm38.groups)
    tallies = multi_figures(said, patterns)
    return {name: tallies[name] for name in KEPT}
