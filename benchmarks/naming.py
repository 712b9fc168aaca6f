"""What masks lose by the name of a zone and what by its shape.

Each set is scored three times: as the model marks it; with every zone drawn right and named as the
model names most of its dies; and as marked, without the classes that the wafer has not. See
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from waferscope.infer import Predictor, load_predictor
from waferscope.ml.evaluation.answers import Answers, ask
from waferscope.ml.evaluation.exam import FULL, ask_composed, open_real
from waferscope.ml.evaluation.masks import mark
from waferscope.ml.metrics import count_pairs, iou
from waferscope.ml.truth import TEST_SEED, synthetic

DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data"
MOST: Final = 0.5
"""A zone is found when at least this share of its dies is marked as one class."""

Mask = npt.NDArray[np.bool_]


def draw_right(marked: Mask, truth: Mask) -> Mask:
    """Return the true zones [C, F] of a wafer, each under the name that most of its dies got.

    A zone of which no class has half of the dies is not found. Marks outside zones go.

    >>> truth = np.array([[1, 1, 1, 0], [0, 0, 0, 0]]) > 0
    >>> draw_right(np.array([[0, 0, 1, 0], [1, 1, 0, 1]]) > 0, truth).tolist()
    [[False, False, False, False], [True, True, True, False]]
    """
    drawn = np.zeros_like(truth)
    for own, zone in enumerate(truth):
        if not zone.any():
            continue
        shares = marked[:, zone].mean(axis=1)
        name = own if shares[own] >= MOST else int(shares.argmax())
        if shares[name] >= MOST:
            drawn[name] |= zone
    return drawn


def name_right(marked: Mask, truth: Mask) -> Mask:
    """Return the marks [C, F] of a wafer without those of classes that it has not."""
    return marked & truth.any(axis=1, keepdims=True)


def score(answers: Answers, marked: Mask) -> Mapping[str, npt.NDArray[np.float64]]:
    """Return the pooled die IoU per class [C] of each of the three ways."""
    ways = {"as marked": lambda said, _true: said, "shapes": draw_right, "names": name_right}
    counts = {way: np.zeros((len(marked), 3), np.int64) for way in ways}
    for n in range(len(answers)):
        dies = answers.dies(n)
        scored = ~answers.ignore[dies]
        said, true = marked[:, dies][:, scored], answers.truth[:, dies][:, scored]
        for way, change in ways.items():
            counts[way] += count_pairs(change(said, true), true)
    return {way: iou(found) for way, found in counts.items()}


def ask_sets(predictor: Predictor, data: Path, count: int) -> Mapping[str, Answers]:
    """Return what a model says of synthetic wafers, mixtures of real ones and hand-checked ones."""
    real = open_real(data)
    return {
        "synthetic": ask(predictor, synthetic(TEST_SEED, count)),
        "mixtures": ask_composed(predictor, real, FULL.composed),
        "hand-checked": ask(predictor, real.checked),
    }


def show(
    name: str, found: Mapping[str, npt.NDArray[np.float64]], present: Mask, names: Sequence[str]
) -> None:
    """Print a line for each way, with the mean of the classes that the set has."""
    for way, scores in found.items():
        each = ", ".join(f"{n} {s:.3f}" for n, s in zip(names, scores, strict=True) if s > 0)
        print(f"{name}, {way}: {scores[present].mean():.3f} ({each})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=None, help="ONNX file; default: the released")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the real wafers")
    parser.add_argument("--wafers", type=int, default=FULL.synthetic, help="synthetic wafers")
    choice = parser.parse_args()
    predictor = load_predictor(choice.model)
    info = predictor.model
    for name, answers in ask_sets(predictor, choice.data, choice.wafers).items():
        marked = mark(answers, info.mask_thresholds, info.taxonomy)
        present: Mask = np.asarray(answers.truth.any(axis=1))
        show(name, score(answers, marked), present, info.taxonomy.class_names)


if __name__ == "__main__":
    main()
