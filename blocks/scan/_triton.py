"""The scan in Triton: what runs by default on a GPU, compiled there at first use without nvcc."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from blocks.scan._backend import Gradients, Scan, registry

LANES = 32  # channels of a warp
BLOCK = 16  # steps from one saved state to the next; a multiple of 4
MOST_STATES = 16  # of one call of the kernels: what the registers of a warp hold
WARPS = 2048  # that keep a GPU busy: time is cut into enough chunks to have them
SHORTEST, LONGEST = 32, 1024  # chunks, in steps
OLDEST = (3, 3)
LOG2_E = 1.4426950408889634


@registry.register(name="triton")
class Triton:
    """float32 on a CUDA device; on the CPU in Triton's interpreter, which is for tests."""

    dtypes = frozenset({torch.float32})

    def preference(self, device: torch.device) -> int:
        """The first choice on a GPU."""
        if device.type == "cuda":
            return 5
        return 1 if device.type == "cpu" and _interpreting() else 0

    def obstacle(self) -> str:
        """Why it cannot run, as far as can be said without running it."""
        if importlib.util.find_spec("triton") is None:
            return "triton is not installed"
        if not (_interpreting() or torch.cuda.is_available()):
            return "no CUDA device"
        import triton

        if tuple(int(part) for part in triton.__version__.split(".")[:2]) < OLDEST:
            return f"triton {triton.__version__} is too old: 3.3 or later is needed"
        return ""

    def saved_shape(self, scan: Scan) -> tuple[int, ...]:
        """The state before every block of steps, as one row of numbers."""
        return (_Plan(scan).saved,)

    def forward(self, scan: Scan, save: bool) -> tuple[Tensor, Tensor]:
        """All chunks at once, from the states that they start from."""
        return _forward(scan, None, save)

    def backward(self, grad: Tensor, saved: Tensor, scan: Scan) -> Gradients:
        """All chunks at once, from the gradients that they end with."""
        return _backward(grad, saved, scan, None)

    def forward_along(self, scan: Scan, visited: Tensor, save: bool) -> tuple[Tensor, Tensor]:
        """Along paths; pixels are read and written where they lie."""
        return _forward(scan, visited, save)

    def backward_along(self, grad: Tensor, saved: Tensor, scan: Scan, visited: Tensor) -> Gradients:
        """Along paths from their ends; the gradient of u is the sum over the paths."""
        return _backward(grad, saved, scan, visited)


def _interpreting() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


