"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# Hypothesis without a stopwatch: a busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED_DATA = Path(
    os.environ.get(
        "WAFERSCOPE_TEST_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data")
    )
)


@pytest.fixture
def shared_data() -> Path:
    """The folder of real wafers beside the checkout; the test is skipped where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real wafers are not beside this checkout ({SHARED_DATA})")
    return SHARED_DATA


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(20260101)
