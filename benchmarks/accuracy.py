"""How accurate the released model is, and by how much it is ahead of a plain classifier.

What `waferscope evaluate --all --peer` does, with a say in how the peer is trained. See
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from waferscope.errors import WaferScopeError
from waferscope.ml.evaluate import Beside, evaluate
from waferscope.ml.evaluation.exam import FULL, QUICK
from waferscope.ml.evaluation.peer import build_peer
from waferscope.ml.evaluation.report_files import write_report
from waferscope.ml.peer import PeerConfig
from waferscope.ml.train import keep_memory

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = ROOT.parent / "shared" / "data"
RUNS: Final = ROOT / "runs" / "peer"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the peer, measure both, write the report; return the exit code."""
    options = _options(arguments)
    keep_memory()
    torch.set_num_threads(options.threads)
    config = PeerConfig(epochs=options.epochs, mixed_precision=options.bf16)
    try:
        if options.peer_only:
            print(build_peer(options.data, options.peer, config))
            return 0
        beside = Beside(peer=options.peer, peer_config=config, transfer=options.transfer)
        exam = QUICK if options.quick else FULL
        report = evaluate(options.model, options.data, exam=exam, beside=beside, say=print)
    except WaferScopeError as error:
        print(f"benchmark stopped: {error}", file=sys.stderr)
        return 2
    print(write_report(report, options.output))
    return 0


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
