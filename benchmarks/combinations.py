"""Whether a mixture is named that was never seen: MixedWM38 without some of its combinations.

Takes a run of the recipe `mixtures` with ``--leave-combination``. Thresholds are fitted on
WM-811K val and on combinations that were seen; combinations left out are only scored. See
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.ml.calibrate import fit_patterns
from waferscope.ml.evaluation.answers import Answers, ask
from waferscope.ml.evaluation.candidate import open_candidate
from waferscope.ml.evaluation.exam import open_real, unmarked
from waferscope.ml.evaluation.figure import figures_of
from waferscope.ml.evaluation.labels import Decided, cross_fit, multi_figures, pattern_scores

DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data"


def left_out(run: Path) -> set[frozenset[str]]:
    """Return the combinations that a run never saw, from what it began with."""
    settings = json.loads(run.with_name("run.json").read_text())
    return {frozenset(names) for names in settings["selection"]["leave_combinations"]}


def score(wm811k: Answers, mixed: Answers, left: set[frozenset[str]]) -> dict[str, Any]:
    """Return the figures of combinations seen, by halves, and of those left out."""
    names = DEFAULT_TAXONOMY.patterns
    unseen = np.array([frozenset(w.patterns or ()) in left for w in mixed.wafers], bool)
    seen, strange = mixed.take(~unseen), mixed.take(unseen)
    fit = fit_patterns([pattern_scores(wm811k, single=True), pattern_scores(seen, single=False)])
    probs = fit.calibrated(strange.patterns)
    decided = Decided(probs, probs / fit.thresholds, strange.labels, strange.groups)
    _, known = cross_fit([(wm811k, True), (seen, False)])
    return {
        kind: figures_of(multi_figures(one, names))
        for kind, one in (("seen", known), ("left out", decided))
    }


def show(kind: str, found: Mapping[str, Any]) -> None:
    """Print exact match, whole, by number of patterns and by combination."""
    print(f"{kind}: {_line(found)}, macro-F1 {found['macro_f1']['value']:.3f}")
    for number, one in found["by_patterns"].items():
        print(f"  {number} patterns: {_line(one)}")
    if kind == "left out":
        for name, one in found["by_combination"].items():
            print(f"  {name}: {_line(one)}")


def _line(found: Mapping[str, Any]) -> str:
    exact = found["exact_match"]
    interval = f"{exact['low']:.3f} to {exact['high']:.3f}"
    return f"exact match {exact['value']:.3f} ({interval}) of {found['wafers']} wafers"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="last.ckpt of a run with combinations left")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of real wafers")
    choice = parser.parse_args()
    real = open_real(choice.data)
    with open_candidate(choice.checkpoint) as given:
        predictor = given.predictor
        wm811k, mixed = (
            ask(predictor, unmarked(wafers), real.even) for wafers in (real.wm811k, real.mixedwm38)
        )
    for kind, found in score(wm811k, mixed, left_out(choice.checkpoint)).items():
        show(kind, found)


if __name__ == "__main__":
    main()
