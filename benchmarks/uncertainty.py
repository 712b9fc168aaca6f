"""Whether a model errs where it doubts, and whether it finds strange what it never saw.

Masks: die probabilities of one pass, of the 8 symmetries and of dropout, as they are and
calibrated, on synthetic wafers; each half is calibrated by the other. Strangeness: how well the
distance of the embedding tells val wafers of a label that was left out of training from those of
known labels. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from waferscope.domain.wafermap import WaferMap
from waferscope.infer import Predictor, load_predictor
from waferscope.infer.batching import canvas_shape
from waferscope.infer.ensemble import Ensemble, join, symmetry_ensemble
from waferscope.infer.open_set import build_reference
from waferscope.ml.corpus import REAL_FILE
from waferscope.ml.torch_session import torch_predictor
from waferscope.ml.train import load_network
from waferscope.ml.truth import TEST_SEED, Truth, labelled, synthetic
from waferscope.ml.uncertainty import (
    auroc,
    calibrate_dies,
    die_answers,
    die_reliability,
    dropout_ensemble,
    fit_dies,
)

LARGEST: Final = 64
REFERENCE: Final = 3000
ALONE: Final = [(0, False)]


def single(predictor: Predictor, wafers: Sequence[WaferMap]) -> Iterable[Ensemble]:
    """Yield ensembles of one member: the prediction as it is."""
    for wafer, found in zip(wafers, predictor.predict_stream(wafers), strict=True):
        yield join(wafer, [found], ALONE)


def masks_report(ensembles: Sequence[Ensemble], truths: Sequence[Truth]) -> dict[str, Any]:
    """Return the reliability of dies as they are, and calibrated by the other half."""
    halves = [die_answers(ensembles[k::2], truths[k::2]) for k in (0, 1)]
    fits = [fit_dies(half) for half in reversed(halves)]
    raw = np.concatenate([h.probs for h in halves], axis=1)
    truth = np.concatenate([h.truth for h in halves], axis=1)
    parts = [calibrate_dies(h.probs, f) for h, f in zip(halves, fits, strict=True)]
    wrong = ((raw >= 0.5) != truth).any(axis=0)
    disputed = np.concatenate([h.disagreement for h in halves])
    return {
        "raw": die_reliability(raw, truth),
        "calibrated": die_reliability(np.concatenate(parts, axis=1), truth),
        "disagreement_auroc": auroc(disputed, wrong),
    }


def strangeness(predictor: Predictor, data: Path, left: str) -> dict[str, Any]:
    """Return the AUROC of each score for val wafers of a label left out against known ones."""
    known = [w for w in _fitting(data, "train") if left not in (w.patterns or ())]
    rng = np.random.default_rng(0)
    picked = rng.permutation(len(known))[:REFERENCE]
    chosen = [known[int(n)] for n in picked]
    labels = ["+".join(w.patterns or ()) or "none" for w in chosen]
    embedded = np.array([p.embedding for p in predictor.predict_stream(chosen)])
    reference = build_reference(embedded, labels)
    asked = _fitting(data, "val")
    answers = list(predictor.predict_stream(asked))
    embeddings = np.array([p.embedding for p in answers])
    strange = np.array([left in (w.patterns or ()) for w in asked])
    defect = np.array([bool(w.patterns) for w in asked])
    scores = {
        "neighbour": reference.neighbour_distance(embeddings),
        "class": reference.class_distance(embeddings),
        "least_label": -np.array([max(p.patterns.values()) for p in answers]),
    }
    return {
        name: {
            "against_all": auroc(score, strange),
            "against_defects": auroc(score[defect], strange[defect]),
        }
        for name, score in scores.items()
    } | {"strange": int(strange.sum()), "known": int((~strange).sum())}


def _fitting(data: Path, split: str) -> list[WaferMap]:
    wafers = labelled(data / REAL_FILE.format(split=split))
    return [w for w in wafers if max(canvas_shape(w.shape)) <= LARGEST]


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="model file; the released one if not given")
    parser.add_argument("--checkpoint", type=Path, help="checkpoint, for dropout and strangeness")
    parser.add_argument("--data", type=Path, help="folder of real wafers, for strangeness")
    parser.add_argument("--left", help="label that the checkpoint was trained without")
    parser.add_argument("--wafers", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    drawn = synthetic(TEST_SEED, options.wafers)
    truths = [t for t in drawn if max(canvas_shape(t.wafer.shape)) <= LARGEST]
    maps = [t.wafer for t in truths]
    report: dict[str, Any] = {}
    if options.left is None:
        predictor = load_predictor(options.model)
        report["one pass"] = masks_report(list(single(predictor, maps)), truths)
        report["8 symmetries"] = masks_report(list(symmetry_ensemble(predictor, maps)), truths)
    if options.checkpoint is not None:
        net, _ = load_network(options.checkpoint)
        report["dropout"] = masks_report(list(dropout_ensemble(net, maps)), truths)
        if options.left is not None:
            predictor = torch_predictor(net)
            report[f"without {options.left}"] = strangeness(predictor, options.data, options.left)
    text = json.dumps(report, indent=1)
    if options.json is not None:
        options.json.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
