"""What a model file is worth: one report on masks, labels, false alarms and stability.

The sets, fits and figures are in `waferscope.ml.evaluation`; this puts them in order. A figure in
the report is ``{"value", "low", "high"}``: 95 % of its bootstrap resamples lie between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from waferscope.errors import ConfigError
from waferscope.infer import Predictor
from waferscope.ml.evaluation.calibration import Calibration, MaskFits, calibrate, try_masks
from waferscope.ml.evaluation.candidate import Candidate, open_candidate
from waferscope.ml.evaluation.exam import (
    FULL,
    Asked,
    Exam,
    RealSets,
    ask_all,
    open_real,
    steady_wafers,
)
from waferscope.ml.evaluation.figure import Tally, figures_of, gains
from waferscope.ml.evaluation.mask_rule import MaskRule
from waferscope.ml.evaluation.peer import build_peer, compare_with_peer
from waferscope.ml.evaluation.sections import (
    checked_section,
    composed_section,
    drawn_section,
    label_sections,
    noise_section,
)
from waferscope.ml.evaluation.stability import invariance_figures, symmetry_figures
from waferscope.ml.evaluation.transfer import measure_transfer
from waferscope.ml.peer import PeerConfig

Report = dict[str, Any]
SCHEMA: Final = "waferscope.report/2"
Say = Callable[[str], None]


def quiet(_: str) -> None:
    """Tell nobody what is being done."""


@dataclass(frozen=True, eq=False)
class Examined:
    """What a model answered to an exam, and what its mask rule may be fitted to."""

    asked: Asked
    fits: MaskFits

    def calibration(self) -> Calibration:
        """Return what the file should ship with."""
        return calibrate(self.asked, self.fits)


@dataclass(frozen=True, slots=True)
class Beside:
    """What a model is measured beside, each if it is given.

    ``against``: another model. ``peer``: the folder of a plain classifier, which is trained there,
    as ``peer_config`` says, unless it has been. ``transfer``: a run of that recipe, which is
    measured on MixedWM38, of which it saw no wafer.
    """

    against: Path | None = None
    peer: Path | None = None
    peer_config: PeerConfig = field(default_factory=PeerConfig)
    transfer: Path | None = None

    def check(self, data: Path | None) -> None:
        """Raise ConfigError for what is not there, before hours are spent on the rest."""
        if data is None and (self.peer or self.transfer):
            raise ConfigError(
                "Expected real wafers for the peer or a model that transfers, got none. "
                "Name their folder with --data."
            )
        for path in (self.against, self.transfer):
            if path is not None and not path.exists():
                raise ConfigError(
                    f"Expected a model to measure beside, got no file at {path}. Check its path."
                )


def evaluate(
    model: Path | None = None,
    data: Path | None = None,
    *,
    exam: Exam = FULL,
    beside: Beside | None = None,
    say: Say = quiet,
) -> Report:
    """Return the report of a model file, ONNX or a training checkpoint.

    Figures on real wafers need the folder ``data``. With another model ``beside`` it, or the peer,
    the report says by how much this one is ahead, paired on the same wafers. ``say`` is told what
    is being done. Raises ModelError and ConfigError for a model or data that cannot be used.
    """
    beside = beside or Beside()
    beside.check(data)
    real = None if data is None else open_real(data, exam.lots)
    report, tree = measure(model, real, exam, say)
    if beside.against is not None:
        other, other_tree = measure(beside.against, real, exam, say)
        report["against"] = {"model": other["model"], "gains": gains(tree, other_tree)}
    if data is not None and real is not None:
        report |= _beside_on_real(beside, data, real, tree, say)
        if "peer" in report:
            report["peer"]["version"] = report["model"]["version"]
    return report


def _beside_on_real(beside: Beside, data: Path, real: RealSets, tree: Report, say: Say) -> Report:
    """Return the sections of the peer and of the model that transfers, where they are asked for."""
    found: Report = {}
    if beside.peer is not None:
        say("training the peer, or going on with it")
        checkpoint = build_peer(data, beside.peer, beside.peer_config)
        ours: Tally = tree["wm811k"]["macro_f1"]
        found["peer"] = compare_with_peer(checkpoint, beside.peer_config, real, ours)
    if beside.transfer is not None:
        say("asking the model that transfers")
        found["transfer"] = measure_transfer(beside.transfer, real)
    return found


def build_report(candidate: Candidate, tree: Report) -> Report:
    """Return the report of a model from its tallies, JSON-ready."""
    return {"schema": SCHEMA, "model": candidate.describe(), **figures_of(tree)}


def measure(
    model: Path | None, real: RealSets | None, exam: Exam, say: Say
) -> tuple[Report, Report]:
    """Return a model's report and the tallies that it was made of."""
    with open_candidate(model) as given:
        examined = examine(given.predictor, exam, real, say)
        known = given if given.calibrated else given.recalibrated(examined.calibration())
        tree = sections(known.predictor, examined, exam, real, say)
        return build_report(known, tree), tree


def examine(predictor: Predictor, exam: Exam, real: RealSets | None, say: Say = quiet) -> Examined:
    """Ask a model about every wafer of an exam, and try every mask rule on the answers."""
    say("asking the model about every wafer")
    asked = ask_all(predictor, exam, real)
    say("trying mask thresholds")
    return Examined(asked, try_masks(asked, predictor.model.taxonomy))


def sections(
    predictor: Predictor,
    examined: Examined,
    exam: Exam,
    real: RealSets | None,
    say: Say = quiet,
) -> Report:
    """Return every section of the report, its figures still as tallies.

    ``predictor`` is of the calibrated file: its own thresholds mark the generated wafers.
    """
    say("scoring")
    info, asked, fits = predictor.model, examined.asked, examined.fits
    rule = MaskRule(info.mask_thresholds, info.taxonomy)
    found: Report = {
        "synthetic": drawn_section(asked.synthetic, rule),
        "plain": drawn_section(asked.plain, rule),
    }
    if len(asked.large):
        found["synthetic_large"] = drawn_section(asked.large, rule, kinds=False)
    if asked.composed is not None:
        found["composed"] = composed_section(asked.composed, fits)
    if asked.checked is not None and real is not None:
        found["hand_checked"] = checked_section(asked.checked, fits, real.hard)
    if asked.wm811k is not None and asked.mixedwm38 is not None:
        found |= label_sections(asked.wm811k, asked.mixedwm38, fits)
    found["noise"] = noise_section(asked.noise, rule)
    say("turning wafers")
    found["symmetry"] = symmetry_figures(predictor, steady_wafers(real, exam.turned))
    if exam.moved:
        found["invariance"] = invariance_figures(info.path, steady_wafers(real, exam.moved))
    return found
