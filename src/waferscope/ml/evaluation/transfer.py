"""Across data sets: labels of MixedWM38 by a model that never saw one of them.

Nothing of MixedWM38 is fitted on: probabilities and thresholds come from single patterns of
WM-811K val and from mixtures composed of them. Source of the task: Li et al., 2025, single
patterns of WM-811K to mixtures of MixedWM38, 85.38 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from waferscope.infer import Predictor
from waferscope.ml.calibrate import fit_patterns
from waferscope.ml.evaluation.answers import Answers, ask
from waferscope.ml.evaluation.candidate import open_candidate
from waferscope.ml.evaluation.exam import RealSets, unmarked
from waferscope.ml.evaluation.figure import figures_of
from waferscope.ml.evaluation.labels import Decided, multi_figures, pattern_scores
from waferscope.ml.truth import FIT_SEED, composed

MIXTURES: Final = 4000
"""Composed wafers that thresholds are fitted on, beside WM-811K val."""
KEPT: Final = ("wafers", "exact_match", "macro_f1", "f1", "by_patterns", "by_combination")


def measure_transfer(model: Path, real: RealSets, mixtures: int = MIXTURES) -> dict[str, Any]:
    """Return what a checkpoint or model file, trained without MixedWM38, makes of it.

    Raises ModelError for a file that is neither.
    """
    with open_candidate(model) as given:
        found = transfer_figures(
            *ask_transfer(given.predictor, real, mixtures),
            given.predictor.model.taxonomy.patterns,
        )
        return {"model": given.describe(), **figures_of(found)}


def ask_transfer(
    predictor: Predictor, real: RealSets, mixtures: int
) -> tuple[Answers, Answers, Answers]:
    """Return what a model says of WM-811K val, of mixtures composed of it, and of MixedWM38 val."""
    return (
        ask(predictor, unmarked(real.wm811k)),
        ask(predictor, composed(real.wm811k, FIT_SEED, mixtures)),
        ask(predictor, unmarked(real.mixedwm38)),
    )


def transfer_figures(
    wm811k: Answers, mixtures: Answers, mixedwm38: Answers, patterns: Sequence[str]
) -> dict[str, Any]:
    """Return the tallies of MixedWM38 with what was fitted on the two others."""
    singles, several = pattern_scores(wm811k, single=True), pattern_scores(mixtures, single=False)
    fit = fit_patterns([singles, several])
    probs = fit.calibrated(mixedwm38.patterns)
    said = Decided(probs, probs / fit.thresholds, mixedwm38.labels, mixedwm38.groups)
    tallies = multi_figures(said, patterns)
    return {name: tallies[name] for name in KEPT}
