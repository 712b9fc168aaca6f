"""What a model says of a set of wafers before any threshold, kept for every fit and figure.

One pass of the model per set; thresholds, temperatures and halves are tried on what it left.
Shapes: N wafers, F their failing dies taken together, C defect classes, P patterns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import FAIL, WaferMap
from waferscope.infer import Predictor
from waferscope.ml.calibrate import PatternFit
from waferscope.ml.evaluation.figure import sum_groups
from waferscope.ml.truth import Truth

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Probs = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Answers:
    """Zone probabilities ``probs`` [C, F] of the failing dies, and what is true of them.

    Wafer n has the failing dies ``starts[n]`` to ``starts[n + 1]``, row by row. ``truth`` [C, F]
    and ``ignore`` [F] are its masks and the dies not scored; ``patterns`` [N, P] raw pattern
    probabilities, ``labels`` [N, P] the true ones. ``groups`` [N] are lots, or wafers where no lot
    is known: they are never parted; ``even`` [N] tells the two halves of them.
    """

    wafers: tuple[WaferMap, ...]
    starts: Ints
    probs: Probs
    truth: Bools
    ignore: Bools
    patterns: Floats
    labels: Bools
    groups: Ints
    even: Bools

    def __len__(self) -> int:
        return len(self.wafers)

    def dies(self, index: int) -> slice:
        """Return the failing dies of a wafer."""
        return slice(int(self.starts[index]), int(self.starts[index + 1]))

    def grid(self, index: int, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return ``values`` [K, F'] of a wafer's failing dies on its grid, [K, rows, cols]."""
        fails = self.wafers[index].dies == FAIL
        planes = np.zeros((len(values), *fails.shape), values.dtype)
        planes[:, fails] = values
        return planes

    def take(self, keep: Bools) -> Answers:
        """Return the wafers where ``keep`` [N] is true."""
        counts = np.diff(self.starts)
        dies = np.repeat(keep, counts)
        return Answers(
            wafers=tuple(w for w, kept in zip(self.wafers, keep, strict=True) if kept),
            starts=np.concatenate([[0], np.cumsum(counts[keep])]),
            probs=self.probs[:, dies],
            truth=self.truth[:, dies],
            ignore=self.ignore[dies],
            patterns=self.patterns[keep],
            labels=self.labels[keep],
            groups=self.groups[keep],
            even=self.even[keep],
        )

    def halves(self) -> tuple[Answers, Answers]:
        """Return two parts of about the same size that share no group."""
        return self.take(self.even), self.take(~self.even)

    def unhidden(self) -> Answers:
        """Return the same with every die scored."""
        return replace(self, ignore=np.zeros_like(self.ignore))


def labels_only(patterns: Floats, labels: Bools, groups: Ints, even: Bools) -> Answers:
    """Return answers of wafers of which only pattern probabilities [N, P] and labels are known."""
    count, classes = len(labels), len(DEFAULT_TAXONOMY.classes)
    return Answers(
        wafers=(),
        starts=np.zeros(count + 1, np.int64),
        probs=np.zeros((classes, 0), np.float32),
        truth=np.zeros((classes, 0), bool),
        ignore=np.zeros(0, bool),
        patterns=patterns,
        labels=labels,
        groups=groups,
        even=even,
    )


def ask(predictor: Predictor, truths: Iterable[Truth], even: Collection[str] = ()) -> Answers:
    """Return what a model says of wafers with a known answer, asked once each, in their order.

    ``even`` names the lots of the one half.
    """
    info = predictor.model
    names, classes = info.taxonomy.patterns, len(info.taxonomy.classes)
    held = list(truths)
    probs, shown = [np.zeros((classes, 0), np.float32)], []
    for prediction in predictor.predict_stream(t.wafer for t in held):
        probs.append(prediction.probs[:, prediction.wafer.dies == FAIL])
        shown.append([prediction.patterns[n] for n in names])
    fit = PatternFit(np.array(info.temperature), np.array(info.bias), np.ones(len(names)))
    patterns = np.array(shown, np.float64).reshape(len(held), len(names))
    known = [_known(t) for t in held]
    lots = [lot_of(t.wafer) for t in held]
    labels = [[n in (t.wafer.patterns or ()) for n in names] for t in held]
    return Answers(
        wafers=tuple(t.wafer for t in held),
        starts=np.cumsum([0, *(len(ignore) for _, ignore in known)]),
        probs=np.concatenate(probs, axis=1),
        truth=np.concatenate([np.zeros((classes, 0), bool), *(m for m, _ in known)], axis=1),
        ignore=np.concatenate([np.zeros(0, bool), *(i for _, i in known)]),
        patterns=fit.raw(patterns),
        labels=np.array(labels, bool).reshape(len(held), len(names)),
        groups=number_groups(lots),
        even=np.array([lot in even for lot in lots], bool),
    )


def lot_of(wafer: WaferMap) -> str:
    """Return what a wafer is never parted from: its lot, or itself where none is known."""
    return wafer.lot_id or wafer.wafer_id


def number_groups(names: Sequence[str]) -> Ints:
    """Return the number of each name's group, by first appearance.

    >>> number_groups(["b", "a", "b"]).tolist()
    [0, 1, 0]
    """
    numbers = {name: k for k, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.int64)


def halve(lots: Sequence[str], labels: Bools) -> frozenset[str]:
    """Return the lots of one half, such that both have about as many wafers of each label.

    ``labels`` are [N, P]; wafers without any count as one more. The largest lots go first, each
    to the half that lacks more of what it holds.

    >>> sorted(halve(["a", "b", "c", "d"], np.array([[1], [1], [0], [0]]) > 0))
    ['a', 'c']
    """
    kinds = np.column_stack([labels, ~labels.any(axis=1)])
    counts = sum_groups(kinds, number_groups(lots))
    shares = counts / np.maximum(counts.sum(axis=0), 1.0)
    lead, even = np.zeros(shares.shape[1]), set()
    for number in np.argsort(-shares.sum(axis=1), kind="stable"):
        lacks = float(np.sum((lead + shares[number]) ** 2 - (lead - shares[number]) ** 2)) <= 0.0
        lead += shares[number] if lacks else -shares[number]
        if lacks:
            even.add(int(number))
    return frozenset(lot for k, lot in enumerate(dict.fromkeys(lots)) if k in even)


def _known(truth: Truth) -> tuple[Bools, Bools]:
    """Return the masks [C, F] and ignored dies [F] of a wafer's failing dies."""
    fails = truth.wafer.dies == FAIL
    ignore = np.zeros(fails.shape, bool) if truth.ignore is None else truth.ignore
    return truth.masks[:, fails], ignore[fails]
