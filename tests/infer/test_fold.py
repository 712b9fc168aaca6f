"""Exposure fields, against loops over dies and known repeats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from waferscope.domain.wafermap import DieGrid, Reticle
from waferscope.infer import fold
from waferscope.infer.fold import find_field, fold_rates, fold_rates_batch


def disc(rows: int, cols: int) -> npt.NDArray[np.bool_]:
    y, x = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : cols * 1j]
    return np.asarray(np.hypot(y, x) <= 1.02)


def repeater(
    rng: np.random.Generator, shape: tuple[int, int], field: tuple[int, int], background: float
) -> DieGrid:
    """Return a wafer on which two neighbouring positions of every field fail."""
    chance = np.full(shape, background)
    chance[1 :: field[0], 0 :: field[1]] = 0.95
    chance[1 :: field[0], 1 :: field[1]] = 0.95
    return (disc(*shape) * (1 + (rng.random(shape) < chance))).astype(np.uint8)


def rates_by_loop(dies: DieGrid, field: Reticle) -> npt.NDArray[np.float32]:
    hits: dict[tuple[int, int], int] = {}
    count: dict[tuple[int, int], int] = {}
    for (row, col), value in np.ndenumerate(dies):
        place = ((row - field.row_offset) % field.rows, (col - field.col_offset) % field.cols)
        count[place] = count.get(place, 0) + int(value > 0)
        hits[place] = hits.get(place, 0) + int(value == 2)
    rates = np.zeros(dies.shape, np.float32)
    for (row, col), value in np.ndenumerate(dies):
        place = ((row - field.row_offset) % field.rows, (col - field.col_offset) % field.cols)
        if value:
            rates[row, col] = hits[place] / count[place]
    return rates


def lattice_energy_by_autocorrelation(
    residual: npt.NDArray[np.float32], rows: int, cols: int
) -> float:
    """Return the autocorrelation of the residual summed over all shifts of a lattice."""
    height, width = residual.shape
    spectrum = np.fft.rfft2(residual.astype(float), s=(2 * height, 2 * width))
    shifts = np.fft.irfft2(np.abs(spectrum) ** 2, s=(2 * height, 2 * width))
    down = [i for i in range(-height + 1, height) if i % rows == 0]
    across = [j for j in range(-width + 1, width) if j % cols == 0]
    return float(shifts[np.ix_(down, across)].sum())


@pytest.mark.parametrize(
    ("shape", "field"),
    [((26, 30), (3, 4)), ((41, 41), (5, 5)), ((64, 50), (2, 9)), ((90, 90), (16, 11))],
)
def test_field_of_a_repeater_is_found(
    rng: np.random.Generator, shape: tuple[int, int], field: tuple[int, int]
) -> None:
    dies = repeater(rng, shape, field, background=0.05)
    assert find_field(dies) == Reticle(*field)
    np.testing.assert_allclose(fold_rates(dies), rates_by_loop(dies, Reticle(*field)), atol=1e-6)


def test_given_reticle_matches_the_loop_whatever_its_offset(rng: np.random.Generator) -> None:
    dies = repeater(rng, (40, 44), (4, 5), background=0.1)
    for reticle in (Reticle(4, 5), Reticle(4, 5, 3, 2), Reticle(8, 5)):
        np.testing.assert_allclose(
            fold_rates(dies, reticle), rates_by_loop(dies, reticle), atol=1e-6
        )


def test_reticle_without_repeats_gives_zeros(rng: np.random.Generator) -> None:
    noise = (disc(40, 40) * (1 + (rng.random((40, 40)) < 0.1))).astype(np.uint8)
    assert not fold_rates(noise, Reticle(4, 5)).any()
    assert not fold_rates(noise, Reticle(100, 100)).any()


def test_known_reticle_finds_what_is_too_faint_to_search_for(rng: np.random.Generator) -> None:
    shape = (25, 25)
    known = searched = 0
    for _ in range(40):
        chance = np.full(shape, 0.15)
        chance[1::5, 1::5] = 0.6
        dies = (disc(*shape) * (1 + (rng.random(shape) < chance))).astype(np.uint8)
        known += bool(fold_rates(dies, Reticle(5, 5)).any())
        searched += bool(fold_rates(dies).any())
    assert known > searched


def test_lattice_energy_is_the_autocorrelation_over_its_shifts(rng: np.random.Generator) -> None:
    dies = repeater(rng, (21, 26), (4, 3), background=0.2)
    fails, tested = fold._layers(dies)
    residual = fold._residual(fails, tested)
    for rows, cols in ((2, 2), (4, 3), (7, 13)):
        folded = fold._fold(residual, Reticle(rows, cols))
        expected = lattice_energy_by_autocorrelation(residual, rows, cols)
        assert np.square(folded).sum() == pytest.approx(expected, rel=1e-4)


def test_residual_is_fail_minus_the_rate_around(rng: np.random.Generator) -> None:
    dies = repeater(rng, (12, 17), (3, 3), background=0.2)
    residual = fold._residual(*fold._layers(dies))
    reach = fold.WINDOW // 2
    for (row, col), value in np.ndenumerate(dies):
        near = dies[max(0, row - reach) : row + reach + 1, max(0, col - reach) : col + reach + 1]
        rate = int((near == 2).sum()) / max(1, int((near > 0).sum()))
        expected = (float(value == 2) - rate) if value else 0.0
        assert residual[row, col] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("density", [0.02, 0.08, 0.25])
@pytest.mark.parametrize("side", [20, 33, 64])
def test_noise_has_no_field(rng: np.random.Generator, side: int, density: float) -> None:
    false = 0
    for _ in range(100):
        noise = (disc(side, side) * (1 + (rng.random((side, side)) < density))).astype(np.uint8)
        false += find_field(noise) is not None
    assert false <= 3  # 1 % expected at most


def test_blob_ring_gradient_and_scratch_have_no_field(rng: np.random.Generator) -> None:
    y, x = np.mgrid[-1:1:51j, -1:1:51j]
    rho = np.hypot(y, x)
    zones = [rho < 0.3, (rho > 0.4) & (rho < 0.6), rho > 0.85, x > 0.2, np.abs(y - 0.3 * x) < 0.03]
    for zone in zones:
        chance = np.where(zone, 0.85, 0.05)
        dies = ((rho <= 1) * (1 + (rng.random(rho.shape) < chance))).astype(np.uint8)
        assert find_field(dies) is None


def test_power_on_faint_repeaters(rng: np.random.Generator) -> None:
    right = 0
    for _ in range(60):
        rows, cols = (int(n) for n in rng.integers(3, 9, 2))
        chance = np.full((40, 40), 0.05)
        chance[rng.integers(rows) :: rows, rng.integers(cols) :: cols] = 0.8
        dies = (disc(40, 40) * (1 + (rng.random((40, 40)) < chance))).astype(np.uint8)
        right += find_field(dies) == Reticle(rows, cols)
    assert right >= 48


@pytest.mark.parametrize("value", [0, 1, 2])
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (30, 30)])
def test_uniform_wafers_have_no_field(shape: tuple[int, int], value: int) -> None:
    dies = np.full(shape, value, np.uint8)
    assert not fold_rates(dies).any()


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 2)),
    st.none() | st.builds(Reticle, st.integers(1, 20), st.integers(1, 20)),
)
def test_any_grid_gives_rates_on_its_dies(dies: DieGrid, reticle: Reticle | None) -> None:
    rates = fold_rates(dies, reticle)
    assert rates.dtype == np.float32
    assert rates.shape == dies.shape
    assert rates.min() >= 0.0
    assert rates.max() <= 1.0
    assert not rates[dies == 0].any()


def test_batch_gives_what_each_wafer_gives(rng: np.random.Generator) -> None:
    grids = [
        repeater(rng, (30, 30), (3, 5), 0.1),
        repeater(rng, (24, 40), (4, 4), 0.0),
        np.ones((9, 9), np.uint8),
    ]
    for one, batch in zip(grids, fold_rates_batch(grids), strict=True):
        np.testing.assert_array_equal(fold_rates(one), batch)
    known = fold_rates_batch(grids[:1], [Reticle(3, 5, 1, 1)])
    np.testing.assert_array_equal(known[0], fold_rates(grids[0]))


def test_real_wafers_seldom_have_a_field(shared_data: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data / "wm811k" / "val.parquet").slice(0, 600).to_pylist()
    grids = [np.frombuffer(r["dies"], np.uint8).reshape(r["rows"], r["cols"]) for r in table]
    found = sum(find_field(dies) is not None for dies in grids)
    assert found <= 12
