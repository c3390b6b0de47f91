"""The scan in plain tensor operations: any device, no compiler, a few dozen calls per block.

Time is cut into blocks that fit in a cache, and a block into lanes that advance together.
A lane ends at its own end plus its total decay times the end of the lane before: never a
quotient of exponentials, so nothing overflows however strong the decay.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from blocks.scan._backend import Gradients, Scan, finish, registry


class Plan(NamedTuple):
    """How time is cut: blocks one after another, each of `lanes` lanes of `steps` steps."""

    blocks: int
    lanes: int
    steps: int

    def spans(self, length: int) -> list[slice]:
        """The time of every block."""
        size = self.lanes * self.steps
        return [slice(i * size, min((i + 1) * size, length)) for i in range(self.blocks)]

    def by_step(self, x: Tensor) -> Tensor:
        """(..., T) -> (steps, lanes, ...), a short block filled up with zeros."""
        x = functional.pad(x, (0, self.lanes * self.steps - x.shape[-1]))
        x = x.reshape(*x.shape[:-1], self.lanes, self.steps)
        return x.movedim((-1, -2), (0, 1)).contiguous()

    def write(self, target: Tensor, span: slice, x: Tensor) -> None:
        """Put (steps, lanes, ...) into the span of the target's last axis, less the filling."""
        place = target[..., span]
        by_time = x.movedim((0, 1), (-1, -2)).flatten(-2)[..., : place.shape[-1]]
        place.copy_(by_time.reshape(place.shape))


class Block(NamedTuple):
    """One block of time, by step. S steps, K lanes, B batch, G groups, E channels of a group."""

    step: Tensor  # (S, K, B, G, E, 1)
    u: Tensor  # (S, K, B, G, E, 1)
    inward: Tensor  # (S, K, B, G, 1, N)
    outward: Tensor  # (S, K, B, G, 1, N)
    decay: Tensor  # (S, K, B, G, E, N)

    def states(self, start: Tensor) -> tuple[Tensor, Tensor]:
        """All states and the last one, given the one before the block."""
        return _sweep(self.decay, self.step * self.u * self.inward, start)


