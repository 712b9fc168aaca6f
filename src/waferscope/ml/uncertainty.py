"""What doubt is worth: ensembles by dropout, and whether a model errs where it doubts.

Shapes: M members, N items (dies or wafers), C classes. Sources: Gal and Ghahramani, "Dropout as a
Bayesian Approximation", ICML 2016; Guo et al., "On Calibration of Modern Neural Networks",
ICML 2017.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata
from torch import nn

from waferscope.domain.wafermap import FAIL, WaferMap
from waferscope.infer.ensemble import Ensemble, binary_entropy, join
from waferscope.ml.calibrate import fit_platt
from waferscope.ml.model import WaferNet
from waferscope.ml.torch_session import torch_predictor
from waferscope.ml.truth import Truth

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BINS: Final = 15
AS_IT_LIES: Final = (0, False)


def dropout_ensemble(
    net: WaferNet, wafers: Sequence[WaferMap], passes: int = 8, seed: int = 0
) -> Iterator[Ensemble]:
    """Yield for each wafer the ensemble of ``passes`` runs with dropout on, norms as they are.

    The same seed gives the same answers. All passes of a wafer are held at once, those of a few
    hundred wafers together.
    """
    drops = [m for m in net.eval().modules() if isinstance(m, nn.Dropout | nn.Dropout2d)]
    predictor = torch_predictor(net)
    answers = []
    torch.manual_seed(seed)
    for drop in drops:
        drop.train()
    try:
        answers = [predictor.predict(wafers) for _ in range(passes)]
    finally:
        for drop in drops:
            drop.eval()
    for index, wafer in enumerate(wafers):
        yield join(wafer, [found[index] for found in answers], [AS_IT_LIES] * passes)


@dataclass(frozen=True, eq=False)
class DieAnswers:
    """What an ensemble says of the failing, scored dies of a wafer set, and what is true.

    ``probs`` [C, N] and ``truth`` [C, N]; ``disagreement`` [N] between the members, in bits.
    """

    probs: Floats
    truth: Bools
    disagreement: Floats


def die_answers(ensembles: Iterable[Ensemble], truths: Iterable[Truth]) -> DieAnswers:
    """Return the answers for failing dies that are scored."""
    probs, true, disputed = [], [], []
    for found, truth in zip(ensembles, truths, strict=True):
        scored = truth.wafer.dies == FAIL
        if truth.ignore is not None:
            scored &= ~truth.ignore
        probs.append(found.probs[:, scored].astype(np.float64))
        true.append(truth.masks[:, scored])
        disputed.append(found.die_disagreement[scored].astype(np.float64))
    return DieAnswers(
        np.concatenate(probs, axis=1), np.concatenate(true, axis=1), np.concatenate(disputed)
    )


def fit_dies(answers: DieAnswers) -> list[tuple[float, float]]:
    """Return temperature and bias per class that make the dies' probabilities likeliest."""
    even = np.ones(answers.probs.shape[1])
    return [fit_platt(p, t, even) for p, t in zip(answers.probs, answers.truth, strict=True)]


def calibrate_dies(probs: Floats, fits: Sequence[tuple[float, float]]) -> Floats:
    """Return calibrated probabilities of ``probs`` [C, N]."""
    held = np.clip(probs, 1.0e-6, 1.0 - 1.0e-6)
    raw = np.log(held) - np.log1p(-held)
    temperature, bias = (np.array(values)[:, None] for values in zip(*fits, strict=True))
    return np.asarray(1.0 / (1.0 + np.exp(-(raw / temperature + bias))))


def die_reliability(probs: Floats, truth: Bools) -> dict[str, Any]:
    """Return how far probabilities of dies [C, N] can be believed.

    ``ece`` over 15 equal-width bins of the probability itself, all classes together; ``brier``;
    ``error_auroc``: how well the entropy of a die tells the dies with a wrong class from those
    with none; and the diagram: per bin its share, mean probability and share that is true.
    """
    flat, true = probs.ravel(), truth.ravel()
    place = np.minimum((flat * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    said = np.bincount(place, flat, BINS) / np.maximum(count, 1)
    was = np.bincount(place, true.astype(np.float64), BINS) / np.maximum(count, 1)
    share = count / max(1, len(flat))
    wrong = ((probs >= 0.5) != truth).any(axis=0)
    return {
        "dies": int(probs.shape[1]),
        "ece": float(np.sum(share * np.abs(said - was))),
        "brier": float(np.mean((flat - true) ** 2)),
        "errors": float(wrong.mean()),
        "error_auroc": auroc(binary_entropy(probs).max(axis=0), wrong),
        "diagram": [
            {"share": float(s), "said": float(p), "was": float(w)}
            for s, p, w in zip(share, said, was, strict=True)
        ],
    }


def auroc(scores: npt.NDArray[Any], positive: Bools) -> float | None:
    """Return the chance that a positive scores above another item, ties counted half.

    None where either kind is missing.

    >>> auroc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    yes = int(positive.sum())
    no = len(positive) - yes
    if not yes or not no:
        return None
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - yes * (yes + 1) / 2) / (yes * no))
