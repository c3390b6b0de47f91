"""Every block once more, as one would write its paper's equations down in plain PyTorch.

No fused attention, no memory layouts, no kernels: what the blocks are measured against. Weights
are those of a block, read by name, at its default knobs; a test holds both to the same numbers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import Tensor, nn

from benchmarks.straightforward import (
    attention,
    channels,
    cnn,
    linear_attention,
    mamba,
    prompts,
)
from benchmarks.straightforward.scans import Scan

TWINS: dict[str, Callable[..., Tensor]] = {
    twin.__name__: twin
    for twin in (
        attention.global_attention,
        attention.mwsa,
        attention.swin,
        channels.mdta_gdfn,
        channels.mhamb,
        channels.moce,
        cnn.baseline_block,
        cnn.convnext,
        cnn.identity,
        cnn.mdc,
        cnn.nafblock,
        cnn.plain_block,
        cnn.rcab,
        cnn.rdcnn,
        linear_attention.efficient_attention,
        linear_attention.lama,
        linear_attention.mlla,
        mamba.assb,
        mamba.emvm,
        mamba.maib,
        mamba.mamba2,
        mamba.vss,
        prompts.mplb,
    )
}


def straightforward(block: nn.Module, x: Tensor, scan: Scan | None = None) -> Tensor:
    """What a block computes, computed plainly with its weights.

    Args:
        block: One of the registered blocks, at its default knobs.
        x: (B, C, H, W).
        scan: For a block that scans: what runs the recurrence; none for a loop over time.
    """
    twin = TWINS[_name(block)]
    return twin(block, x) if scan is None else twin(block, x, scan)


def scans(block: nn.Module) -> bool:
    """Whether a block runs a selective scan."""
    return "scan" in inspect.signature(TWINS[_name(block)]).parameters


def _name(block: nn.Module) -> str:
    """What the block is registered as: its file."""
    return type(block).__module__.rpartition(".")[2]
