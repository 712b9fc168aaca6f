"""Composed wafers: exactly what was laid, on what was there."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.errors import InputError
from waferscope.synth.compose import Donor, Pool, build_donor, build_pool, compose
from waferscope.synth.derive import pattern_zone

Mask = npt.NDArray[np.bool_]
Dies = npt.NDArray[np.uint8]
CLASSES = DEFAULT_TAXONOMY.class_names


def disc(rows: int, cols: int) -> tuple[Mask, Mask, npt.NDArray[np.float64]]:
    """The dies of a round wafer, its radius and its angle in degrees."""
    y = (np.arange(rows)[:, None] - (rows - 1) / 2) / (rows / 2)
    x = (np.arange(cols)[None, :] - (cols - 1) / 2) / (cols / 2)
    rho = np.hypot(y, x)
    return rho < 1, rho, np.degrees(np.arctan2(-y, x))


def wafer(pattern: str, rng: np.random.Generator, shape: tuple[int, int] = (30, 30)) -> Dies:
    present, rho, theta = disc(*shape)
    zone = {
        "none": np.zeros(shape, dtype=bool),
        "Center": rho < 0.25,
        "Donut": (rho > 0.35) & (rho < 0.6),
        "Edge-Loc": (rho > 0.8) & (theta > 10) & (theta < 90),
        "Edge-Ring": rho > 0.88,
        "Loc": np.hypot(rho * np.cos(np.radians(theta)) - 0.5, rho * np.sin(np.radians(theta)))
        < 0.2,
        "Random": np.ones(shape, dtype=bool),
    }[pattern]
    chance = np.where(zone, 0.55 if pattern == "Random" else 0.95, 0.05)
    return present.astype(np.uint8) + (present & (rng.random(shape) < chance))


def donor(pattern: str, rng: np.random.Generator, shape: tuple[int, int] = (30, 30)) -> Donor:
    found = build_donor(wafer(pattern, rng, shape), pattern)
    assert found is not None
    return found


def symmetries(mask: Mask) -> list[bytes]:
    """All images of a mask under the symmetries that keep its shape."""
    flips = [mask[::a, ::b] for a, b in itertools.product((1, -1), repeat=2)]
    if mask.shape[0] == mask.shape[1]:
        flips += [flip.T for flip in flips]
    return [np.ascontiguousarray(flip).tobytes() for flip in flips]


def test_a_layer_adds_its_fails_and_nothing_else(rng: np.random.Generator) -> None:
    background, layer = wafer("none", rng), donor("Edge-Loc", rng)
    mixed = compose(rng, background, [layer])
    added = (mixed.dies == 2) & (background != 2)
    np.testing.assert_array_equal(mixed.dies[~added], background[~added])
    mask = mixed.masks[CLASSES.index("edge")]
    assert not (added & ~mask).any()
    assert mixed.classes == ("edge",)
    assert mixed.patterns == ("Edge-Loc",)
    assert mixed.masks.sum() == mask.sum() <= layer.mask.sum() + (background == 2).sum()


def test_the_pattern_appears_under_every_symmetry(rng: np.random.Generator) -> None:
    for shape, count in (((24, 24), 8), ((22, 28), 4)):
        layer = donor("Edge-Loc", rng, shape)
        calm = (layer.dies > 0).astype(np.uint8)
        seen = {(compose(rng, calm, [layer]).dies == 2).tobytes() for _ in range(12 * count)}
        assert seen == set(symmetries(layer.mask))
        assert len(seen) == count


def test_masks_are_fails_and_zone_with_the_background_in_its_midst() -> None:
    dies = np.ones((20, 20), dtype=np.uint8)
    mask = np.zeros((20, 20), dtype=bool)
    mask[5:10, 5:10] = True
    mask[7, 7] = False
    layer = Donor(np.where(mask, np.uint8(2), dies), "Loc", mask, np.zeros_like(mask))
    background = np.full((20, 20), 1, dtype=np.uint8)
    background[[7, 7, 12, 12], [7, 12, 7, 12]] = 2  # the hole in one of its four places
    background[[0, 19], [0, 19]] = 2
    mixed = compose(np.random.default_rng(3), background, [layer])
    particle = mixed.masks[CLASSES.index("particle")]
    assert particle.sum() == 25
    np.testing.assert_array_equal(particle, (mixed.dies == 2) & mixed.zones.any(axis=0))
    assert (mixed.dies == 2).sum() == 25 + 3 + 2


def test_ignored_fails_of_the_donor_are_not_copied(rng: np.random.Generator) -> None:
    layer = donor("Center", rng)
    doubtful = (layer.dies == 2) & ~layer.mask
    layer = Donor(layer.dies, "Center", layer.mask, doubtful)
    mixed = compose(rng, (layer.dies > 0).astype(np.uint8), [layer])
    assert (mixed.dies == 2).sum() == layer.mask.sum()


def test_dies_that_the_background_lacks_stay_away(rng: np.random.Generator) -> None:
    background = wafer("none", rng)
    background[:, :15] = 0
    mixed = compose(rng, background, [donor("Donut", rng), donor("Center", rng)])
    np.testing.assert_array_equal(mixed.dies > 0, background > 0)
    assert not mixed.zones[:, background == 0].any()


def test_a_layer_that_falls_off_the_wafer_is_not_laid(rng: np.random.Generator) -> None:
    present, rho, _ = disc(30, 30)
    background = (present & (rho < 0.6)).astype(np.uint8)
    mixed = compose(rng, background, [donor("Edge-Ring", rng), donor("Center", rng)])
    assert mixed.patterns == ("Center",)
    assert mixed.classes == ("center",)


def test_layers_may_overlap_and_random_fills_the_wafer(rng: np.random.Generator) -> None:
    ring, edge = donor("Donut", rng), donor("Edge-Ring", rng)
    mixed = compose(rng, wafer("none", rng), [ring, edge])
    assert mixed.classes == ("edge", "ring")
    assert mixed.patterns == ("Donut", "Edge-Ring")
    alone = compose(rng, wafer("none", rng), [donor("Random", rng)])
    np.testing.assert_array_equal(alone.masks[CLASSES.index("random")], alone.dies == 2)


def test_what_cannot_be_composed_is_refused(rng: np.random.Generator) -> None:
    background, center = wafer("none", rng), donor("Center", rng)
    with pytest.raises(InputError, match="1 to 4 layers, got 0"):
        compose(rng, background, [])
    with pytest.raises(InputError, match="got center, center"):
        compose(rng, background, [center, center])
    with pytest.raises(InputError, match="random alone"):
        compose(rng, background, [center, donor("Random", rng)])
    with pytest.raises(InputError, match=r"grid \(30, 30\), got \(24, 30\)"):
        compose(rng, background, [donor("Loc", rng, (24, 30))])


def test_a_donor_erased_keeps_its_outline_and_loses_its_pattern(rng: np.random.Generator) -> None:
    layer = donor("Edge-Ring", rng)
    dies = layer.erased(rng)
    np.testing.assert_array_equal(dies > 0, layer.dies > 0)
    rest = ~(layer.mask | layer.ignore)
    np.testing.assert_array_equal(dies[rest], layer.dies[rest])
    assert np.mean(dies[layer.mask] == 2) < 0.3
    assert build_donor(dies, "Edge-Ring") is None


@pytest.fixture
def pool(rng: np.random.Generator) -> Pool:
    """Two shapes; the second has no wafer without a pattern."""
    labels = ("Center", "Donut", "Edge-Loc", "Edge-Ring", "Loc", "Random")
    wafers = [(wafer(label, rng), label) for label in labels for _ in range(3)]
    wafers += [(wafer("none", rng), "none") for _ in range(3)]
    wafers += [(wafer("none", rng), "Edge-Ring")]
    wafers += [(wafer(label, rng, (24, 30)), label) for label in ("Center", "Edge-Ring")]
    return build_pool(wafers)


def test_a_pool_leaves_out_labels_that_are_not_believed(pool: Pool) -> None:
    assert pool.shapes == ((24, 30), (30, 30))
    assert len(pool.donors[(30, 30)]["Edge-Ring"]) == 3
    assert len(pool.backgrounds[(30, 30)]) == 3
    assert (24, 30) not in pool.backgrounds


def test_mixtures_from_a_pool_keep_the_rules(pool: Pool) -> None:
    rng = np.random.default_rng(1)
    counts = set()
    for _ in range(150):
        mixed = pool.draw(rng)
        assert mixed.dies.shape in pool.shapes
        assert 1 <= len(mixed.classes) <= 4
        labelled = {DEFAULT_TAXONOMY.pattern_class[label] for label in mixed.patterns}
        assert labelled == set(mixed.classes)
        assert len(mixed.patterns) == len(mixed.classes)
        assert "random" not in mixed.classes or len(mixed.classes) == 1
        there = [mask for mask in mixed.masks if mask.any()]
        assert len(there) == len(mixed.classes)
        for one, two in itertools.combinations(there, 2):
            assert (one & two).sum() <= 0.5 * min(one.sum(), two.sum())
        counts.add(len(mixed.classes))
    assert counts >= {1, 2, 3}


def test_the_same_seed_draws_the_same_mixtures(pool: Pool) -> None:
    one, two = (pool.draw(np.random.default_rng(5), (24, 30)) for _ in range(2))
    np.testing.assert_array_equal(one.dies, two.dies)
    np.testing.assert_array_equal(one.zones, two.zones)


def test_a_pool_says_what_it_cannot_draw(pool: Pool, rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match=r"donors for, got \(9, 9\)"):
        pool.draw(rng, (9, 9))
    with pytest.raises(InputError, match="got none"):
        build_pool([(wafer("none", rng), "none")]).draw(rng)


def test_a_pool_of_random_wafers_alone_still_draws(rng: np.random.Generator) -> None:
    mixed = build_pool([(wafer("Random", rng), "Random")]).draw(rng)
    assert mixed.patterns == ("Random",)
    zone = pattern_zone(mixed.masks[CLASSES.index("random")], mixed.dies > 0)
    assert zone.sum() > 0.95 * (mixed.dies > 0).sum()
