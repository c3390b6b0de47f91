"""The scan in the CUDA kernels of mamba-ssm, where somebody has built them.

Only the compiled module is imported, never `mamba_ssm`: that package brings a language-model
library with it, and may be installed without the module. Its sums over channels are atomic
additions: gradients of B and C differ in their last bits from call to call.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import torch
from torch import Tensor

from blocks.scan._backend import Gradients, Scan, registry

MODULE = "selective_scan_cuda"
MOST_STATES = 256
CHUNK = 2048  # steps from one saved state to the next
INSTALL = "MAMBA_KEEP_CUDA_BUILD=TRUE pip install --no-build-isolation --no-deps mamba-ssm"
"""What builds the module: torch is left alone, and a compiler of its CUDA version is needed."""


@cache
def _extension() -> Any:
    """The compiled module, or why there is none."""
    try:
        return importlib.import_module(MODULE)
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed"
    except Exception as error:  # built for another torch, Python or CUDA: linkers say it their way
        said = str(error).strip().splitlines() or [type(error).__name__]
        return f"{MODULE} does not load: {said[0][:200]}"


@registry.register(name=MODULE)
class SelectiveScanCuda:
    """float32 on a CUDA device; at most 256 states."""

    dtypes = frozenset({torch.float32})

    def preference(self, device: torch.device) -> int:
        """After our own kernel; which of the two is faster has not been measured."""
        return 4 if device.type == "cuda" else 0

    def obstacle(self) -> str:
        """Why it cannot run, as far as can be said without running it."""
        extension = _extension()
        if isinstance(extension, str):
            return extension
        return "" if torch.cuda.is_available() else "no CUDA device"

    def saved_shape(self, scan: Scan) -> tuple[int, ...]:
        """Decay and state at the end of every chunk, side by side: (B, D, chunks, 2 N)."""
        batch, _, channels, states, length = scan.sizes
        return (batch, channels, -(-length // CHUNK), 2 * states)

    def forward(self, scan: Scan, save: bool) -> tuple[Tensor, Tensor]:
        """One pass; the module always makes what is saved."""
        gate = None
        y, saved = _extension().fwd(*_dense(scan), gate, _bias(scan), scan.softplus)
        return y, saved if save else scan.u.new_empty(0)

    def backward(self, grad: Tensor, saved: Tensor, scan: Scan) -> Gradients:
        """One pass from the end."""
        gate = gated = d_gate = None
        found = _extension().bwd(
            *_dense(scan),
            gate,
            _bias(scan),
            grad.contiguous(),
            saved.contiguous(),
            gated,
            d_gate,
            scan.softplus,
            False,  # whether to compute the gated output again: there is none
        )
        nothing = scan.u.new_empty(0)
        return Gradients(*(nothing if t is None else t for t in found))


def _dense(scan: Scan) -> tuple[Tensor | None, ...]:
    """u, delta, A, B, C, D as the module wants them.

    Raises:
        ValueError: There are more states than it holds.
    """
    states = scan.A.shape[1]
    if states > MOST_STATES:
        raise ValueError(f"scan back end '{MODULE}' holds {MOST_STATES} states; got {states}")
    tensors = (scan.u, scan.delta, scan.A, scan.B, scan.C, scan.D)
    return tuple(None if t is None else t.contiguous() for t in tensors)


def _bias(scan: Scan) -> Tensor | None:
    return None if scan.delta_bias is None else scan.delta_bias.contiguous()
