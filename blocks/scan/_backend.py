"""What a back end of the selective scan is, and which ones there are."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional

from blocks._registry import Registry


class Scan(NamedTuple):
    """The arguments of one selective scan.

    Shapes: u, delta (B, D, L); A (D, N); B, C (B, G, N, L); D, delta_bias (D,).
    """

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    delta_bias: Tensor | None
    softplus: bool

    @property
    def sizes(self) -> tuple[int, int, int, int, int]:
        """Batch, groups, channels, states, length."""
        batch, channels, length = self.u.shape
        return batch, self.B.shape[1], channels, self.A.shape[1], length

    def raw_step(self) -> Tensor:
        """The step before softplus, delta + bias: (B, D, L)."""
        return self.delta if self.delta_bias is None else self.delta + self.delta_bias[:, None]

    def step(self) -> Tensor:
        """The step that discretises the recurrence: (B, D, L)."""
        return functional.softplus(self.raw_step()) if self.softplus else self.raw_step()


class Gradients(NamedTuple):
    """One gradient per tensor argument, in its shape; those of an absent D or bias are empty."""

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor
    delta_bias: Tensor


def finish(
    scan: Scan, grad: Tensor, d_input: Tensor, d_step: Tensor, d_A: Tensor, d_B: Tensor, d_C: Tensor
) -> Gradients:
    """The last of the backward pass: through the skip, the softplus and the bias.

    Args:
        scan: The arguments.
        grad: Gradient of y, (B, D, L).
        d_input: Gradient of u through the states, (B, D, L).
        d_step: Gradient of the step, (B, D, L).
        d_A: Gradient of A, (D, N).
        d_B: Gradient of B, (B, G, N, L).
        d_C: Gradient of C, (B, G, N, L).
    """
    d_D, d_bias = scan.u.new_empty(0), scan.u.new_empty(0)
    if scan.D is not None:
        d_input, d_D = d_input + scan.D[:, None] * grad, (grad * scan.u).sum((0, 2))
    if scan.softplus:
        d_step = d_step * torch.sigmoid(scan.raw_step())
    if scan.delta_bias is not None:
        d_bias = d_step.sum((0, 2))
    return Gradients(d_input, d_step, d_A, d_B, d_C, d_D, d_bias)


class Backend(Protocol):
    """One way of computing the scan and its gradients: given checked tensors, dense outputs.

    Attributes:
        dtypes: What it computes in; float16 and bfloat16 are promoted before they arrive.
    """

    dtypes: frozenset[torch.dtype]

    def preference(self, device: torch.device) -> int:
        """How good a choice it is on a device: the highest runs, 0 cannot run at all."""

    def obstacle(self) -> str:
        """Why it cannot run in this process, or nothing where it can."""

    def saved_shape(self, scan: Scan) -> tuple[int, ...]:
        """The shape of what `forward` saves for `backward`; found without computing."""

    def forward(self, scan: Scan, save: bool) -> tuple[Tensor, Tensor]:
        """The output (B, D, L), and what to save for the backward pass (empty unless asked for)."""

    def backward(self, grad: Tensor, saved: Tensor, scan: Scan) -> Gradients:
        """The gradients, given that of the output, (B, D, L)."""


@runtime_checkable
class FollowsPaths(Protocol):
    """A back end that scans along paths through pixels without a copy for every path.

    The scan it is given has u (B, D, L), and K paths as groups of D channels: delta (B, K D, L),
    A (K D, N), B, C (B, K, N, L), D and delta_bias (K D,). All that has L is in raster order;
    visited (K, L) says which pixel is visited at each step.
    """

    def forward_along(self, scan: Scan, visited: Tensor, save: bool) -> tuple[Tensor, Tensor]:
        """The output (B, K D, L) in raster order, and what to save, of `saved_shape`."""

    def backward_along(self, grad: Tensor, saved: Tensor, scan: Scan, visited: Tensor) -> Gradients:
        """The gradients, given that of the output."""


registry: Registry[Callable[[], Backend]] = Registry("scan back end")


@cache
def get(name: str) -> Backend:
    """The back end of this name.

    Raises:
        UnknownName: There is none; the message says the nearest.
    """
    return registry[name].make()
