"""Where a training's chance comes from: seeded, taken down and put back."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


def seed_all(seed: int) -> None:
    """Make the chance of PyTorch, and of Python and NumPy for plug-ins, that of a seed."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


def taken_down(device: torch.device) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The state of all generators that a training on a device draws from.

    Returns:
        What JSON can hold (Python's and NumPy's), and tensors: `torch`, on CUDA also `cuda`.
    """
    drawn = np.random.get_state(legacy=False)
    version, inner, following = random.getstate()
    notes = {
        "numpy": {**drawn, "state": {**drawn["state"], "key": drawn["state"]["key"].tolist()}},
        "python": [version, list(inner), following],
    }
    tensors = {"torch": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state(device)
    return notes, tensors


def put_back(notes: Mapping[str, Any], tensors: Mapping[str, Tensor], device: torch.device) -> None:
    """Set all generators to a state that `taken_down` gave.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError: It is no such state.
    """
    drawn = notes["numpy"]
    key = np.array(drawn["state"]["key"], np.uint32)
    version, inner, following = notes["python"]
    np.random.set_state({**drawn, "state": {**drawn["state"], "key": key}})
    random.setstate((version, tuple(inner), following))
    torch.set_rng_state(tensors["torch"])
    if device.type == "cuda" and "cuda" in tensors:
        torch.cuda.set_rng_state(tensors["cuda"], device)


@contextmanager
def undisturbed(device: torch.device) -> Iterator[None]:
    """Whatever is drawn inside from PyTorch's generators, afterwards they are as before."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