class _Plan:
    """The sizes of one scan, and how its time is cut."""

    def __init__(self, scan: Scan) -> None:
        self.batch, self.groups, self.states, self.length = scan.B.shape
        self.channels = scan.A.shape[0] // self.groups  # of a group
        self.slices = -(-self.channels // LANES)
        self.blocks = -(-self.length // BLOCK)
        steps = self.length * self.batch * self.groups * self.slices // WARPS
        self.chunk = min(max(1 << max(steps, 1).bit_length() - 1, SHORTEST), LONGEST)
        self.chunks = -(-self.length // self.chunk)

    @property
    def saved(self) -> int:
        """How many numbers the states before all blocks are."""
        return self.batch * self.blocks * self.groups * self.channels * self.states

    @property
    def grid(self) -> tuple[int, int, int]:
        """One warp for every chunk, slice of every group, and batch item."""
        return self.chunks, self.groups * self.slices, self.batch

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """What the kernels call G, E, L, T."""
        return self.groups, self.channels, self.length, self.chunk


class _Part(NamedTuple):
    """Some of the states: they do not meet, and their outputs add up."""

    rates: Tensor  # (G, N, E), A / ln 2
    inward: Tensor  # (B, G, N, L)
    outward: Tensor  # (B, G, N, L)
    skip: Tensor  # (G E,), nought in all parts but the first

    @property
    def constants(self) -> dict[str, int]:
        """What the kernels are compiled for."""
        states = self.rates.shape[1]
        return {"N": states, "NP": 1 << (states - 1).bit_length()}


def _parts(scan: Scan, plan: _Plan) -> Iterator[_Part]:
    by_group = (scan.A * LOG2_E).view(plan.groups, plan.channels, plan.states)
    nought = scan.u.new_zeros(scan.A.shape[0])
    skip = nought if scan.D is None else scan.D.contiguous()
    for first in range(0, plan.states, MOST_STATES):
        some = slice(first, first + MOST_STATES)
        rates = by_group[:, :, some].transpose(1, 2).contiguous()
        inward, outward = (x[:, :, some].contiguous() for x in (scan.B, scan.C))
        yield _Part(rates, inward, outward, nought if first else skip)


class _Inputs(NamedTuple):
    """What all parts have in common: dense tensors, and how the kernels find their way in u."""

    u: Tensor
    delta: Tensor
    bias: Tensor
    table: Tensor
    strides: tuple[int, int]  # of u, from one batch item to the next and from group to group
    constants: dict[str, int | bool]


def _inputs(scan: Scan, plan: _Plan, visited: Tensor | None) -> _Inputs:
    u, delta = scan.u.contiguous(), scan.delta.contiguous()
    bias = scan.u.new_zeros(scan.A.shape[0]) if scan.delta_bias is None else scan.delta_bias
    along = visited is not None
    table = u if visited is None else visited.contiguous()
    strides = (u[0].numel(), 0 if along else plan.channels * plan.length)
    constants = {"SOFTPLUS": scan.softplus, "PATHS": along, "LANES": LANES}
    return _Inputs(u, delta, bias.contiguous(), table, strides, constants)


def _forward(scan: Scan, visited: Tensor | None, save: bool) -> tuple[Tensor, Tensor]:
    plan = _Plan(scan)
    given, new = _inputs(scan, plan, visited), scan.u.new_empty
    outputs, saved = [], []
    for part in _parts(scan, plan):
        starts = _starts(plan, given, part, given.u, given.strides, backward=False)
        outputs.append(new(plan.batch, plan.groups * plan.channels, plan.length))
        saved.append(new(plan.batch, plan.blocks, *part.rates.shape) if save else new(0))
        _launch(
            "forward_chunks", plan.grid, given.u,
            given.u, given.delta, part.inward, part.outward, given.bias, part.skip, part.rates,
            given.table, starts, outputs[-1], saved[-1], *given.strides, *plan.sizes, plan.blocks,
            **part.constants, **given.constants, BLOCK=BLOCK, SAVE=save,
        )  # fmt: skip
    return _total(outputs), _row(saved)


def _backward(grad: Tensor, saved: Tensor, scan: Scan, visited: Tensor | None) -> Gradients:
    plan = _Plan(scan)
    given, grad, new = _inputs(scan, plan, visited), grad.contiguous(), scan.u.new_empty
    strides = (grad[0].numel(), plan.channels * plan.length)
    parts = list(_parts(scan, plan))
    found = []
    for part, states in zip(parts, _split(saved, parts), strict=True):
        starts = _starts(plan, given, part, grad, strides, backward=True)
        chunks = (plan.batch, plan.chunks)
        outputs = [
            *(new(plan.batch, plan.groups * plan.channels, plan.length) for _ in range(2)),
            *(new(plan.slices, *part.inward.shape) for _ in range(2)),
            new(*chunks, *part.rates.shape),
            *(new(*chunks, plan.groups * plan.channels) for _ in range(2)),
        ]
        _launch(
            "backward_chunks", plan.grid, given.u,
            given.u, given.delta, grad, part.inward, part.outward, given.bias, part.skip,
            part.rates, given.table, starts, states, *outputs,
            *given.strides, *plan.sizes, plan.blocks,
            **part.constants, **given.constants, BLOCK=BLOCK,
        )  # fmt: skip
        found.append(outputs)
    return _gathered(scan, plan, found)


def _starts(
    plan: _Plan, given: _Inputs, part: _Part, x: Tensor, strides: tuple[int, int], *, backward: bool
) -> Tensor:
    """The state, or its gradient, that every chunk starts from: (B, chunks, G, N, E)."""
    shape = (plan.batch, plan.chunks, *part.rates.shape)
    if plan.chunks == 1:
        return x.new_zeros(shape)
    ends, starts = x.new_empty(shape), x.new_empty(shape)
    sums = x.new_empty(plan.batch, plan.chunks, plan.groups, plan.channels)
    matrix = part.outward if backward else part.inward
    _launch(
        "chunk_ends", plan.grid, x,
        x, given.delta, matrix, given.bias, part.rates, given.table, ends, sums,
        *strides, *plan.sizes, **part.constants, **given.constants, BACKWARD=backward,
    )  # fmt: skip
    states, columns = part.rates.shape[1], 64
    grid = (-(-states * plan.channels // columns), plan.groups, plan.batch)
    _launch(
        "carry", grid, x,
        ends, sums, part.rates, starts, plan.groups, plan.channels, plan.chunks,
        N=states, ROWS=16, COLUMNS=columns, BACKWARD=backward,
    )  # fmt: skip
    return starts


def _gathered(scan: Scan, plan: _Plan, found: list[list[Tensor]]) -> Gradients:
    """The gradients from what the warps of each part have found."""
    d_u, d_delta, d_inward, d_outward, d_rates, d_bias, d_skip = zip(*found, strict=True)
    d_input, d_A = _total(list(d_u)), torch.cat([x.sum((0, 1)) for x in d_rates], dim=1)
    if d_input.shape != scan.u.shape:  # paths share it
        d_input = d_input.view(plan.batch, plan.groups, *scan.u.shape[1:]).sum(1)
    nothing = scan.u.new_empty(0)
    return Gradients(
        d_input,
        _total(list(d_delta)),
        d_A.transpose(1, 2).reshape(scan.A.shape),
        torch.cat([x.sum(0) for x in d_inward], dim=2),
        torch.cat([x.sum(0) for x in d_outward], dim=2),
        nothing if scan.D is None else d_skip[0].sum((0, 1)),
        nothing if scan.delta_bias is None else _total(list(d_bias)).sum((0, 1)),
    )


def _total(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)


def _row(parts: list[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def _split(saved: Tensor, parts: list[_Part]) -> tuple[Tensor, ...]:
    """What `_row` of the forward pass was made of."""
    states = [part.rates.shape[1] for part in parts]
    size = saved.numel() // sum(states)
    return torch.split_with_sizes(saved.contiguous(), [size * count for count in states])


@cache
def _kernels() -> Any:
    """The kernels; Triton is imported here and nowhere before."""
    # Products are added unrounded, in a version that would have us choose as in those before it.
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")
    from blocks.scan import kernel_triton

    return kernel_triton


def _launch(
    name: str, grid: tuple[int, ...], beside: Tensor, *given: Any, **constants: Any
) -> None:
    """Run a kernel, one warp a program, on the device of a tensor."""
    on_device: AbstractContextManager[Any] = nullcontext()
    if beside.device.type == "cuda":
        on_device = torch.cuda.device(beside.device)
    with on_device:
        getattr(_kernels(), name)[grid](*given, **constants, num_warps=1)
