"""Embeddings in memory: which of up to a million unit vectors lie nearest to one.

Vectors are kept at 8 bits a component and scanned, all of them or those of a filter: no graph to
build, no recall to lose but that of rounding, which the caller makes good by comparing the
candidates again at full precision. A million of 256 components take 264 MB.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import faiss
import numpy as np
import numpy.typing as npt

from waferscope.errors import InputError

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

SEGMENT: Final = 16_384
"""Vectors of a segment; 4 MB of 256 components, copied whenever the last one grows."""
WIDEST: Final = 8.0
"""Components beyond so many times their mean size, 1 / sqrt(d), are cut."""
NUMBER_BYTES: Final = 8
MODELS_KEPT: Final = 2
"""Models whose vectors are kept at a time: the one in use and the one before."""


class VectorIndex:
    """Unit vectors float32 ``[d]`` under numbers, ``size`` = d.

    Segments are never changed, only replaced: searches need no lock, while one thread may add
    or remove.
    """

    def __init__(self, size: int) -> None:
        self.size: Final = size
        self._scale: Final = 127 / min(1.0, WIDEST / np.sqrt(size))
        self._segments: tuple[faiss.IndexIDMap, ...] = ()

    def __len__(self) -> int:
        return sum(segment.ntotal for segment in self._segments)

    @property
    def nbytes(self) -> int:
        """Bytes that the vectors and their numbers take."""
        return len(self) * (self.size + NUMBER_BYTES)

    def add(self, numbers: Numbers, vectors: Floats) -> None:
        """Add vectors ``[n, d]`` under numbers ``[n]`` that are not there yet."""
        codes = self._coded(vectors)
        begin = 0
        while begin < len(numbers):
            whole, segment = self._segments, self._empty()
            if whole and whole[-1].ntotal < SEGMENT:
                whole, segment = whole[:-1], _copy(whole[-1])
            end = begin + SEGMENT - segment.ntotal
            segment.add_with_ids(codes[begin:end], numbers[begin:end])
            self._segments = (*whole, segment)
            begin = end

    def remove(self, numbers: Numbers) -> None:
        """Forget what is under the numbers, if anything."""
        selector = faiss.IDSelectorBatch(numbers)
        kept = []
        for segment in self._segments:
            left = segment
            if np.isin(faiss.vector_to_array(segment.id_map), numbers).any():
                left = _copy(segment)
                left.remove_ids(selector)
            if left.ntotal:
                kept.append(left)
        self._segments = tuple(kept)

    def search(self, vector: Floats, count: int, among: Numbers | None = None) -> Numbers:
        """Return the numbers of the ``count`` nearest to a unit vector ``[d]``, the nearest first.

        ``among`` leaves out all others. The order is that of the rounded vectors.
        """
        faiss.omp_set_num_threads(1)  # of this thread: for one query, more would only wait
        query = self._coded(vector[np.newaxis])
        params = faiss.SearchParameters()
        if among is not None:
            chosen = faiss.IDSelectorBatch(among)  # named, to live as long as the search
            params.sel = chosen
        found = [
            segment.search(query, min(count, segment.ntotal), params=params)
            for segment in self._segments
        ]
        if not found:
            return np.empty(0, dtype=np.int64)
        likeness = np.concatenate([scores[0] for scores, _ in found])
        numbers = np.concatenate([ids[0] for _, ids in found])
        likeness, numbers = likeness[numbers >= 0], numbers[numbers >= 0]
        nearest: Numbers = numbers[np.argsort(-likeness, kind="stable")[:count]]
        return nearest

    def _coded(self, vectors: Floats) -> Floats:
        if vectors.shape[1:] != (self.size,):
            raise InputError(
                f"Expected vectors of {self.size} components, got {vectors.shape[1:]}. "
                "Compare embeddings of one model."
            )
        codes: Floats = np.clip(np.rint(vectors * self._scale), -128, 127).astype(np.float32)
        return codes

    def _empty(self) -> faiss.IndexIDMap:
        kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
        return faiss.IndexIDMap(
            faiss.IndexScalarQuantizer(self.size, kind, faiss.METRIC_INNER_PRODUCT)
        )


def _copy(segment: faiss.IndexIDMap) -> faiss.IndexIDMap:
    copy = faiss.clone_index(segment)
    assert isinstance(copy, faiss.IndexIDMap)
    return copy


@dataclass
class Followed:
    """An index that follows the records: rows up to ``settled`` are in it, and the ``recent``.

    A number above ``settled`` may still turn up below the highest: its transaction was slower.
    ``passed_at`` is when all of them were looked through last. ``lock`` is held by whoever brings
    the index up to date.
    """

    index: VectorIndex
    settled: int = 0
    recent: set[int] = field(default_factory=set)
    passed_at: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class VectorIndexes:
    """The indexes of this process, one per model; the one that was not used longest goes first."""

    def __init__(self) -> None:
        self._held: Final[OrderedDict[str, Followed]] = OrderedDict()
        self._lock: Final = threading.Lock()

    def of(self, model_version: str, size: int) -> Followed:
        """Return the index of a model whose embeddings have ``size`` components; empty at first."""
        with self._lock:
            found = self._held.pop(model_version, None) or Followed(VectorIndex(size))
            self._held[model_version] = found
            while len(self._held) > MODELS_KEPT:
                self._held.popitem(last=False)
            return found

    @property
    def nbytes(self) -> int:
        """Bytes that all of them take."""
        with self._lock:
            return sum(one.index.nbytes for one in self._held.values())
