"""How accurate the released model is, and by how much it is ahead of a plain classifier.

The model is measured as `waferscope evaluate --all` does. Beside it a peer is trained on the same
split, the usual published recipe (`waferscope.ml.peer`), and both are compared on WM-811K val,
paired by bootstrap over lots. With `--transfer` a model that was trained without wafers of
MixedWM38 is measured on it too. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.errors import WaferScopeError
from waferscope.ml.corpus import REAL_FILE
from waferscope.ml.evaluate import measure
from waferscope.ml.evaluation.answers import labels_only, lot_of, number_groups
from waferscope.ml.evaluation.exam import FULL, QUICK, RealSets, open_real
from waferscope.ml.evaluation.figure import Tally, figures_of, tally
from waferscope.ml.evaluation.labels import cross_fit, single_figures
from waferscope.ml.evaluation.report_files import write_report
from waferscope.ml.evaluation.transfer import measure_transfer
from waferscope.ml.metrics import count_single, macro_f1
from waferscope.ml.peer import PeerConfig, peer_probs, single_labels, train_peer
from waferscope.ml.train import keep_memory
from waferscope.ml.truth import labelled

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = ROOT.parent / "shared" / "data"
RUNS: Final = ROOT / "runs" / "peer"
NAME: Final = "A plain ResNet-18 on maps resized to 64x64 (10 epochs, 8 symmetries)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the peer, measure both, write the report; return the exit code."""
    options = _options(arguments)
    keep_memory()
    torch.set_num_threads(options.threads)
    exam = QUICK if options.quick else FULL
    try:
        print("training the peer, or going on with it")
        wafers = labelled(options.data / REAL_FILE.format(split="train"))
        config = PeerConfig(epochs=options.epochs, mixed_precision=options.bf16)
        checkpoint = train_peer(wafers, options.peer, config)
        if options.peer_only:
            print(checkpoint)
            return 0
        real = open_real(options.data, exam.lots)
        report, tree = measure(options.model, real, exam, print)
        report["peer"] = compare(checkpoint, real, tree["wm811k"]["macro_f1"])
        if options.transfer is not None:
            report["transfer"] = measure_transfer(options.transfer, real)
    except WaferScopeError as error:
        print(f"benchmark stopped: {error}", file=sys.stderr)
        return 2
    print(write_report(report, options.output))
    return 0


def compare(checkpoint: Path, real: RealSets, ours: Tally) -> dict[str, Any]:
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
        "name": NAME,
        "gain": ours.against(theirs),
        "gain_on_most_likely": ours.against(most_likely),
        **figures_of(
            {
                "macro_f1": theirs,
                "most_likely": most_likely,
                "recall": fitted["recall"],
            }
        ),
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="model file; the released one if left out")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of real wafers")
    parser.add_argument("--peer", type=Path, default=RUNS, help="folder of the peer's checkpoint")
    parser.add_argument("--transfer", type=Path, help="checkpoint of the recipe `transfer`")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of the peer")
    parser.add_argument("--bf16", action="store_true", help="train the peer in mixed precision")
    parser.add_argument("--threads", type=int, default=2, help="processors for the peer")
    parser.add_argument("--output", type=Path, default=ROOT / "out" / "accuracy")
    parser.add_argument("--quick", action="store_true", help="a fifth of the wafers")
    parser.add_argument("--peer-only", action="store_true", help="train the peer, measure nothing")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
