"""The planes: radius as the domain measures it, nothing off the wafer, no matter the padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.ml.small import Dies, disc
from waferscope.domain.grid import rho_theta
from waferscope.ml.encode import PLANES, DieEncoding


def encode(dies: Dies, fold: float = 0.0) -> dict[str, Tensor]:
    batch = torch.from_numpy(dies)[None]
    planes = DieEncoding()(batch, torch.full(batch.shape, fold))
    assert planes.shape == (1, len(PLANES), *dies.shape)
    return dict(zip(PLANES, planes[0], strict=True))


def ragged(rng: np.random.Generator, rows: int, cols: int) -> Dies:
    """Dies scattered over part of a grid, so that box, wafer and grid all differ."""
    dies: Dies = rng.integers(0, 3, (rows, cols)).astype(np.uint8)
    dies[: rows // 5] = 0
    dies[:, -(cols // 7) :] = 0
    return dies


@pytest.mark.parametrize("shape", [(15, 22), (32, 32), (31, 64), (96, 40)])
def test_radius_is_the_domains(shape: tuple[int, int], rng: np.random.Generator) -> None:
    dies = ragged(rng, *shape)
    rho, _ = rho_theta(dies)
    np.testing.assert_allclose(encode(dies)["rho"].numpy(), rho * (dies > 0), atol=1e-6)


def test_each_plane_of_a_wafer_counted_by_hand() -> None:
    dies = np.ones((3, 4), np.uint8)
    dies[0, 0] = 0
    dies[1, 2] = 2
    planes = encode(dies, fold=0.25)
    on = torch.from_numpy(dies > 0).float()
    assert torch.equal(planes["on_wafer"], on)
    assert planes["fail"].nonzero().tolist() == [[1, 2]]
    assert torch.equal(planes["fold"], 0.25 * on)
    assert torch.allclose(planes["density"], on / 11)
    # Half the box is 1.5 by 2 dies: a die is 1 / 1.5 high and 1 / 2 wide.
    assert torch.allclose(planes["pitch"], on * (1 / 1.5 * 1 / 2) ** 0.5)
    assert float(planes["rho"][1, 1]) == pytest.approx(0.25)
    assert float(planes["rho"][2, 3]) == pytest.approx(np.hypot(1 / 1.5, 1.5 / 2))


@pytest.mark.parametrize("at", [(0, 0), (3, 17), (37, 1)])
def test_padding_changes_nothing(at: tuple[int, int], rng: np.random.Generator) -> None:
    dies = ragged(rng, 27, 25)
    canvas = np.zeros((64, 96), np.uint8)
    area = (slice(at[0], at[0] + 27), slice(at[1], at[1] + 25))
    canvas[area] = dies
    alone, padded = encode(dies, 0.5), encode(canvas, 0.5)
    for name in PLANES:
        torch.testing.assert_close(padded[name][area], alone[name], rtol=1e-6, atol=1e-7)
        assert int((padded[name] != 0).sum()) == int((alone[name] != 0).sum())


def test_an_empty_wafer_gives_zeros_and_leaves_its_neighbour_alone() -> None:
    present, _, _ = disc(32, 32)
    pair = torch.from_numpy(np.stack([present * 2, present * 0]).astype(np.uint8))
    planes = DieEncoding()(pair, torch.ones(pair.shape))
    assert torch.isfinite(planes).all()
    assert not planes[1].any()
    assert torch.equal(planes[0], DieEncoding()(pair[:1], torch.ones(1, 32, 32))[0])


def test_a_single_die_lies_in_the_centre() -> None:
    dies = np.zeros((32, 32), np.uint8)
    dies[30, 2] = 2
    planes = encode(dies)
    assert float(planes["rho"].abs().max()) == 0.0
    assert float(planes["pitch"][30, 2]) == pytest.approx(2.0)
    assert float(planes["density"][30, 2]) == 1.0
