"""Keep a few operations out of autocast."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Within it, autocast leaves operations on the device of x as they are.

    For choices and for sums over whole images, which half floats would change altogether and not
    just round; tensors that are half floats already must be cast by hand.
    """
    device = x.device.type
    if not torch.amp.is_autocast_available(device):  # meta has none
        return nullcontext()
    return torch.autocast(device, enabled=False)
