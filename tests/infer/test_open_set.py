"""Strange wafers are far from known ones, by a loop over neighbours and by a full inverse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from waferscope.errors import InputError
from waferscope.infer.open_set import NEIGHBOURS, SHRINKAGE, build_reference, load_reference

Floats = npt.NDArray[np.float64]


def known(rng: np.random.Generator, size: int = 6) -> tuple[Floats, npt.NDArray[np.str_]]:
    """Three tight clusters around the first axes."""
    labels = np.array(["a", "b", "c"] * 20)
    centres = np.eye(size)[:3][np.array([0, 1, 2] * 20)]
    points = centres + rng.normal(0, 0.05, (60, size))
    return points / np.linalg.norm(points, axis=1, keepdims=True), labels


def test_the_distance_to_the_fifth_neighbour_by_a_loop(rng: np.random.Generator) -> None:
    points, labels = known(rng)
    asked = rng.normal(size=(7, 6))
    found = build_reference(points, labels).neighbour_distance(asked)
    for one, distance in zip(asked, found, strict=True):
        cosines = [float(one @ p) / float(np.linalg.norm(one)) for p in points]
        assert distance == pytest.approx(sorted(1.0 - c for c in cosines)[NEIGHBOURS - 1])


def test_the_distance_to_the_nearest_class_by_a_full_inverse(rng: np.random.Generator) -> None:
    points, labels = known(rng)
    asked = rng.normal(size=(5, 6))
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    means = {k: points[labels == k].mean(axis=0) for k in "abc"}
    within = points - np.array([means[k] for k in labels])
    covariance = within.T @ within / len(points)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / 6 * np.eye(6)
    inverse = np.linalg.inv(shrunk)
    found = build_reference(points, labels).class_distance(asked)
    for one, distance in zip(asked, found, strict=True):
        expected = min(float((one - m) @ inverse @ (one - m)) for m in means.values())
        assert distance == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("score", ["neighbour_distance", "class_distance"])
def test_a_cluster_never_seen_is_farther_than_those_that_were(
    score: str, rng: np.random.Generator
) -> None:
    points, labels = known(rng)
    reference = build_reference(points, labels)
    fresh, _ = known(rng)
    strange = np.eye(6)[[3] * 20] + rng.normal(0, 0.05, (20, 6))
    near, far = (getattr(reference, score)(some) for some in (fresh, strange))
    assert near.max() < far.min()


def test_a_label_too_rare_for_a_centre_has_none(rng: np.random.Generator) -> None:
    points, labels = known(rng)
    rare = np.concatenate([points, np.eye(6)[[5]]]), np.append(labels, "d")
    assert build_reference(*rare).class_distance(np.eye(6)[[5]])[0] > 1.0
    alone = build_reference(points[:7], np.array(list("abcdefg")))
    assert np.isfinite(alone.class_distance(points)).all()


def test_a_reference_is_written_and_read_back(tmp_path: Path, rng: np.random.Generator) -> None:
    reference = build_reference(*known(rng))
    reference.save(tmp_path / "known.npz")
    again = load_reference(tmp_path / "known.npz")
    np.testing.assert_allclose(again.embeddings, reference.embeddings, atol=1e-6)
    assert again.labels.tolist() == reference.labels.tolist()
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    for name in ("missing.npz", "other.npz"):
        with pytest.raises(InputError, match="npz of embeddings"):
            load_reference(tmp_path / name)


def test_too_few_wafers_are_refused() -> None:
    with pytest.raises(InputError, match="more than 5"):
        build_reference(np.eye(5), list("abcde"))
    with pytest.raises(InputError, match="label each"):
        build_reference(np.eye(9), list("abcde"))
