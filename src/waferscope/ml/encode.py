"""From a die grid to the planes the network sees; part of the graph, so serving cannot drift.

Shapes: B batch, H and W the canvas. Radius and pitch come from the bounding box of the dies, so
padding around the wafer changes nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

PLANES = ("on_wafer", "fail", "rho", "fold", "density", "pitch")
_FAR = 1.0e6


class DieEncoding(nn.Module):
    """Encode ``dies`` [B, H, W] and ``fold`` [B, H, W] into planes [B, 6, H, W].

    Planes: die present, fail, radius (0 centre, 1 rim), fail rate of the die's field position,
    fail rate of the whole wafer, and the size of a die against the wafer's radius. All are 0 off
    the wafer.
    """

    def forward(self, dies: Tensor, fold: Tensor) -> Tensor:
        """Return float planes [B, 6, H, W] in the order of `PLANES`."""
        on = (dies > 0).to(fold.dtype)
        fail = (dies == 2).to(fold.dtype)
        v, pitch_v = _axis(on.amax(dim=2))
        u, pitch_u = _axis(on.amax(dim=1))
        rho = torch.sqrt(v.square().unsqueeze(2) + u.square().unsqueeze(1))
        count = on.sum(dim=(1, 2)).clamp(min=1.0)
        density = (fail.sum(dim=(1, 2)) / count)[:, None, None]
        pitch = torch.sqrt(pitch_u * pitch_v)[:, None, None]
        return torch.stack([on, fail, rho * on, fold * on, density * on, pitch * on], dim=1)


def _axis(present: Tensor) -> tuple[Tensor, Tensor]:
    """Return coordinates [B, N] (-1 to 1 over the box) and die pitch [B] from presence [B, N]."""
    index = torch.arange(present.shape[1], device=present.device, dtype=present.dtype)
    first, last = span(present)
    half = ((last - first + 1.0) / 2.0).clamp(min=0.5, max=_FAR / 4)
    middle = (first + last) / 2.0
    return (index[None, :] - middle[:, None]) / half[:, None], 1.0 / half


def span(present: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and last place [B] where ``present`` [B, N] is 1; far off where none is."""
    index = torch.arange(present.shape[1], device=present.device, dtype=present.dtype)
    first = (index + (1.0 - present) * _FAR).amin(dim=1)
    return first, (index - (1.0 - present) * _FAR).amax(dim=1)
