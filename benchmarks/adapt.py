"""What adapting is worth: die IoU on a new product before and after training on 50 of its wafers.

The product is synthetic and has habits that no model was trained on: dies that fail on every wafer
and are no defect, since the line knows them. Its wafers are written as `waferscope synth` does and
read back as annotated ones, and other wafers of it are scored. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from waferscope.cli.synthetic import write_synthetic
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.infer import Predictor, load_predictor
from waferscope.ml.changes import Changes, change
from waferscope.ml.recipes import build_recipe
from waferscope.ml.torch_session import torch_predictor
from waferscope.ml.train import load_network, train
from waferscope.synth import SynthWafer, build_wafer

ROOT: Final = Path(__file__).resolve().parents[1]
RUNS: Final = ROOT / "runs" / "adapt"
SHAPE: Final = (58, 26)
ANNOTATED: Final = 50
SCORED: Final = 300
SEEDS: Final = (31_000_001, 31_000_002)
RIM_FAILS: Final = 0.5
"""How often a die without a neighbour on some side fails by itself."""
MONITORS: Final = (SHAPE[0] // 2, 2)
"""The row of the process monitors, which are no product and always fail, and their pitch."""
GRID: Final = np.round(np.arange(0.1, 0.91, 0.05), 2)


def product(seed: tuple[int, int], count: int) -> list[SynthWafer]:
    """Return wafers of the new product."""
    draws = (np.random.default_rng((*seed, n)) for n in range(count))
    return [with_habits(build_wafer(rng, shape=SHAPE), rng) for rng in draws]


def with_habits(wafer: SynthWafer, rng: np.random.Generator) -> SynthWafer:
    """Return the wafer with the fails that belong to the product and to no defect."""
    there = np.pad(wafer.dies > 0, 1)
    inside = there[:-2, 1:-1] & there[2:, 1:-1] & there[1:-1, :-2] & there[1:-1, 2:]
    fails = ~inside & (rng.random(SHAPE) < RIM_FAILS)
    row, pitch = MONITORS
    fails[row, ::pitch] = True
    return replace(wafer, dies=np.where(fails & (wafer.dies > 0), np.uint8(2), wafer.dies))


def answers(predictor: Predictor, wafers: Sequence[SynthWafer]) -> list[Any]:
    """Return zone probabilities [C, rows, cols] of each wafer."""
    maps = [w.to_wafermap(f"product-{n}") for n, w in enumerate(wafers)]
    return [p.probs for p in predictor.predict_stream(maps)]


def ious(probs: Sequence[Any], wafers: Sequence[SynthWafer], thresholds: Any) -> Any:
    """Return die IoU per class [C], pooled over the wafers."""
    both = either = np.zeros(len(DEFAULT_TAXONOMY.classes))
    for found, wafer in zip(probs, wafers, strict=True):
        masks = (found >= np.asarray(thresholds)[:, None, None]) & (wafer.dies == 2)
        both = both + (masks & wafer.masks).sum(axis=(1, 2))
        either = either + (masks | wafer.masks).sum(axis=(1, 2))
    return both / np.maximum(either, 1)


def best_thresholds(probs: Sequence[Any], wafers: Sequence[SynthWafer]) -> Any:
    """Return the threshold of each class that serves the annotated wafers best."""
    classes = len(DEFAULT_TAXONOMY.classes)
    tried = np.array([ious(probs, wafers, [t] * classes) for t in GRID])
    return GRID[tried.argmax(axis=0)]


def compare(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Adapt to the wafers of one seed; return and print die IoU per class before and after."""
    annotated, scored = product((SEEDS[0], seed), ANNOTATED), product((SEEDS[1], seed), SCORED)
    names = DEFAULT_TAXONOMY.class_names
    runs = options.runs / str(seed)
    folder = runs / "annotated"
    if not folder.exists():
        write_synthetic(annotated, folder / "product.npz", prefix="product", class_names=names)
    config = build_recipe("adapt", folder)
    config = change(config, Changes(steps=options.steps, start_from=options.model, seed=seed))
    config = replace(config, threads=options.threads)
    before = load_predictor(options.model, threads=options.threads)
    began = time.process_time()
    net, _ = load_network(train(config, runs / "run"))
    report: dict[str, Any] = {"processor_s": time.process_time() - began, "steps": config.steps}
    rows: dict[str, tuple[Predictor, Any]] = {"as shipped": (before, before.model.mask_thresholds)}
    rows |= {"its thresholds fitted": (before, None), "adapted": (torch_predictor(net), None)}
    for name, (predictor, fixed) in rows.items():
        own = answers(predictor, annotated) if fixed is None else []
        thresholds = best_thresholds(own, annotated) if fixed is None else fixed
        found = ious(answers(predictor, scored), scored, thresholds)
        report[name] = {"mean": float(found.mean())} | dict(zip(names, found.tolist(), strict=True))
        cells = " ".join(f"{n} {v:.3f}" for n, v in report[name].items())
        print(f"seed {seed}, {name}: {cells}", flush=True)
    print(f"{config.steps} steps, {report['processor_s']:.0f} s of the processor", flush=True)
    (runs / "report.json").write_text(json.dumps(report, indent=1))
    return report


def main() -> None:
    """Adapt by each seed, and print what was gained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", type=Path, help="model file to adapt; the released one if not given"
    )
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    found = [compare(options, seed) for seed in range(options.seeds)]
    for name in ("as shipped", "its thresholds fitted", "adapted"):
        means = [one[name]["mean"] for one in found]
        gains = [one[name]["mean"] - one["as shipped"]["mean"] for one in found]
        print(f"{name}: mean die IoU {np.mean(means):.3f}, gained", *(f"{g:+.3f}" for g in gains))


if __name__ == "__main__":
    main()
