from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from waferscope.errors import ConfigError
from waferscope.synth import SynthConfig
from waferscope.synth.config import NONE_QUANTILES


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count_weights": ()}, "count_weights"),
        ({"count_weights": (0.5, -0.1)}, "count_weights"),
        ({"class_weights": {"edge": 0.0}}, "class_weights"),
        ({"class_weights": {"egde": 1.0}}, "egde"),
        ({"faint_probability": 1.5}, "faint_probability"),
        ({"missing_share": -0.1}, "missing_share"),
        ({"side_range": (40, 20)}, "side_range"),
        ({"tries": 0}, "tries"),
    ],
)
def test_refuses_what_cannot_be_drawn(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SynthConfig(**change)


def test_every_class_of_the_taxonomy_has_a_weight() -> None:
    config = SynthConfig()
    assert tuple(config.class_weights) == config.taxonomy.class_names
    assert len(config.count_weights) == 5


def test_density_quantiles_rise() -> None:
    shares, rates = np.asarray(NONE_QUANTILES).T
    assert (np.diff(shares) > 0).all()
    assert (np.diff(rates) > 0).all()
    assert shares[0] == 0
    assert shares[-1] == 1
