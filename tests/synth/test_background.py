from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.synth.measure import polar
from waferscope.synth import SynthConfig, build_wafer
from waferscope.synth.background import NOISE_DENSITY, draw_background, draw_density, draw_noise
from waferscope.synth.grid import build_grid


@pytest.fixture(scope="module")
def plain() -> npt.NDArray[np.uint8]:
    """Wafers without a pattern on the most frequent real grid, [500, 25, 27]."""
    config = SynthConfig(missing_share=0.0, notch_share=0.0)
    wafers = [
        build_wafer(np.random.default_rng((3, i)), config, shape=(25, 27), classes=())
        for i in range(500)
    ]
    assert not any(w.classes or w.patterns or w.zones.any() for w in wafers)
    return np.stack([w.dies for w in wafers])


def test_density_matches_real_wafers_without_patterns(plain: npt.NDArray[np.uint8]) -> None:
    rates = (plain == 2).sum(axis=(1, 2)) / (plain > 0).sum(axis=(1, 2))
    p5, p50, p99 = np.percentile(rates, (5, 50, 99))
    assert p5 == pytest.approx(0.04, abs=0.025)
    assert p50 == pytest.approx(0.149, abs=0.025)
    assert p99 == pytest.approx(0.275, abs=0.04)


def test_rim_fails_more_often_as_on_real_wafers(plain: npt.NDArray[np.uint8]) -> None:
    rho = np.broadcast_to(polar((25, 27))[0], plain.shape)
    on, fail = plain > 0, plain == 2
    rim, inside = on & (rho > 0.9), on & (rho > 0.3) & (rho < 0.8)
    ratio = fail[rim].mean() / fail[inside].mean()
    assert 1.5 < ratio < 3.0  # 2.4 on the real ones


def test_neighbours_fail_together_hardly_more_often_than_by_chance(
    plain: npt.NDArray[np.uint8],
) -> None:
    fail, on = plain == 2, plain > 0
    pairs = on[:, :, 1:] & on[:, :, :-1]
    both = (fail[:, :, 1:] & fail[:, :, :-1] & pairs).sum(axis=(1, 2)) / pairs.sum(axis=(1, 2))
    rate = fail.sum(axis=(1, 2)) / on.sum(axis=(1, 2))
    kept = rate > 0.05
    ratio = float(np.median(both[kept] / rate[kept] ** 2))
    assert 0.9 < ratio < 1.5  # 1.05 on the real ones, p95 1.9


def test_background_has_the_density_asked_for(rng: np.random.Generator) -> None:
    grid = build_grid((40, 40), 1)
    for density in (0.0, 0.05, 0.2):
        drawn = [draw_background(rng, grid, grid.on, density) for _ in range(60)]
        rate = np.mean([b.fails.sum() / grid.on.sum() for b in drawn])
        assert rate == pytest.approx(density, rel=0.15, abs=1e-9)
        assert not any((b.fails & ~grid.on).any() for b in drawn)
        assert all(b.prob.max() <= 0.65 for b in drawn)


def test_larger_grids_and_patterned_wafers_are_cleaner(rng: np.random.Generator) -> None:
    config = SynthConfig()

    def median(side: int, patterned: bool) -> float:
        grid = build_grid((side, side))
        drawn = [draw_density(rng, grid, config, patterned=patterned) for _ in range(400)]
        return float(np.median(drawn))

    assert median(100, patterned=False) < 0.5 * median(26, patterned=False)
    assert median(26, patterned=True) < median(26, patterned=False)


def test_noise_is_a_disc_of_independent_fails(rng: np.random.Generator) -> None:
    rates = []
    for _ in range(60):
        dies = draw_noise(rng, (61, 41))
        on, fail = dies > 0, dies == 2
        assert on.sum() == pytest.approx(np.pi / 4 * 60 * 40, rel=0.03)
        rates.append(rate := fail.sum() / on.sum())
        pairs = on[:, 1:] & on[:, :-1]
        both = (fail[:, 1:] & fail[:, :-1]).sum() / pairs.sum()
        assert both == pytest.approx(rate**2, abs=0.03)
    assert min(rates) < 0.05
    assert 0.2 < max(rates) < NOISE_DENSITY + 0.05
