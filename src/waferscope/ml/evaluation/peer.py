"""How much a model is ahead of the peer on WM-811K val, paired by bootstrap over lots."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.ml.corpus import REAL_FILE
from waferscope.ml.evaluation.answers import labels_only, lot_of, number_groups
from waferscope.ml.evaluation.exam import RealSets
from waferscope.ml.evaluation.figure import Tally, figures_of, tally
from waferscope.ml.evaluation.labels import cross_fit, single_figures
from waferscope.ml.metrics import count_single, macro_f1
from waferscope.ml.peer import PeerConfig, peer_probs, single_labels, train_peer
from waferscope.ml.truth import labelled

NAME: Final = "A plain ResNet-18 on maps resized to 64x64 ({epochs} epochs, 8 symmetries)"


def build_peer(data: Path, folder: Path, config: PeerConfig) -> Path:
    """Train the peer on the wafers of WM-811K below ``data``, or go on; return its checkpoint."""
    return train_peer(labelled(data / REAL_FILE.format(split="train")), folder, config)


def compare_with_peer(
    checkpoint: Path, config: PeerConfig, real: RealSets, ours: Tally
) -> dict[str, Any]:
    """Return the peer's macro-F1 and recall on WM-811K val, and how much more ours has.

    Its thresholds are fitted as ours are, on one half of the lots for the other; beside that
    stands the label it finds most likely, as such classifiers are usually scored.
    """
    wafers, names = real.wm811k, DEFAULT_TAXONOMY.patterns
    probs, truth = peer_probs(checkpoint, wafers), single_labels(wafers)
    groups = number_groups([lot_of(w) for w in wafers])
    likeliest, named = (
        np.where(side == len(names), -1, side) for side in (probs.argmax(axis=1), truth)
    )
    most_likely = tally(count_single(likeliest, named, len(names)), groups, macro_f1)
    even = np.array([lot_of(w) in real.even for w in wafers], bool)
    labels = truth[:, None] == np.arange(len(names))
    answers = labels_only(probs[:, : len(names)].astype(np.float64), labels, groups, even)
    fitted = single_figures(cross_fit([(answers, True)])[0], names)
    theirs: Tally = fitted["macro_f1"]
    return {
        "name": NAME.format(epochs=config.epochs),
        "gain": ours.against(theirs),
        "gain_on_most_likely": ours.against(most_likely),
        **figures_of(
            {"macro_f1": theirs, "most_likely": most_likely, "recall": fitted["recall"]},
        ),
    }
