"""Wafers of a public set made ready for training: checked, each once, split by whole lots."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from waferscope.domain.wafermap import DieGrid, WaferMap
from waferscope.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS: Final = ("train", "val", "test")
UNLABELLED: Final = "unlabelled"
_GROUP_ROWS: Final = 4096
_FREE: Final = "none"


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of the labelled wafers each split gets, and the seed that orders equal lots."""

    val: float = 0.25
    test: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.val < 1 and 0 <= self.test < 1 and self.val + self.test < 1):
            raise InputError(
                f"Expected shares for val and test that leave some for train, got {self.val} and "
                f"{self.test}. Give fractions such as 0.25 and 0."
            )


@dataclass(frozen=True, slots=True)
class Dataset:
    """Wafers by the name of their split, what was left out and why, and numbers for the lots."""

    parts: dict[str, list[WaferMap]]
    left_out: dict[str, int] = field(default_factory=dict)
    lots: dict[str, int] = field(default_factory=dict)


def build_dataset(
    wafers: Sequence[WaferMap], shares: Shares = Shares(), keep_unlabelled: bool = False
) -> Dataset:
    """Return the labelled wafers in splits that share no lot and no map.

    Maps that are the same under a turn or a mirror count as one; where their labels differ none
    of them is kept. Unlabelled wafers are kept on request, and never from lots of val or test.
    """
    whole = [wafer for wafer in wafers if wafer.die_count]
    left_out = Counter({"without a die": len(wafers) - len(whole)})
    if not keep_unlabelled:
        labelled = [wafer for wafer in whole if wafer.patterns is not None]
        left_out["without a label"] = len(whole) - len(labelled)
        whole = labelled
    kept, repeated, disputed = drop_duplicates(whole)
    left_out["the same map as another"] = repeated
    left_out["the same map with another label"] = disputed
    lots = {lot: n for n, lot in enumerate(dict.fromkeys(w.lot_id for w in wafers if w.lot_id))}
    labelled = [wafer for wafer in kept if wafer.patterns is not None]
    where = split_lots(labelled, shares)
    parts: dict[str, list[WaferMap]] = {name: [] for name in SPLITS}
    for wafer, split in zip(labelled, where, strict=True):
        parts[SPLITS[split]].append(wafer)
    if keep_unlabelled:
        held = {w.lot_id for name in SPLITS[1:] for w in parts[name] if w.lot_id}
        free = [wafer for wafer in kept if wafer.patterns is None]
        parts[UNLABELLED] = [wafer for wafer in free if wafer.lot_id not in held]
        left_out["without a label, of lots in val or test"] = len(free) - len(parts[UNLABELLED])
    filled = {name: part for name, part in parts.items() if part}
    return Dataset(filled, {why: count for why, count in left_out.items() if count}, lots)


def map_key(dies: DieGrid) -> bytes:
    """Return 16 bytes that a map shares with its turns and mirrors, and with no other map.

    >>> one = np.array([[0, 1, 2], [1, 1, 1]], dtype=np.uint8)
    >>> map_key(one) == map_key(np.rot90(one)) == map_key(one[::-1])
    True
    """
    turns = [np.rot90(dies, quarter) for quarter in range(4)]
    views = [*turns, *(turn[:, ::-1] for turn in turns)]
    rows, data = min((view.shape[0], view.tobytes()) for view in views)
    return blake2b(data, digest_size=16, salt=rows.to_bytes(4)).digest()


def drop_duplicates(wafers: Sequence[WaferMap]) -> tuple[list[WaferMap], int, int]:
    """Return one wafer of each map, and how many repeated one or disputed its label.

    The first labelled wafer of a map stays. A map whose wafers have different labels goes whole.
    """
    same: dict[bytes, list[int]] = {}
    for number, wafer in enumerate(wafers):
        same.setdefault(map_key(wafer.dies), []).append(number)
    kept, disputed = [], 0
    for numbers in same.values():
        labels = {p: n for n in reversed(numbers) if (p := wafers[n].patterns) is not None}
        if len({frozenset(label) for label in labels}) > 1:
            disputed += len(numbers)
        else:
            kept.append(min(labels.values(), default=numbers[0]))
    return [wafers[n] for n in sorted(kept)], len(wafers) - len(kept) - disputed, disputed


