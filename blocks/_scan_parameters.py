"""How the parameters of selective scans start, as in Mamba."""

from __future__ import annotations

import math

import torch
from torch import Tensor

STEP_RANGE = (1e-3, 1e-1)  # of the step sizes at the start, log-uniform
STEP_FLOOR = 1e-4


def uniform(bound: float, *shape: int) -> Tensor:
    """Numbers from -bound to bound."""
    return torch.empty(*shape).uniform_(-bound, bound)


def initial_step_bias(count: int) -> Tensor:
    """The inverse of softplus at step sizes that are log-uniform in their range."""
    low, high = (math.log(step) for step in STEP_RANGE)
    steps = torch.empty(count).uniform_(low, high).exp().clamp(min=STEP_FLOOR)
    return steps + torch.log(-torch.expm1(-steps))
