"""The index of vectors against numpy's dot products over all of them."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt
import pytest

from waferscope.errors import InputError
from waferscope.service import vectors
from waferscope.service.vectors import VectorIndex, VectorIndexes

Floats = npt.NDArray[np.float32]


def unit(rng: np.random.Generator, count: int, size: int) -> Floats:
    found = rng.normal(size=(count, size)).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def nearest(stored: Floats, query: Floats, count: int) -> set[int]:
    return set(np.argsort(-(stored @ query))[:count].tolist())


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "SEGMENT", 64)


@pytest.mark.parametrize("size", [2, 16, 64, 256])
def test_the_nearest_are_among_a_few_candidates_more(size: int) -> None:
    rng = np.random.default_rng(size)
    stored = unit(rng, 3000, size)
    index = VectorIndex(size)
    index.add(np.arange(3000), stored)
    for query in unit(rng, 20, size):
        assert nearest(stored, query, 10) <= set(index.search(query, 104).tolist())


def test_the_nearest_of_near_copies_are_found(small_segments: None) -> None:
    rng = np.random.default_rng(1)
    centre = unit(rng, 1, 256)
    stored = centre + rng.normal(scale=0.01, size=(500, 256)).astype(np.float32)
    stored /= np.linalg.norm(stored, axis=1, keepdims=True)
    index = VectorIndex(256)
    index.add(np.arange(500), stored)
    hits = [nearest(stored, one, 10) & set(index.search(one, 104).tolist()) for one in stored[:50]]
    assert sum(map(len, hits)) >= 0.99 * 10 * 50


def test_the_order_is_by_likeness_and_a_vector_is_nearest_to_itself(small_segments: None) -> None:
    rng = np.random.default_rng(2)
    stored = unit(rng, 200, 32)
    index = VectorIndex(32)
    index.add(np.arange(200) * 7, stored)
    found = index.search(stored[11], 200)
    assert sorted(found.tolist()) == [7 * i for i in range(200)]
    assert found[0] == 77
    likeness = (stored @ stored[11])[found // 7]
    assert (np.diff(likeness) < 0.02).all()


def test_a_filter_leaves_out_all_others(small_segments: None) -> None:
    rng = np.random.default_rng(3)
    stored = unit(rng, 300, 16)
    index = VectorIndex(16)
    index.add(np.arange(300), stored)
    among = np.array([5, 80, 81, 299, 1000], dtype=np.int64)
    assert set(index.search(stored[0], 10, among).tolist()) == {5, 80, 81, 299}
    assert index.search(stored[80], 1, among).tolist() == [80]
    assert index.search(stored[0], 10, np.empty(0, dtype=np.int64)).tolist() == []


def test_it_grows_by_one_or_by_many(small_segments: None) -> None:
    rng = np.random.default_rng(4)
    stored = unit(rng, 150, 16)
    one, many = VectorIndex(16), VectorIndex(16)
    many.add(np.arange(150), stored)
    for i in range(150):
        one.add(np.array([i]), stored[i : i + 1])
    assert len(one) == len(many) == 150
    assert one.nbytes == 150 * (16 + 8)
    for query in stored[:10]:
        assert one.search(query, 20).tolist() == many.search(query, 20).tolist()


def test_what_is_removed_is_not_found_again(small_segments: None) -> None:
    rng = np.random.default_rng(5)
    stored = unit(rng, 130, 16)
    index = VectorIndex(16)
    index.add(np.arange(130), stored)
    index.remove(np.array([3, 129, 128, 500], dtype=np.int64))
    assert len(index) == 127
    assert not {3, 128, 129} & set(index.search(stored[3], 130).tolist())
    index.add(np.array([3]), stored[3:4])
    assert index.search(stored[3], 1).tolist() == [3]


def test_nothing_is_nearest_in_an_empty_index() -> None:
    index = VectorIndex(8)
    assert index.search(np.eye(8, dtype=np.float32)[0], 5).tolist() == []
    assert (len(index), index.nbytes) == (0, 0)


def test_vectors_of_another_model_are_refused() -> None:
    index = VectorIndex(8)
    with pytest.raises(InputError, match="8 components"):
        index.add(np.array([1]), np.ones((1, 9), dtype=np.float32))
    with pytest.raises(InputError, match="8 components"):
        index.search(np.ones(9, dtype=np.float32), 1)


def test_searches_go_on_while_one_adds_and_removes(small_segments: None) -> None:
    rng = np.random.default_rng(6)
    stored = unit(rng, 600, 16)
    index = VectorIndex(16)
    index.add(np.arange(300), stored[:300])
    wrong: list[int] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            if index.search(stored[7], 1).tolist() != [7]:
                wrong.append(1)

    readers = [threading.Thread(target=search) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(300, 600):
        index.add(np.array([i]), stored[i : i + 1])
        if i % 3 == 0:
            index.remove(np.array([i]))
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(index) == 500


def test_there_is_one_index_per_model_and_the_oldest_goes() -> None:
    held = VectorIndexes()
    first = held.of("1", 8)
    assert held.of("1", 8) is first
    first.index.add(np.array([1]), np.eye(8, dtype=np.float32)[:1])
    assert held.nbytes == 16
    held.of("2", 8)
    held.of("1", 8)
    held.of("3", 8)
    assert held.of("1", 8) is first
    assert len(held.of("2", 8).index) == 0
    held.of("3", 8)
    assert held.of("1", 8) is not first