def split_lots(wafers: Sequence[WaferMap], shares: Shares) -> npt.NDArray[np.intp]:
    """Return the split (an index into SPLITS) of each wafer: whole lots, labels in proportion.

    Lots with the rarest labels are placed first, each where its labels are missing most. A wafer
    without a lot is a lot of its own. The same wafers and seed give the same splits.
    """
    lots = [wafer.lot_id or f"\0{n}" for n, wafer in enumerate(wafers)]
    lot_of = _numbered(lots)
    label_of = _numbered(["|".join(sorted(wafer.patterns or ())) or _FREE for wafer in wafers])
    counts = np.zeros((int(lot_of.max(initial=-1)) + 1, int(label_of.max(initial=-1)) + 1))
    np.add.at(counts, (lot_of, label_of), 1)
    weights = counts / counts.sum(axis=0)
    wanted = np.array([1 - shares.val - shares.test, shares.val, shares.test])
    open_splits = np.flatnonzero(wanted)
    missing = np.repeat(wanted[:, None], counts.shape[1], axis=1)
    split = np.zeros(len(counts), dtype=np.intp)
    shuffled = np.random.default_rng(shares.seed).permutation(len(counts))
    for lot in shuffled[np.argsort(-weights[shuffled].sum(axis=1), kind="stable")]:
        gain = (missing[open_splits] / wanted[open_splits, None]) @ weights[lot]
        split[lot] = open_splits[int(np.argmax(gain))]
        missing[split[lot]] -= weights[lot]
    return split[lot_of]


def _numbered(names: Sequence[str]) -> npt.NDArray[np.intp]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)


def count_labels(wafers: Iterable[WaferMap]) -> Counter[str]:
    """Return how many wafers carry each label; "none" counts those labelled free of patterns."""
    return Counter(
        label
        for wafer in wafers
        if wafer.patterns is not None
        for label in wafer.patterns or (_FREE,)
    )


def dataset_bytes(wafers: Sequence[WaferMap], lots: dict[str, int]) -> bytes:
    """Return a Parquet file of wafers, written in groups of rows.

    Columns: ``wafer_id``, ``lot_group`` (the lot's number in ``lots``), ``rows``, ``cols``,
    ``dies``, ``patterns`` (null: unlabelled); and where the set has them ``lot_id``, ``slot`` (the
    wafer's number in its lot), ``die_size`` and ``official_split``.
    """
    import pyarrow.parquet as pq

    kinds = _kinds(wafers, lots)
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, kinds, compression="zstd") as writer:
        for start in range(0, len(wafers), _GROUP_ROWS):
            writer.write_table(_table(wafers[start : start + _GROUP_ROWS], kinds, lots))
    return sink.getvalue()


def _kinds(wafers: Sequence[WaferMap], lots: dict[str, int]) -> pa.Schema:
    import pyarrow as pa

    extra = [wafer.source.extra for wafer in wafers if wafer.source]
    there = {
        "wafer_id": pa.string(),
        "lot_group": pa.int32() if lots else None,
        "rows": pa.int16(),
        "cols": pa.int16(),
        "dies": pa.binary(),
        "patterns": pa.list_(pa.string()),
        "lot_id": pa.string() if lots else None,
        "slot": pa.int64() if any(wafer.slot is not None for wafer in wafers) else None,
        "die_size": pa.int32() if any("die_size" in one for one in extra) else None,
        "official_split": pa.string() if any("official_split" in one for one in extra) else None,
    }
    return pa.schema([(name, kind) for name, kind in there.items() if kind is not None])


def _table(wafers: Sequence[WaferMap], kinds: pa.Schema, lots: dict[str, int]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist([_row(wafer, lots) for wafer in wafers], schema=kinds)


def _row(wafer: WaferMap, lots: dict[str, int]) -> dict[str, Any]:
    rows, cols = wafer.shape
    return {
        **(wafer.source.extra if wafer.source else {}),
        "wafer_id": wafer.wafer_id,
        "lot_group": lots.get(wafer.lot_id or ""),
        "rows": rows,
        "cols": cols,
        "dies": wafer.dies.tobytes(),
        "patterns": None if wafer.patterns is None else list(wafer.patterns),
        "lot_id": wafer.lot_id,
        "slot": wafer.slot,
    }