@registry.register(name="torch")
class Chunked:
    """Any device; what runs where there is neither a compiler nor a kernel."""

    dtypes = frozenset({torch.float32, torch.float64})

    def preference(self, device: torch.device) -> int:
        """Before the reference, after every kernel."""
        return 2

    def obstacle(self) -> str:
        """It always runs."""
        return ""

    def saved_shape(self, scan: Scan) -> tuple[int, ...]:
        """The state at the start of every block: (blocks, B, G, E, N)."""
        batch, groups, channels, states, _ = scan.sizes
        return (_plan(scan).blocks, batch, groups, channels // groups, states)

    def forward(self, scan: Scan, save: bool) -> tuple[Tensor, Tensor]:
        """Block after block, each carrying its last state into the next."""
        plan, y = _plan(scan), scan.u.new_empty(scan.u.shape)
        starts, carry = [], scan.u.new_zeros(self.saved_shape(scan)[1:])
        for span in plan.spans(scan.u.shape[-1]):
            block = _block(scan, plan, span)
            starts.append(carry)
            h, carry = block.states(carry)
            plan.write(y, span, (h * block.outward).sum(-1))
        if scan.D is not None:
            y.addcmul_(scan.u, scan.D[:, None])
        return y, torch.stack(starts) if save else scan.u.new_empty(0)

    def backward(self, grad: Tensor, saved: Tensor, scan: Scan) -> Gradients:
        """Block after block from the last; states are computed again from each block's start."""
        plan, groups = _plan(scan), scan.B.shape[1]
        d_input, d_step = scan.u.new_empty(scan.u.shape), scan.u.new_empty(scan.u.shape)
        d_B, d_C = scan.u.new_empty(scan.B.shape), scan.u.new_empty(scan.B.shape)
        A = _split(scan.A, groups)  # (G, E, N)
        d_A, later = torch.zeros_like(A), torch.zeros_like(saved[0])
        spans = plan.spans(scan.u.shape[-1])
        for span, start in zip(reversed(spans), reversed(saved.unbind(0)), strict=True):
            block = _block(scan, plan, span)
            dy = _channels(plan, grad[..., span], groups)
            h, _ = block.states(start)
            plan.write(d_C, span, (h * dy).sum(-2))
            before = _neighbours(h, start)
            g = block.outward * dy  # the gradient of h_t: through y_t,
            h, carry = _sweep(block.decay, block.decay * g, later, backwards=True)
            g += _neighbours(h, later, backwards=True)  # and through h_(t+1)
            later, d_exponent = carry, h.mul_(before)
            plan.write(d_B, span, (g * (block.step * block.u)).sum(-2))
            through_b = (g * block.inward).sum(-1, keepdim=True)
            plan.write(d_input, span, through_b * block.step)
            d_A += (d_exponent * block.step).sum((0, 1, 2))
            through_a = (d_exponent * A).sum(-1, keepdim=True)
            plan.write(d_step, span, through_a + through_b * block.u)
        return finish(scan, grad, d_input, d_step, d_A.flatten(0, 1), d_B, d_C)


def _plan(scan: Scan) -> Plan:
    """Blocks that fit in a cache (in a share of the memory, on a GPU); lanes that fill a call."""
    batch, _, channels, states, length = scan.sizes
    width = max(1, batch * channels * states)
    on_cpu = scan.u.device.type == "cpu"
    size = min(length, max(8, (2**18 if on_cpu else 2**25) // width))
    lanes = max(1, min(math.isqrt(size), (2**11 if on_cpu else 2**18) // width))
    steps = -(-size // lanes)
    return Plan(-(-length // (lanes * steps)), lanes, steps)


def _block(scan: Scan, plan: Plan, span: slice) -> Block:
    groups = scan.B.shape[1]
    part = scan._replace(u=scan.u[..., span], delta=scan.delta[..., span])
    step, u = (_channels(plan, x, groups) for x in (part.step(), part.u))
    inward, outward = (plan.by_step(x[..., span])[..., None, :] for x in (scan.B, scan.C))
    decay = (step * _split(scan.A, groups)).exp_()
    return Block(step, u, inward, outward, decay)


def _split(A: Tensor, groups: int) -> Tensor:
    """(D, N) -> (G, E, N)."""
    return A.reshape(groups, -1, A.shape[-1])


def _channels(plan: Plan, x: Tensor, groups: int) -> Tensor:
    """(B, D, T) -> (S, K, B, G, E, 1)."""
    return plan.by_step(x.reshape(x.shape[0], groups, -1, x.shape[-1]))[..., None]


def _sweep(
    decay: Tensor, inflow: Tensor, start: Tensor, *, backwards: bool = False
) -> tuple[Tensor, Tensor]:
    """State = decay * state before + inflow, along steps and lanes; overwrites inflow.

    Args:
        decay: (S, K, ...).
        inflow: (S, K, ...).
        start: The state before the first step, (...).
        backwards: Whether time runs from the last step to the first.

    Returns:
        All states (S, K, ...), and the last one (...).
    """
    steps = list(zip(decay.unbind(0), inflow.unbind(0), strict=True))[:: -1 if backwards else 1]
    state = _lane_starts(decay, steps, start, backwards)
    for a, b in steps:
        state = torch.addcmul(b, a, state, out=b)
    return inflow, state[0 if backwards else -1].clone()


def _lane_starts(
    decay: Tensor, steps: list[tuple[Tensor, Tensor]], start: Tensor, backwards: bool
) -> Tensor:
    """The state before the first step of every lane: (K, ...)."""
    if decay.shape[1] == 1:
        return start[None]
    ends = torch.zeros_like(decay[0])  # of every lane on its own, from zero
    for a, b in steps:
        ends = torch.addcmul(b, a, ends)
    starts, state = [], start
    lanes = list(zip(decay.prod(0).unbind(0), ends.unbind(0), strict=True))
    for a, b in lanes[:: -1 if backwards else 1]:
        starts.append(state)
        state = torch.addcmul(b, a, state)
    return torch.stack(starts[:: -1 if backwards else 1])


def _neighbours(states: Tensor, edge: Tensor, *, backwards: bool = False) -> Tensor:
    """What every step (S, K, ...) got from the step before it, or after it; `edge` at the end."""
    if backwards:
        first = torch.cat((states[0, 1:], edge[None]))
        return torch.cat((states[1:], first[None]))
    last = torch.cat((edge[None], states[-1, :-1]))
    return torch.cat((last[None], states[:-1]))
