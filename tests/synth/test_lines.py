"""Drawn lines are found die by die; blobs and rims are not taken for lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from waferscope.synth.lines import find_lines, line_contrast

Mask = npt.NDArray[np.bool_]


def disc(side: int = 45) -> Mask:
    row, col = np.indices((side, side)) - (side - 1) / 2
    return np.asarray(np.hypot(row, col) < side / 2)


def drawn(start: tuple[float, float], angle: float, length: float, side: int = 45) -> Mask:
    along = np.arange(0, length, 0.25)
    line = np.zeros((side, side), dtype=bool)
    row, col = start[0] + along * np.sin(angle), start[1] + along * np.cos(angle)
    line[np.rint(row).astype(int), np.rint(col).astype(int)] = True
    return line & disc(side)


def noisy(fails: Mask, rng: np.random.Generator, rate: float = 0.06) -> npt.NDArray[np.uint8]:
    present = disc(fails.shape[0])
    dies = present.astype(np.uint8)
    dies[present & (fails | (rng.random(fails.shape) < rate))] = 2
    return dies


def overlap(found: Mask, truth: Mask) -> float:
    return float(np.count_nonzero(found & truth) / np.count_nonzero(found | truth))


@pytest.mark.parametrize("angle", np.arange(12) * np.pi / 12)
def test_straight_lines_of_any_angle_are_found(angle: float, rng: np.random.Generator) -> None:
    start = 22 - 9 * np.sin(angle), 22 - 9 * np.cos(angle)
    truth = drawn(start, angle, 18)
    overlaps = []
    for _ in range(5):
        lines, unsure = find_lines(noisy(truth, rng))
        overlaps.append(overlap(lines, truth))
        assert (lines & truth).sum() == truth.sum()
        assert not (lines & unsure).any()
    assert np.mean(overlaps) > 0.7  # the rest are background fails that touch the line


def test_an_arc_with_gaps_and_a_second_line_are_found(rng: np.random.Generator) -> None:
    row, col = np.indices((45, 45))
    arc = (np.abs(np.hypot(row - 60, col - 22) - 38) < 0.6) & disc()
    arc &= rng.random(arc.shape) < 0.9
    truth = arc | drawn((8, 14), 0.3, 14)
    lines, _ = find_lines(noisy(truth, rng, 0.03))
    assert overlap(lines, truth) > 0.8


def test_a_rim_of_fails_is_no_line_and_a_blob_hardly_one(rng: np.random.Generator) -> None:
    row, col = np.indices((45, 45)) - 22
    rim = disc() & (np.hypot(row, col) > 21.5)
    lines, unsure = find_lines(noisy(rim, rng, 0.0))
    assert np.count_nonzero(lines) <= 0.1 * np.count_nonzero(rim)
    assert np.count_nonzero(unsure & rim) >= 0.5 * np.count_nonzero(rim)
    blob, scratch = np.hypot(row + 8, col) < 8, drawn((36, 10), 0.2, 25)
    lines, _ = find_lines(noisy(blob | scratch, rng, 0.0))
    assert (lines & scratch).sum() == scratch.sum()
    assert np.count_nonzero(lines & blob) <= 0.15 * np.count_nonzero(blob)


def test_contrast_and_angle_of_one_row() -> None:
    present = np.ones((21, 31), dtype=bool)
    fails = np.zeros_like(present)
    fails[10] = True
    contrast, angle = line_contrast(fails, present)
    assert contrast[10, 15] == contrast.max() > 0.8
    assert angle[10, 15] == 0
    _, turned = line_contrast(fails.T, present.T)
    assert turned[15, 10] == pytest.approx(np.pi / 2)


def test_nothing_is_found_where_nothing_fails() -> None:
    lines, unsure = find_lines(np.ones((20, 20), dtype=np.uint8))
    assert not lines.any()
    assert not unsure.any()
