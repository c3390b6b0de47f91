"""The scan as its equations say it, step after step: slow, and what the others must equal."""

from __future__ import annotations

import torch
from torch import Tensor

from blocks.scan._backend import Gradients, Scan, finish, registry


@registry.register(name="reference")
class Reference:
    """Any dtype, any device; in float64 it is the oracle."""

    dtypes = frozenset({torch.float32, torch.float64})

    def preference(self, device: torch.device) -> int:
        """The last choice everywhere."""
        return 1

    def obstacle(self) -> str:
        """It always runs."""
        return ""

    def saved_shape(self, scan: Scan) -> tuple[int, ...]:
        """Nothing is saved: the backward pass starts again."""
        return (0,)

    def forward(self, scan: Scan, save: bool) -> tuple[Tensor, Tensor]:
        """One step after another."""
        _, inward, outward = _factors(scan)
        states = _states(scan, inward)
        y = torch.stack([(h * c).sum(-1) for h, c in zip(states, outward, strict=True)], dim=-1)
        if scan.D is not None:
            y = y + scan.D[:, None] * scan.u
        return y.contiguous(), scan.u.new_empty(0)

    def backward(self, grad: Tensor, saved: Tensor, scan: Scan) -> Gradients:
        """The same recurrence from the last step to the first."""
        step, inward, outward = _factors(scan)
        states = _states(scan, inward)
        d_step, d_input, d_A = torch.empty_like(step), torch.empty_like(step), 0.0 * scan.A
        d_in, d_out = [torch.empty(0)] * len(inward), [torch.empty(0)] * len(inward)
        from_later = torch.zeros_like(states[0])  # (B, D, N), the gradient of h_t through h_(t+1)
        for t in reversed(range(len(inward))):
            dt, u, dy = (x[:, :, t, None] for x in (step, scan.u, grad))
            g = outward[t] * dy + from_later
            from_later = torch.exp(dt * scan.A) * g
            before = states[t - 1] if t else torch.zeros_like(g)
            d_exponent = from_later * before
            d_A = d_A + (d_exponent * dt).sum(0)
            d_step[:, :, t] = (d_exponent * scan.A + g * u * inward[t]).sum(-1)
            d_input[:, :, t] = (g * dt * inward[t]).sum(-1)
            d_in[t], d_out[t] = g * dt * u, states[t] * dy
        return finish(scan, grad, d_input, d_step, d_A, *_grouped(scan, d_in, d_out))


def _factors(scan: Scan) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """The step (B, D, L), and B and C per channel as a list of L tensors (B, D, N)."""
    repeats = scan.u.shape[1] // scan.B.shape[1]
    inward, outward = (x.repeat_interleave(repeats, 1).unbind(-1) for x in (scan.B, scan.C))
    return scan.step(), list(inward), list(outward)


def _states(scan: Scan, inward: list[Tensor]) -> list[Tensor]:
    """h_t for every t: L tensors (B, D, N)."""
    h = torch.zeros_like(inward[0])
    states = []
    for dt, u, b in zip(scan.step().unbind(-1), scan.u.unbind(-1), inward, strict=True):
        h = torch.exp(dt[..., None] * scan.A) * h + (dt * u)[..., None] * b
        states.append(h)
    return states


def _grouped(scan: Scan, *per_channel: list[Tensor]) -> list[Tensor]:
    """Lists of L tensors (B, D, N), each summed over the channels of a group: (B, G, N, L)."""
    batch, groups, channels, states, length = scan.sizes
    shape = (batch, groups, channels // groups, states, length)
    return [torch.stack(x, dim=-1).view(shape).sum(2) for x in per_channel]
