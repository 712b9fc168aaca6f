"""Where masks fall short of what could be known: die IoU by the evidence that a zone leaves.

Each zone of the synthetic exam is scored by itself, on the wafers that have it, and set beside the
log-likelihood ratio of the wafer's dies with it and without it. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from waferscope.infer import load_predictor
from waferscope.ml.truth import HELD_OUT, TEST_SEED
from waferscope.synth.evidence import zone_evidence
from waferscope.synth.generate import draw_wafer

WAFERS: Final = 4000
BOUNDS: Final = (0.0, 15.0, 30.0, 50.0, 100.0, np.inf)
"""Nats between which zones are taken together."""

Scores = dict[str, list[tuple[float, float]]]


def score(model: Path | None, count: int) -> Scores:
    """Return evidence and die IoU of every zone, by class."""
    predictor = load_predictor(model)
    names = predictor.model.taxonomy.class_names
    drawn = [
        draw_wafer(np.random.default_rng((TEST_SEED, index)), HELD_OUT) for index in range(count)
    ]
    found: Scores = defaultdict(list)
    answers = predictor.predict_stream(one.wafer.to_wafermap() for one in drawn)
    for one, answer in zip(drawn, answers, strict=True):
        for name, nats in zone_evidence(one).items():
            c = names.index(name)
            said, true = answer.masks[c], one.wafer.masks[c]
            both, either = int((said & true).sum()), int((said | true).sum())
            found[name].append((nats, both / max(1, either)))
    return {name: found[name] for name in names if name in found}


def show(found: Scores) -> None:
    """Print, for each class and between bounds, how many zones there are and their mean IoU."""
    pairs = list(pairwise(BOUNDS))
    print("| class | " + " | ".join(f"{a:g} to {b:g} nats" for a, b in pairs) + " |")
    print("|---" * (1 + len(pairs)) + "|")
    for name, scores in (*found.items(), ("all", [s for one in found.values() for s in one])):
        nats, iou = np.array(scores).T
        cells = []
        for low, high in pairs:
            inside = (nats >= low) & (nats < high)
            value = f"{iou[inside].mean():.2f}" if inside.any() else "\N{EN DASH}"
            cells.append(f"{value} of {np.count_nonzero(inside):,}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=None, help="ONNX file; default: the released")
    parser.add_argument("--wafers", type=int, default=WAFERS, help="synthetic wafers")
    choice = parser.parse_args()
    show(score(choice.model, choice.wafers))


if __name__ == "__main__":
    main()
