"""The selective scan in a loop over time, and this project's own in its place."""

from __future__ import annotations

from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from blocks.scan import selective_scan


class Scan(Protocol):
    """h_t = exp(step_t A) h_(t-1) + step_t B_t u_t; y_t = C_t h_t + D u_t."""

    def __call__(
        self, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor
    ) -> Tensor:
        """The step is softplus(delta + bias).

        Args:
            u: (B, K D, L), K paths of D channels.
            delta: (B, K D, L).
            A: (K D, N).
            B: (B, K, N, L).
            C: (B, K, N, L).
            D: (K D,).
            bias: (K D,).

        Returns:
            y, (B, K D, L).
        """


def loop(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor
) -> Tensor:
    """Decay and inflow of all times at once, then one step after another."""
    channels = u.shape[1] // B.shape[1]
    B, C = (part.repeat_interleave(channels, dim=1).transpose(2, 3) for part in (B, C))
    step = F.softplus(delta + bias[:, None])
    decay = torch.exp(step.unsqueeze(-1) * A[:, None])  # (B, K D, L, N)
    inflow = (step * u).unsqueeze(-1) * B
    h = torch.zeros_like(inflow[:, :, 0])
    states = []
    for a, b in zip(decay.unbind(2), inflow.unbind(2), strict=True):
        h = a * h + b
        states.append(h)
    return (torch.stack(states, dim=2) * C).sum(-1) + D[:, None] * u


def of_backend(name: str | None) -> Scan:
    """This project's scan by a back end; none for the best one on the device."""
    return partial(selective_scan, backend=name)
