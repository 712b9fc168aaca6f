"""What a run draws: from the source and of the size that was asked, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.ml.small import PATTERNS, labelled_wafer, write_data, write_wafers
from waferscope.errors import ConfigError
from waferscope.infer.batching import canvas_shape
from waferscope.ml.corpus import REAL_FILE, SYNTH_WEIGHT, TEXTBOOK_SIDE, Corpus, open_corpus
from waferscope.ml.data import WaferSet, from_synth, load_wafer_set
from waferscope.ml.selection import Selection
from waferscope.synth import SynthConfig, generate
from waferscope.synth.compose import build_pool


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"), np.random.default_rng(5))


@pytest.fixture(scope="module")
def corpus(data: Path) -> Corpus:
    return open_corpus(data, "train")


def keys(wafers: WaferSet | None) -> set[bytes]:
    assert wafers is not None
    return {w.dies.tobytes() for w in wafers.wafers}


def test_real_and_mixed_wafers_come_from_their_files(corpus: Corpus) -> None:
    rng = np.random.default_rng(0)
    for _ in range(6):
        assert corpus.draw("real", rng, 32).dies.tobytes() in keys(corpus.real)
        mixture = corpus.draw("mixed", rng, 64)
        assert mixture.dies.tobytes() in keys(corpus.mixed)
        assert mixture.bag.sum() == mixture.patterns.sum()


def test_composed_wafers_are_exact_and_of_a_real_shape(corpus: Corpus) -> None:
    rng = np.random.default_rng(0)
    for _ in range(6):
        sample = corpus.draw("composed", rng, 32)
        assert sample.dies.shape == (27, 27)
        assert sample.weight == 1.0
        assert sample.patterns.sum() >= 1
        assert (sample.target[:, sample.dies > 0] >= 0).all()


def test_enlarged_mixtures_are_as_large_as_asked_and_have_no_lines(
    rng: np.random.Generator,
) -> None:
    """Donors of 52 x 52 dies come on canvases of 96 and 128; lines are left out."""
    labels = ("Center", "Donut", "Edge-Ring", "Loc", "Scratch")
    wafers = [labelled_wafer(rng, one, shape=(52, 52)) for one in labels for _ in range(3)]
    pool = build_pool((w.dies, w.labels[0]) for w in wafers)
    corpus = Corpus(SynthConfig(), pool=pool)
    mixtures = 0
    for side in (96, 128):
        for _ in range(6):
            sample = corpus.draw("enlarged", rng, side)
            assert max(canvas_shape(sample.dies.shape)) == side
            if sample.weight == 1.0:
                mixtures += 1
                assert sample.patterns.any()
                assert not sample.patterns[PATTERNS.index("Scratch")]
    assert mixtures > 8
    assert corpus.draw("enlarged", rng, 32).weight == SYNTH_WEIGHT  # no room: a synthetic one


@pytest.mark.parametrize("side", [32, 64, 160])
def test_synthetic_wafers_fill_the_canvas_that_was_asked(side: int, corpus: Corpus) -> None:
    rng = np.random.default_rng(0)
    for source in (Corpus(SynthConfig()), corpus):
        for _ in range(4):
            sample = source.draw("synth", rng, side)
            assert max(canvas_shape(sample.dies.shape)) == side
            assert sample.weight == SYNTH_WEIGHT


def test_most_synthetic_wafers_have_a_real_shape_where_there_is_one(corpus: Corpus) -> None:
    rng = np.random.default_rng(0)
    shapes = [corpus._synth_shape(rng, 32) for _ in range(300)]
    assert 0.5 < np.mean([shape == (27, 27) for shape in shapes]) < 0.7
    assert all(12 <= n <= 32 for shape in shapes for n in shape)


@pytest.mark.parametrize("source", ["real", "mixed", "composed"])
def test_a_source_without_that_size_is_replaced_by_a_synthetic_wafer(
    source: str, corpus: Corpus
) -> None:
    sample = corpus.draw(source, np.random.default_rng(0), 96)
    assert max(canvas_shape(sample.dies.shape)) == 96
    assert sample.weight == SYNTH_WEIGHT


def test_an_unknown_source_is_refused(corpus: Corpus) -> None:
    with pytest.raises(ConfigError, match="'reel'"):
        corpus.draw("reel", np.random.default_rng(0), 32)


def test_the_same_seed_draws_the_same(corpus: Corpus) -> None:
    for source in ("synth", "real", "mixed", "composed"):
        one, other = (corpus.draw(source, np.random.default_rng(3), 64) for _ in range(2))
        np.testing.assert_array_equal(one.dies, other.dies)
        np.testing.assert_array_equal(one.target, other.target)


def test_labels_are_drawn_by_the_square_root_of_their_count(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    kinds = [()] * 16 + [("Random",)] * 4 + [("Near-full",)]
    wafers = [labelled_wafer(rng, *labels, shape=(16, 16)) for labels in kinds]
    real = load_wafer_set(write_wafers(tmp_path / "a.parquet", wafers))
    corpus = Corpus(SynthConfig(), real)
    drawn = np.random.default_rng(0)
    seen = Counter(
        tuple(np.flatnonzero(corpus.draw("real", drawn, 32).patterns).tolist()) for _ in range(420)
    )
    # Roots 4 : 2 : 1 of 420 draws; three standard deviations are at most 31.
    expected = {(): 240, (PATTERNS.index("Random"),): 120, (PATTERNS.index("Near-full"),): 60}
    assert set(seen) == set(expected)
    assert all(abs(seen[k] - n) < 31 for k, n in expected.items())


def test_the_fingerprint_is_that_of_files_and_settings(
    data: Path, corpus: Corpus, tmp_path: Path, rng: np.random.Generator
) -> None:
    assert open_corpus(data, "train", compose=False).fingerprint == corpus.fingerprint
    other = write_data(tmp_path, rng)
    prints = {
        corpus.fingerprint,
        open_corpus(other, "train", compose=False).fingerprint,
        open_corpus(None, "train").fingerprint,
        Corpus(SynthConfig(tries=7)).fingerprint,
    }
    assert len(prints) == 4


def test_without_data_everything_is_synthetic() -> None:
    corpus = open_corpus(None, "train")
    assert (corpus.real, corpus.mixed, corpus.pool) == (None, None, None)
    assert corpus.draw("real", np.random.default_rng(0), 32).weight == SYNTH_WEIGHT


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Point the recipe at the folder"):
        open_corpus(tmp_path, "train")
    assert REAL_FILE.format(split="train") == "wm811k/train.parquet"


def test_a_fraction_of_the_labels_leaves_every_map_to_learn_from(data: Path) -> None:
    few = Selection(fraction=0.5, least=1)
    corpus = open_corpus(data, "train", few, unlabelled=True, seed=1)
    whole = open_corpus(data, "train")
    assert corpus.real is not None
    assert corpus.unlabelled is not None
    assert len(corpus.real.wafers) == 8
    assert keys(corpus.unlabelled) == keys(whole.real) | keys(whole.mixed)
    rng = np.random.default_rng(0)
    for side in (32, 64):
        assert corpus.draw_unlabelled(rng, side).tobytes() in keys(corpus.unlabelled)
    assert max(canvas_shape(corpus.draw_unlabelled(rng, 96).shape)) == 96
    prints = {
        open_corpus(data, "train", few, unlabelled=kept, seed=seed).fingerprint
        for kept, seed in ((True, 1), (True, 2), (False, 1))
    }
    assert len(prints) == 3


def test_the_pool_is_composed_of_the_labels_used_alone(data: Path) -> None:
    pool = open_corpus(data, "train", Selection(mixed=False, leave_labels=("Center",))).pool
    assert pool is not None
    assert pool.shapes == ((27, 27),)
    assert set(pool.donors[27, 27]) == {"Edge-Ring", "Random"}


def test_a_label_left_out_is_shown_by_no_wafer(data: Path) -> None:
    corpus = open_corpus(data, "train", Selection(leave_labels=("Center",)))
    rng = np.random.default_rng(0)
    channel = PATTERNS.index("Center")
    for source in ("synth", "real", "mixed", "composed"):
        drawn = [corpus.draw(source, rng, 64 if source == "mixed" else 32) for _ in range(12)]
        assert not any(sample.patterns[channel] == 1 for sample in drawn)


def test_without_mixedwm38_none_of_it_is_opened(data: Path) -> None:
    corpus = open_corpus(data, "train", Selection(mixed=False))
    assert corpus.mixed is None
    assert corpus.draw("mixed", np.random.default_rng(0), 64).weight == SYNTH_WEIGHT


def test_annotated_wafers_are_drawn_by_their_size() -> None:
    samples = tuple(from_synth(w, 1.0) for w in generate(2, 6))
    corpus = Corpus(SynthConfig(), annotated=samples)
    rng = np.random.default_rng(0)
    sides = {max(canvas_shape(s.dies.shape)) for s in samples}
    for side in sides:
        assert corpus.draw("annotated", rng, side) in samples
    assert corpus.draw("annotated", rng, 256).weight == SYNTH_WEIGHT
    assert corpus.fingerprint != Corpus(SynthConfig()).fingerprint


def test_textbook_wafers_fit_their_canvas_and_no_other() -> None:
    corpus, rng = Corpus(SynthConfig()), np.random.default_rng(4)
    drawn = [corpus.draw("textbook", rng, TEXTBOOK_SIDE) for _ in range(8)]
    assert {max(canvas_shape(s.dies.shape)) for s in drawn} == {TEXTBOOK_SIDE}
    assert {s.weight for s in drawn} == {1.0}
    assert corpus.draw("textbook", rng, 32).weight == SYNTH_WEIGHT


def test_noise_has_no_class_on_any_failing_die() -> None:
    sample = Corpus(SynthConfig()).draw("noise", np.random.default_rng(3), 64)
    fails = sample.dies == 2
    assert max(canvas_shape(sample.dies.shape)) == 64
    assert fails.any()
    assert (sample.target[:, fails] == 0).all()
    assert (sample.target[:, ~fails] == -1).all()
    assert not sample.bag.any()
    assert not sample.patterns.any()


def test_held_out_wafers_need_no_pool(data: Path) -> None:
    assert open_corpus(data, "val", compose=False).pool is None
