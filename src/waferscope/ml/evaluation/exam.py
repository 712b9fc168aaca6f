"""The wafers that a model is asked about: what to fit on, and what to report on.

Fitting and reporting never share a wafer: generated wafers have seeds of their own, real ones are
split in halves by lot, and mixtures of real ones are composed of one half's wafers each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.infer import Predictor
from waferscope.ml.corpus import MIXED_FILE, REAL_FILE
from waferscope.ml.evaluation.answers import Answers, ask, halve, lot_of
from waferscope.ml.truth import (
    FIT_SEED,
    TEST_SEED,
    Truth,
    composed,
    hand_checked,
    hard_wafers,
    labelled,
    noise,
    plain,
    synthetic,
)
from waferscope.synth import SynthConfig

CHECKED_FILE: Final = "wm811k/val_masks.npz"
LARGE_SIDES: Final = (129, 300)


@dataclass(frozen=True, slots=True)
class Exam:
    """How many wafers of each kind are asked about; ``lots`` is the share of real lots.

    A few large grids weigh much in pooled die IoU: of the synthetic wafers, every thousand of one
    seed gives another mean over the classes, 0.02 apart (docs/LOG.md).
    """

    synthetic: int = 4000
    plain: int = 1000
    large: int = 40
    composed: int = 800
    noise: int = 2000
    fit_synthetic: int = 600
    fit_plain: int = 400
    fit_noise: int = 4000
    turned: int = 160
    moved: int = 80
    lots: float = 1.0


FULL: Final = Exam()
QUICK: Final = Exam(
    synthetic=200,
    plain=100,
    large=0,
    composed=100,
    noise=400,
    fit_synthetic=200,
    fit_plain=100,
    fit_noise=400,
    turned=24,
    moved=0,
    lots=0.2,
)


@dataclass(frozen=True, eq=False)
class RealSets:
    """Held-out real wafers: labelled ones, mixtures composed of them, and hand-checked masks."""

    wm811k: tuple[WaferMap, ...]
    mixedwm38: tuple[WaferMap, ...]
    checked: tuple[Truth, ...]
    hard: tuple[str, ...]

    @cached_property
    def even(self) -> frozenset[str]:
        """Lots of the one half; wafers of MixedWM38 stand for themselves."""
        found: set[str] = set()
        for wafers in (self.wm811k, self.mixedwm38):
            names = DEFAULT_TAXONOMY.patterns
            labels = np.array([[n in (w.patterns or ()) for n in names] for w in wafers])
            found |= halve([lot_of(w) for w in wafers], labels)
        return frozenset(found)


@dataclass(frozen=True, eq=False)
class Asked:
    """What a model says of every set; the real ones are None where there is no data."""

    fit: tuple[Answers, Answers]
    """Wafers of both generators that mask rules are fitted on."""
    fit_noise: Answers
    synthetic: Answers
    plain: Answers
    large: Answers
    noise: Answers
    checked: Answers | None = None
    composed: Answers | None = None
    wm811k: Answers | None = None
    mixedwm38: Answers | None = None


def open_real(data: Path, share: float = 1.0) -> RealSets:
    """Return the held-out wafers below ``data``, a ``share`` of their lots.

    Raises ConfigError when a file is missing or does not fit the others.
    """
    real, mixed = (data / f.format(split="val") for f in (REAL_FILE, MIXED_FILE))
    return RealSets(
        _some(labelled(real), share),
        _some(labelled(mixed), share),
        tuple(hand_checked(data / CHECKED_FILE, real)),
        hard_wafers(data / CHECKED_FILE),
    )


def ask_all(predictor: Predictor, exam: Exam, real: RealSets | None) -> Asked:
    """Ask a model about every set of an exam, once."""
    large = SynthConfig(side_range=LARGE_SIDES, large_share=0.0)
    drawn = Asked(
        fit=(
            ask(predictor, synthetic(FIT_SEED, exam.fit_synthetic)),
            ask(predictor, plain(FIT_SEED, exam.fit_plain)),
        ),
        fit_noise=ask(predictor, unmarked(noise(FIT_SEED, exam.fit_noise))),
        synthetic=ask(predictor, synthetic(TEST_SEED, exam.synthetic)),
        plain=ask(predictor, plain(TEST_SEED, exam.plain)),
        large=ask(predictor, synthetic(TEST_SEED + 1, exam.large, large)),
        noise=ask(predictor, unmarked(noise(TEST_SEED, exam.noise))),
    )
    if real is None:
        return drawn
    return replace(
        drawn,
        checked=ask(predictor, real.checked, real.even),
        composed=ask_composed(predictor, real, exam.composed),
        wm811k=ask(predictor, unmarked(real.wm811k), real.even),
        mixedwm38=ask(predictor, unmarked(real.mixedwm38), real.even),
    )


def ask_composed(predictor: Predictor, real: RealSets, count: int) -> Answers:
    """Half of the mixtures are composed of the even lots' wafers, half of the odd ones'."""
    truths: list[Truth] = []
    even: list[bool] = []
    for side in (True, False):
        donors = [w for w in (*real.wm811k, *real.mixedwm38) if (lot_of(w) in real.even) == side]
        truths += composed(donors, TEST_SEED + side, count // 2)
        even += [side] * (len(truths) - len(even))
    return replace(ask(predictor, truths), even=np.array(even, bool))


def steady_wafers(real: RealSets | None, count: int) -> list[WaferMap]:
    """Return ``count`` wafers, most with a pattern, for what must not change them."""
    drawn = [t.wafer for t in synthetic(TEST_SEED + 2, count if real is None else count // 4)]
    if real is not None:
        rng = np.random.default_rng(TEST_SEED)
        for wafers, wanted in ((real.wm811k, count // 2), (real.mixedwm38, count // 4)):
            some = [w for w in wafers if w.patterns]
            picked = rng.choice(len(some), min(wanted, len(some)), replace=False)
            drawn += [some[int(i)] for i in picked]
    return drawn


def unmarked(wafers: Iterable[WaferMap]) -> Iterator[Truth]:
    """Yield wafers without masks: none is known, or there is nothing to mark."""
    for wafer in wafers:
        yield Truth(wafer, np.zeros((len(DEFAULT_TAXONOMY.classes), *wafer.shape), bool))


def _some(wafers: Sequence[WaferMap], share: float) -> tuple[WaferMap, ...]:
    lots = list(dict.fromkeys(lot_of(w) for w in wafers))
    rng = np.random.default_rng(TEST_SEED)
    kept = set(rng.permutation(lots)[: max(2, round(share * len(lots)))].tolist())
    return tuple(w for w in wafers if lot_of(w) in kept) if share < 1.0 else tuple(wafers)
