"""Synthetic wafers with exact masks, and mixtures of real ones."""

from __future__ import annotations

from waferscope.synth.background import draw_noise
from waferscope.synth.config import SynthConfig
from waferscope.synth.generate import SynthWafer, build_wafer, generate

__all__ = ["SynthConfig", "SynthWafer", "build_wafer", "draw_noise", "generate"]
