"""Write the results of the released model, as its own metadata holds them, where people look.

The model card goes beside the model, and its figures between the markers of README.md.
`--check` writes nothing and fails when either is stale.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from waferscope.infer import load_predictor
from waferscope.infer.model_file import ModelInfo, find_model
from waferscope.ml.card import build_card, build_figures

ROOT = Path(__file__).resolve().parents[1]
CARD = ROOT / "src" / "waferscope" / "models" / "MODEL_CARD.md"
README = ROOT / "README.md"
START, END = "<!-- results -->", "<!-- /results -->"


def build_readme(text: str, info: ModelInfo) -> str:
    """Return the README with the figures of the model between the markers."""
    head, _, rest = text.partition(START)
    tail = rest.partition(END)[2]
    said = (
        f"Released model {info.version} ({info.architecture}, {info.quantisation}), validation "
        "sets, thresholds fitted on the other half of the lots; "
        "`waferscope evaluate --data DATA` prints them again:\n"
    )
    return f"{head}{START}\n\n{said}\n{build_figures(info)}\n{END}{tail}"


def main() -> int:
    """Write both, or say which is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check: bool = parser.parse_args().check
    info = load_predictor(find_model()).model
    stale = []
    for path, text in ((CARD, build_card(info)), (README, build_readme(README.read_text(), info))):
        if path.exists() and path.read_text() == text:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if not check:
            path.write_text(text)
    if check and stale:
        sys.stderr.write(f"stale: {', '.join(stale)}; run `make docs`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
