"""Write the results of the released model, from the report beside it, where people look.

The model card goes beside the model, the main figures between the markers of README.md, and the
whole report into docs/results.md with its pictures. `--check` writes nothing and fails when a page
is stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waferscope.infer import load_predictor
from waferscope.infer.model_file import ModelInfo, find_model
from waferscope.ml.card import build_card, build_figures
from waferscope.ml.evaluation.markdown import build_page
from waferscope.ml.evaluation.pictures import write_pictures

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "src" / "waferscope" / "models"
CARD = MODELS / "MODEL_CARD.md"
REPORT = MODELS / "report.json"
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results.md"
PICTURES = "images/results"
START, END = "<!-- results -->", "<!-- /results -->"
HEAD = """<!-- Written by `make docs` from src/waferscope/models/report.json. -->
"""


def read_report() -> dict[str, Any]:
    """Return the report that lies beside the released model."""
    report: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    return report


def build_readme(text: str, info: ModelInfo, report: Mapping[str, Any]) -> str:
    """Return the README with the figures of the model between the markers."""
    head, _, rest = text.partition(START)
    tail = rest.partition(END)[2]
    said = (
        f"Released model {info.version} ({info.architecture}, {info.quantisation}), validation "
        "sets, in brackets the interval of 95 % of bootstrap resamples; [all results]"
        "(docs/results.md). `waferscope evaluate --all --data DATA` measures them again:\n"
    )
    return f"{head}{START}\n\n{said}\n{build_figures(report)}\n{END}{tail}"


def build_results(report: Mapping[str, Any]) -> str:
    """Return docs/results.md."""
    return HEAD + build_page(report, "Results of the released model", PICTURES)


def pages() -> dict[Path, str]:
    """Return every page with what should stand in it."""
    info, report = load_predictor(find_model()).model, read_report()
    return {
        CARD: build_card(info, report),
        README: build_readme(README.read_text(encoding="utf-8"), info, report),
        RESULTS: build_results(report),
    }


def main() -> int:
    """Write all, or say which is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check: bool = parser.parse_args().check
    stale = []
    for path, text in pages().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if not check:
            path.write_text(text, encoding="utf-8")
    if not check:
        write_pictures(read_report(), RESULTS.parent / PICTURES)
    if check and stale:
        sys.stderr.write(f"stale: {', '.join(stale)}; run `make docs`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
