"""Which back end runs: the preferred one on a device that proves there that it is right."""

from __future__ import annotations

import os
import warnings
from functools import cache

import torch

from blocks.scan._backend import get, registry
from blocks.scan._probe import fault

KERNEL = 3  # the least preference of a back end that is no fallback


def backends() -> dict[str, str]:
    """Every back end by name: "live", or why it cannot run in this process."""
    return {name: _state(name) for name in registry}


def _state(name: str) -> str:
    device = next((d for d in _devices() if get(name).preference(d)), torch.device("meta"))
    return get(name).obstacle() or fault(name, device, torch.float32) or "live"


def _devices() -> list[torch.device]:
    """The kinds of devices that this process has, the fastest first."""
    return [torch.device("cuda")] * torch.cuda.is_available() + [torch.device("cpu")]


def backend_for(device: torch.device, dtype: torch.dtype = torch.float32) -> str:
    """The name of the back end that runs on a device when none is asked for.

    The variable ABLATE_SCAN_BACKEND of the environment overrides the choice. Warns once where
    no kernel can run.

    Args:
        device: Where the tensors are.
        dtype: What they hold; the choice falls on a back end that computes in it.

    Raises:
        UnknownName: The environment asks for a back end that does not exist.
    """
    if asked := os.environ.get("ABLATE_SCAN_BACKEND"):
        get(asked)
        return asked
    return _best(device, dtype)


@cache
def _best(device: torch.device, dtype: torch.dtype) -> str:
    choices = [name for name in registry if dtype in get(name).dtypes]
    able = [name for name in choices if get(name).preference(device)]
    refusals: list[tuple[str, str]] = []
    for name in sorted(able, key=lambda name: -get(name).preference(device)):
        if not (why := get(name).obstacle() or fault(name, device, dtype)):
            if refusals and get(name).preference(device) < KERNEL:
                _warn_once(*refusals[0])
            return name
        refusals.append((name, why))
    raise ValueError(f"no scan back end computes {dtype} on {device}; see blocks.scan.backends()")


@cache
def _warn_once(name: str, why: str) -> None:
    """One line per process: what runs in place of a kernel can be twenty times slower."""
    warnings.warn(
        f"scan back end '{name}' cannot run ({why}); a slower one takes its place: "
        "latencies of blocks that scan are not representative",
        stacklevel=2,
    )
