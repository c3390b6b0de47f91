"""The scan in C, with the widest vectors that the processor has: what runs by default on a CPU."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from blocks.scan import _compile
from blocks.scan._backend import Gradients, Scan, registry

_INPUTS = ("u", "delta", "A", "B", "C", "D", "bias")
_TENSORS = (*_INPUTS, "y", "saved", "grad")
_GRADIENTS = ("d_u", "d_delta", "d_A", "d_B", "d_C", "d_D", "d_bias")
_SIZES = ("batch", "groups", "channels", "states", "length", "softplus", "slices", "threads")


class _Problem(ctypes.Structure):
    """`problem` of kernel.c, field by field."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in (*_TENSORS, *_GRADIENTS, "scratch")),
        *((name, ctypes.c_int) for name in _SIZES),
    )


class _Kernel:
    """The compiled library and what it says of itself."""

    def __init__(self, library: ctypes.CDLL) -> None:
        library.ablate_scan_scratch.restype = ctypes.c_size_t
        theirs, ours = library.ablate_scan_sizeof(), ctypes.sizeof(_Problem)
        if theirs != ours:
            raise _compile.CannotCompile(
                f"kernel.c lays its arguments out in {theirs} bytes, _native.py in {ours}"
            )
        self.library = library
        self.lanes: int = library.ablate_scan_lanes()
        self.tile: int = library.ablate_scan_tile()

    def run(self, scan: Scan, slices: int, threads: int, **outputs: Tensor) -> None:
        """Compute; tensors must be dense and stay alive, so they are held by name until it ends."""
        inputs = zip(_INPUTS, scan[:-1], strict=True)
        held = {name: t.contiguous() for name, t in inputs if t is not None}
        held.update((name, t.contiguous()) for name, t in outputs.items())
        numbers = (*scan.sizes, scan.softplus, slices, threads)
        problem = _Problem(
            **{name: t.data_ptr() for name, t in held.items() if t.numel()},
            **dict(zip(_SIZES, numbers, strict=True)),
        )
        floats = threads * self.library.ablate_scan_scratch(ctypes.byref(problem))
        scratch = scan.u.new_empty(floats)
        problem.scratch = scratch.data_ptr()
        self.library.ablate_scan(ctypes.byref(problem))


@cache
def _kernel() -> _Kernel | str:
    """The kernel, built at first use, or why there is none."""
    try:
        return _Kernel(_compile.load(Path(__file__).with_name("kernel.c")))
    except _compile.CannotCompile as error:
        return str(error)


def _live() -> _Kernel:
    kernel = _kernel()
    if isinstance(kernel, str):
        raise ValueError(f"scan back end 'c' cannot run: {kernel}")
    return kernel


@registry.register(name="c")
class Native:
    """float32 on the CPU, on as many threads as PyTorch uses."""

    dtypes = frozenset({torch.float32})

    def preference(self, device: torch.device) -> int:
        """The first choice on a CPU."""
        return 3 if device.type == "cpu" else 0

    def obstacle(self) -> str:
        """Why the kernel cannot be built, where it cannot."""
        kernel = _kernel()
        return kernel if isinstance(kernel, str) else ""

    def saved_shape(self, scan: Scan) -> tuple[int, ...]:
        """The state at the start of every tile of time: (B, G, blocks, tiles, N, lanes)."""
        batch, groups, _, states, length = scan.sizes
        kernel = _live()
        return (batch, groups, _blocks(scan), -(-length // kernel.tile), states, kernel.lanes)

    def forward(self, scan: Scan, save: bool) -> tuple[Tensor, Tensor]:
        """One pass over time for every block of channels."""
        y = scan.u.new_empty(scan.u.shape)
        saved = scan.u.new_empty(self.saved_shape(scan) if save else 0)
        slices, threads = _split(scan)
        _live().run(scan, slices, threads, y=y, saved=saved)
        return y, saved

    def backward(self, grad: Tensor, saved: Tensor, scan: Scan) -> Gradients:
        """One pass from the end; sums over items and slices are made here, in a fixed order."""
        slices, threads = _split(scan)
        batch, _, channels, states, _ = scan.sizes
        new = scan.u.new_empty
        d_u, d_delta = new(scan.u.shape), new(scan.u.shape)
        d_A, d_D, d_bias = new(batch, channels, states), new(batch, channels), new(batch, channels)
        d_B, d_C = new(slices, *scan.B.shape), new(slices, *scan.B.shape)
        outputs = dict(zip(_GRADIENTS, (d_u, d_delta, d_A, d_B, d_C, d_D, d_bias), strict=True))
        _live().run(scan, slices, threads, grad=grad, saved=saved, **outputs)
        d_A, d_B, d_C, d_D, d_bias = map(_total, (d_A, d_B, d_C, d_D, d_bias))
        return Gradients(
            d_u,
            d_delta,
            d_A,
            d_B,
            d_C,
            new(0) if scan.D is None else d_D,
            new(0) if scan.delta_bias is None else d_bias,
        )


def _total(parts: Tensor) -> Tensor:
    """The sum over the first axis; nothing to add where it has one entry."""
    return parts[0] if parts.shape[0] == 1 else parts.sum(0)


def _blocks(scan: Scan) -> int:
    """Blocks of channels in a group, each one vector wide."""
    return -(-scan.u.shape[1] // (scan.B.shape[1] * _live().lanes))


def _split(scan: Scan) -> tuple[int, int]:
    """Slices of every group's blocks, and threads: the fewest slices that share the work evenly."""
    pairs, blocks = scan.u.shape[0] * scan.B.shape[1], _blocks(scan)
    threads = max(1, min(torch.get_num_threads(), pairs * blocks))
    if threads == 1:
        return 1, 1

    def longest(slices: int) -> int:
        return -(-pairs * slices // threads) * -(-blocks // slices)

    return min(range(1, min(blocks, threads) + 1), key=longest), threads
