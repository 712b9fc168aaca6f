"""Labels against FixMatch: the same network, steps and seeds, at several fractions of the labels.

Runs are kept in folders of their own and go on where they were; a run that is finished is never
repeated, so the table grows with every call. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap
from waferscope.infer import Predictor
from waferscope.infer.batching import canvas_shape
from waferscope.ml.calibrate import PatternScores, fit_patterns
from waferscope.ml.config import TrainConfig
from waferscope.ml.corpus import REAL_FILE
from waferscope.ml.encoder import Depth
from waferscope.ml.recipes import build_recipe
from waferscope.ml.torch_session import torch_predictor
from waferscope.ml.train import load_network, train
from waferscope.ml.truth import TEST_SEED, labelled, synthetic

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = ROOT.parent / "shared" / "data"
RUNS: Final = ROOT / "runs" / "semi"
Arms = tuple[str, str]
NETWORK: Final[Arms] = ("supervised", "fixmatch")
BRANCH: Final[Arms] = ("few_labels", "few_fixmatch")
"""Labels alone and FixMatch: of the whole network, and of the label branch by itself."""
SCORES: Final = "scores.json"
LARGEST: Final = 64
"""Longest canvas side that is trained on, and scored."""
SYNTH_WAFERS: Final = 400
FIGURES: Final = {
    "macro_f1": "WM-811K macro-F1",
    "macro_f1_plain": "the same, all thresholds 0.5",
    "synth_iou": "synthetic die IoU",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One training run: an arm at a fraction of the labels, by a seed."""

    arm: str
    fraction: float
    seed: int
    depth: Depth = 18

    @property
    def name(self) -> str:
        """Folder of the run."""
        network = "branch" if self.arm in BRANCH else f"resnet{self.depth}"
        return f"{network}-{self.fraction * 100:g}-{self.arm}-{self.seed}"

    def config(self, data: Path, steps: int | None) -> TrainConfig:
        """Return the recipe of the run's arm, told fraction and seed."""
        config = build_recipe(self.arm, data)
        selection = replace(config.selection, fraction=self.fraction)
        model = config.model if config.glance else replace(config.model, depth=self.depth)
        steps = steps or config.steps
        return replace(config, selection=selection, model=model, seed=self.seed, steps=steps)


def plan(
    fractions: Sequence[float], seeds: int, depth: Depth, arms: Arms = NETWORK
) -> Iterator[Run]:
    """Yield the runs, both arms of a fraction and seed together, the first seed first."""
    for seed in range(seeds):
        for fraction in fractions:
            for arm in arms:
                yield Run(arm, fraction, seed, depth)


def finish(run: Run, folder: Path, data: Path, steps: int | None) -> dict[str, Any]:
    """Train a run, or go on with it, and score it; return its scores."""
    note = folder / run.name / SCORES
    if note.exists():
        scores: dict[str, Any] = json.loads(note.read_text())
        return scores
    config = run.config(data, steps)
    begun = time.perf_counter(), time.process_time()
    checkpoint = train(config, folder / run.name)
    spent = time.perf_counter() - begun[0], time.process_time() - begun[1]
    net, _ = load_network(checkpoint)
    predictor = torch_predictor(net)
    scores = {
        **score(predictor, data),
        **({} if config.glance else synthetic_scores(predictor)),  # its masks are not trained
        "steps": config.steps,
        "wall_s": spent[0],
        "cpu_s": spent[1],
    }
    fresh = note.with_suffix(".new")
    fresh.write_text(json.dumps(scores, indent=1))
    fresh.replace(note)
    return scores


def score(predictor: Predictor, data: Path) -> dict[str, Any]:
    """Return the figures of a network on WM-811K val."""
    wafers = [w for w in labelled(data / REAL_FILE.format(split="val")) if _fits(w)]
    names = DEFAULT_TAXONOMY.patterns
    found = predictor.predict_stream(wafers)
    probs = np.array([[p.patterns[n] for n in names] for p in found], np.float64)
    labels = np.array([[n in (w.patterns or ()) for n in names] for w in wafers])
    lots = {lot: k for k, lot in enumerate(dict.fromkeys(w.lot_id for w in wafers))}
    groups = np.array([lots[w.lot_id] for w in wafers], np.int64)
    truth = np.where(labels.any(axis=1), labels.argmax(axis=1), len(names))
    preds = np.zeros(len(wafers), np.int64)
    for half in (groups % 2 == 0, groups % 2 == 1):
        other = PatternScores(probs[~half], labels[~half], single=True)
        fit = fit_patterns([other])
        preds[half] = decide(fit.calibrated(probs[half]) / fit.thresholds)
    each = f1_scores(preds, truth, len(names) + 1)
    plain = f1_scores(decide(probs / 0.5), truth, len(names) + 1)
    return {
        "wafers": len(wafers),
        "macro_f1": float(np.mean(each)),
        "macro_f1_plain": float(np.mean(plain)),
        "f1": dict(zip([*names, "none"], each, strict=True)),
    }


