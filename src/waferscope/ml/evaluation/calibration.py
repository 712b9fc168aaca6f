"""What a file ships with beside its weights: temperatures, thresholds and size limits, fitted.

Fitted on wafers of their own seeds and on real held-out ones: on all of them for the file, on one
half of the lots at a time for the figures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from waferscope.ml.calibrate import PatternFit, fit_patterns
from waferscope.ml.evaluation.answers import Answers
from waferscope.ml.evaluation.exam import Asked
from waferscope.ml.evaluation.labels import pattern_scores
from waferscope.ml.evaluation.mask_rule import MaskRule, Trials, fit_rule, try_rules


@dataclass(frozen=True, eq=False)
class MaskFits:
    """Every threshold tried once on every set that mask rules are fitted on, in halves."""

    taxonomy: Taxonomy
    drawn: tuple[Trials, ...]
    """Wafers of each generator."""
    noise: Trials
    real: tuple[tuple[Trials, Trials], ...]
    """Even and odd lots of the hand-checked and of the composed wafers."""

    def rule(self, even: bool | None = None) -> MaskRule:
        """Return the rule that all real wafers give, or those of the even or odd lots."""
        if even is None:
            real = [one + other for one, other in self.real]
        else:
            real = [pair[0] if even else pair[1] for pair in self.real]
        return fit_rule([*self.drawn, *real], self.noise, self.taxonomy)


@dataclass(frozen=True, eq=False)
class Calibration:
    """The mask rule and the pattern fit of a file; patterns are not fitted without real wafers."""

    masks: MaskRule
    patterns: PatternFit | None

    def to_metadata(self) -> dict[str, Any]:
        """Return the entries of a model file's metadata."""
        entries: dict[str, Any] = {
            "mask_thresholds": list(self.masks.thresholds),
            "taxonomy": self.masks.taxonomy.to_dict(),
        }
        if self.patterns is not None:
            entries["pattern_thresholds"] = self.patterns.thresholds.tolist()
            entries["pattern_calibration"] = {
                "temperature": self.patterns.temperature.tolist(),
                "bias": self.patterns.bias.tolist(),
            }
        return entries


def try_masks(asked: Asked, taxonomy: Taxonomy) -> MaskFits:
    """Try every mask rule on the wafers that are for fitting."""
    real = [a for a in (asked.checked, asked.composed) if a is not None]
    taxonomy = unlimited(taxonomy)
    return MaskFits(
        taxonomy,
        tuple(try_rules(one, taxonomy) for one in asked.fit),
        try_rules(asked.fit_noise, taxonomy),
        tuple((try_rules(e, taxonomy), try_rules(o, taxonomy)) for e, o in map(_halves, real)),
    )


def unlimited(taxonomy: Taxonomy) -> Taxonomy:
    """Return a taxonomy with the size limits of the definitions, not those fitted to a model."""
    least = {one.name: one.min_dies for one in DEFAULT_TAXONOMY.classes}
    classes = (replace(c, min_dies=least.get(c.name, c.min_dies)) for c in taxonomy.classes)
    return replace(taxonomy, classes=tuple(classes))


def calibrate(asked: Asked, fits: MaskFits) -> Calibration:
    """Return what ships: fitted on all wafers that are for fitting."""
    if asked.wm811k is None or asked.mixedwm38 is None:
        return Calibration(fits.rule(), None)
    sets = [
        pattern_scores(asked.wm811k, single=True),
        pattern_scores(asked.mixedwm38, single=False),
    ]
    return Calibration(fits.rule(), fit_patterns(sets))


def _halves(answers: Answers) -> tuple[Answers, Answers]:
    return answers.halves()
