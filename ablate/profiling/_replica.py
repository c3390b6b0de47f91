"""A copy of a network whose tensors have shapes but no memory, to be run without computing."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch._functorch import config as functorch_config
from torch._subclasses.fake_tensor import FakeTensorMode


def replica(model: nn.Module, *, channels_last: bool = False) -> tuple[FakeTensorMode, nn.Module]:
    """A fake copy of a network (real or on meta) and the mode that it must be run in.

    The copy's parameters and buffers are fake tensors on the CPU that keep shape, type, strides
    and sharing; tensors that are neither are copied as they are. Where a module was compiled, the
    copy has the module itself. The network is left untouched.

    Args:
        model: The network.
        channels_last: Whether the copy's tensors of four dimensions have channels last, whatever
            the network's have.
    """
    # Foreign code that asks for a fake tensor's memory gets an error instead of a null pointer.
    with functorch_config.patch(fake_tensor_allow_unsafe_data_ptr_access=False):
        mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode:
        memo: dict[int, Any] = {
            id(tensor): _fake(tensor, channels_last)
            for tensor in chain(model.parameters(), model.buffers())
            if not isinstance(tensor, nn.UninitializedParameter)
        }
    for module in reversed(list(model.modules())):  # those inside others first
        if isinstance(inside := getattr(module, "_orig_mod", None), nn.Module):
            memo[id(module)] = copy.deepcopy(inside, memo)
    return mode, copy.deepcopy(model, memo)


def _fake(tensor: Tensor, channels_last: bool) -> Tensor:
    empty = torch.empty_strided(
        tensor.size(), tensor.stride(), dtype=tensor.dtype, device=torch.device("cpu")
    )
    if channels_last and tensor.dim() == 4:
        empty = empty.to(memory_format=torch.channels_last)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, requires_grad=tensor.requires_grad)
    return empty