def decide(ratio: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the label of the largest probability over threshold [N], P (none) below 1."""
    over = ratio.max(axis=1) >= 1.0
    return np.asarray(np.where(over, ratio.argmax(axis=1), ratio.shape[1]), np.int64)


def f1_scores(
    preds: npt.NDArray[np.int64], truth: npt.NDArray[np.int64], labels: int
) -> list[float]:
    """Return the F1 of each label."""
    pairs = [(preds == k, truth == k) for k in range(labels)]
    return [2.0 * float((p & t).sum()) / max(1, int(p.sum() + t.sum())) for p, t in pairs]


def synthetic_scores(predictor: Predictor) -> dict[str, Any]:
    """Return die IoU at threshold 0.5, pooled over held-out synthetic wafers, per class."""
    truths = [t for t in synthetic(TEST_SEED, SYNTH_WAFERS) if _fits(t.wafer)]
    both = either = np.zeros(len(DEFAULT_TAXONOMY.classes))
    for truth, found in zip(truths, predictor.predict_stream(t.wafer for t in truths), strict=True):
        both = both + (found.masks & truth.masks).sum(axis=(1, 2))
        either = either + (found.masks | truth.masks).sum(axis=(1, 2))
    iou = both / np.maximum(either, 1)
    return {
        "synth_iou": float(iou.mean()),
        "iou": dict(zip(DEFAULT_TAXONOMY.class_names, iou.tolist(), strict=True)),
    }


def table(runs: Sequence[Run], folder: Path) -> list[str]:
    """Return the lines of the table over the runs that are finished."""
    scores = {
        run: json.loads(note.read_text())
        for run in runs
        if (note := folder / run.name / SCORES).exists()
    }
    lines = []
    measured = {key for found in scores.values() for key in found}
    for key, title in FIGURES.items():
        if key not in measured:
            continue
        lines += ["", f"| {title} | labels | FixMatch | difference, paired | seeds |"]
        lines.append("|---|---|---|---|---|")
        for fraction in dict.fromkeys(run.fraction for run in runs):
            plain, semi = (
                _by_seed([(r, s) for r, s in scores.items() if r.arm in arm], fraction, key)
                for arm in zip(NETWORK, BRANCH, strict=True)
            )
            paired = [semi[seed] - value for seed, value in plain.items() if seed in semi]
            cells = [_mean_std(list(arm.values())) for arm in (plain, semi)]
            lines.append(
                f"| {fraction * 100:g} % | {cells[0]} | {cells[1]} | "
                f"{_mean_std(paired, signed=True)} | {len(paired)} |"
            )
    return lines


def _by_seed(
    scores: Sequence[tuple[Run, dict[str, Any]]], fraction: float, key: str
) -> dict[int, float]:
    return {run.seed: float(s[key]) for run, s in scores if run.fraction == fraction}


def _mean_std(values: Sequence[float], *, signed: bool = False) -> str:
    if not values:
        return "–"
    mean = f"{statistics.fmean(values):{'+' if signed else ''}.3f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.3f}"


def _fits(wafer: WaferMap) -> bool:
    return max(canvas_shape(wafer.shape)) <= LARGEST


def main() -> None:
    """Finish every run of the plan in turn, and print the table after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of real wafers")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--fractions", type=float, nargs="+", default=[0.05, 0.1, 1.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--depth", type=int, default=18, choices=[18, 50])
    parser.add_argument("--branch", action="store_true", help="the label branch by itself")
    parser.add_argument("--steps", type=int, help="steps of each run; the recipe's if left out")
    parser.add_argument("--table", action="store_true", help="print the table and train nothing")
    options = parser.parse_args()
    arms = BRANCH if options.branch else NETWORK
    runs = list(plan(options.fractions, options.seeds, options.depth, arms))
    for run in () if options.table else runs:
        scores = finish(run, options.runs, options.data, options.steps)
        print(run.name, *(f"{k} {scores[k]:.4f}" for k in FIGURES if k in scores), flush=True)
    print(*table(runs, options.runs), sep="\n")


if __name__ == "__main__":
    main()
