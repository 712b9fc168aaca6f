"""The thumbnail and the way back: areas counted by hand, no matter the padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.ml.small import Dies, disc, draw_dies
from waferscope.ml.thumbnail import SIDE, THUMBNAIL, Thumbnail, lay


def look(dies: Tensor) -> Tensor:
    planes: Tensor = Thumbnail()(dies, lay(dies))
    return planes


def shrink(dies: Dies) -> dict[str, Tensor]:
    planes = look(torch.from_numpy(dies)[None])
    assert planes.shape == (1, len(THUMBNAIL), SIDE, SIDE)
    return dict(zip(THUMBNAIL, planes[0], strict=True))


def test_small_wafers_are_enlarged_die_by_die(rng: np.random.Generator) -> None:
    dies: Dies = rng.integers(0, 3, (16, 32)).astype(np.uint8)
    dies[0, 0] = dies[-1, -1] = 1  # the box is the grid
    large = dies.repeat(4, axis=0).repeat(2, axis=1)
    planes = shrink(dies)
    np.testing.assert_allclose(planes["on_wafer"], large > 0, atol=1e-6)
    np.testing.assert_allclose(planes["fail"], large == 2, atol=1e-6)


def test_large_wafers_are_averaged_over_their_areas(rng: np.random.Generator) -> None:
    dies: Dies = rng.integers(1, 3, (192, 128)).astype(np.uint8)
    mean = (dies == 2).reshape(SIDE, 3, SIDE, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(shrink(dies)["fail"], mean, atol=1e-5)


@pytest.mark.parametrize("shape", [(27, 25), (52, 52), (150, 90)])
def test_no_die_is_lost_or_counted_twice(shape: tuple[int, int], rng: np.random.Generator) -> None:
    dies = draw_dies(rng, ["Loc"], shape)
    box = np.ptp(np.argwhere(dies > 0), axis=0) + 1
    area = float(np.prod(box)) / SIDE**2  # dies in a cell
    planes = shrink(dies)
    assert float(planes["on_wafer"].sum()) * area == pytest.approx(np.count_nonzero(dies), rel=1e-4)
    fails = np.count_nonzero(dies == 2)
    assert float(planes["fail"].sum()) * area == pytest.approx(fails, rel=1e-4)


def test_radius_and_size_are_those_of_the_wafer() -> None:
    present, _, _ = disc(128, 128)
    planes = shrink(present.astype(np.uint8))
    on = planes["on_wafer"]
    middle = SIDE // 2
    assert float(planes["rho"][middle, middle]) == pytest.approx(2**0.5 / SIDE)
    assert float(planes["rho"][middle, -1]) == pytest.approx(1.0 - 1.0 / SIDE, rel=1e-3)
    torch.testing.assert_close(planes["dies_across"], np.log(2.0) * on)


@pytest.mark.parametrize("at", [(0, 0), (3, 17), (37, 1)])
def test_padding_changes_nothing(at: tuple[int, int], rng: np.random.Generator) -> None:
    dies = draw_dies(rng, ["Scratch"], (27, 25))
    canvas = np.zeros((64, 96), np.uint8)
    canvas[at[0] : at[0] + 27, at[1] : at[1] + 25] = dies
    alone, padded = shrink(dies), shrink(canvas)
    for name in THUMBNAIL:
        torch.testing.assert_close(padded[name], alone[name], rtol=1e-5, atol=1e-5)


def test_an_empty_wafer_gives_zeros_and_leaves_its_neighbour_alone() -> None:
    present, _, _ = disc(32, 32)
    pair = torch.from_numpy(np.stack([present * 2, present * 0]).astype(np.uint8))
    planes = look(pair)
    assert torch.isfinite(planes).all()
    assert not planes[1].any()
    assert torch.equal(planes[0], look(pair[:1])[0])


def test_cells_lie_back_on_the_dies_they_came_from(rng: np.random.Generator) -> None:
    """Where a die holds whole cells, the way there and back changes only next to its borders."""
    dies = torch.ones(1, 16, 32, dtype=torch.uint8)
    halves = torch.zeros(1, 1, 16, 32)
    halves[..., 20:] = 1.0
    lattice = lay(dies)
    back = lattice.spread(lattice.shrink(halves))[0, 0]
    torch.testing.assert_close(back[:, :19], torch.zeros(16, 19))
    torch.testing.assert_close(back[:, 21:], torch.ones(16, 11))
    assert bool((back[:, 19] < 0.5).all())
    assert bool((back[:, 20] > 0.5).all())


@pytest.mark.parametrize("shape", [(27, 25), (64, 64), (150, 90), (300, 211)])
def test_a_slope_lies_on_the_dies_as_a_slope(shape: tuple[int, int]) -> None:
    dies = torch.ones(1, *shape, dtype=torch.uint8)
    across = (torch.arange(SIDE) + 0.5) / SIDE
    slope = across[None, :].expand(SIDE, SIDE)[None, None]
    spread = lay(dies).spread(slope)[0, 0]
    asked = ((torch.arange(shape[1]) + 0.5) / shape[1]).expand(shape)
    inner = slice(max(2, shape[1] // 32), -max(2, shape[1] // 32))
    torch.testing.assert_close(spread[:, inner], asked[:, inner], atol=2e-3, rtol=0.0)


@pytest.mark.parametrize("at", [(0, 0), (3, 17), (37, 1)])
def test_padding_changes_nothing_on_the_way_back(
    at: tuple[int, int], rng: np.random.Generator
) -> None:
    dies = draw_dies(rng, ["Scratch"], (27, 25))
    canvas = np.zeros((64, 96), np.uint8)
    area = (slice(at[0], at[0] + 27), slice(at[1], at[1] + 25))
    canvas[area] = dies
    cells = torch.from_numpy(rng.random((1, 3, SIDE, SIDE), np.float32))
    alone, padded = (lay(torch.from_numpy(d)[None]).spread(cells)[0] for d in (dies, canvas))
    torch.testing.assert_close(padded[:, area[0], area[1]], alone, rtol=1e-5, atol=1e-5)
