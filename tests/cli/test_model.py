"""``waferscope model info``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from waferscope.cli.model import flat_figures


def test_what_the_file_says_is_printed(run: Run, tiny_model: Path) -> None:
    done = run("model", "info", tiny_model)
    assert done.code == 0
    for words in ("tiny-1", "box filter", "lithography", "Edge-Ring", "synthetic_die_iou"):
        assert words in done.out
    assert done.last_line == "notice: Made for tests."


@pytest.mark.usefixtures("use_tiny_model")
def test_json_of_the_default_model(run: Run) -> None:
    facts = json.loads(run("model", "info", "--json").out)
    assert facts["version"] == "tiny-1"
    assert facts["metrics"] == {"synthetic_die_iou": 0.5}


def test_a_file_that_is_no_model_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"nonsense")
    done = run("model", "info", path)
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1


def test_the_group_alone_shows_its_help(run: Run) -> None:
    assert "info" in run("model", "--help").out


def test_figures_are_flattened_in_their_order() -> None:
    nested = {"b": {"y": 1, "x": [1, 2]}, "a": 0.25}
    assert flat_figures(nested) == [("b.y", "1"), ("b.x", "[1, 2]"), ("a", "0.2500")]
