"""What any network returns: the tensors in it, found without computing where that can be."""

from __future__ import annotations

import copy
import re

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten_with_path, tree_leaves

from ablate.foreign.files import ForeignError, one_line
from ablate.foreign.networks import required
from ablate.profiling._replica import replica


def outputs_of(model: nn.Module, shape: tuple[int, ...], label: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors that a network returns, by their place in what it returns.

    Found without computing; a network whose shapes hang on values is run once.

    Args:
        model: The network; it is not changed.
        shape: Of the image: (batch, channels, height, width).
        label: What the network is called in messages.

    Raises:
        ForeignError: It cannot take such an image alone, or returns no tensor.
    """
    try:
        output = _without_computing(model, shape)
    except Exception:
        output = _computed(model, shape, label)
    leaves = tree_flatten_with_path(output)[0]
    found = {_place(path): tuple(x.shape) for path, x in leaves if isinstance(x, Tensor)}
    if not found:
        raise ForeignError(f"{label}: returns no tensor; got {type(output).__name__}")
    return found


def _without_computing(model: nn.Module, shape: tuple[int, ...]) -> object:
    fake, twin = replica(model)
    with torch.no_grad(), fake:
        return twin.eval()(torch.empty(shape))


def _computed(model: nn.Module, shape: tuple[int, ...], label: str) -> object:
    twin = copy.deepcopy(model).eval()
    device = next(twin.parameters(), torch.empty(0)).device
    try:
        with torch.no_grad():
            return twin(torch.rand(shape, device=device))
    except Exception as error:
        raise ForeignError(f"{label}: {_refused(twin, shape, error)}") from error


def first_tensor(output: object) -> Tensor:
    """What a network returns, or the image of what it returns, or the first tensor in it.

    Raises:
        ForeignError: There is none.
    """
    if isinstance(output, dict) and isinstance(output.get("image"), Tensor):
        image: Tensor = output["image"]
        return image
    for leaf in tree_leaves(output):
        if isinstance(leaf, Tensor):
            return leaf
    raise ForeignError(f"expected a network that returns a tensor; got {type(output).__name__}")


def _refused(model: nn.Module, shape: tuple[int, ...], error: Exception) -> str:
    wanted = list(required(model.forward))[1:]
    if wanted:
        return (
            f"forward wants {', '.join(wanted)} beside the image; profile a module around it that "
            "takes the image alone"
        )
    image = "x".join(str(side) for side in shape[1:])
    return f"cannot take an image of {image}: {one_line(error)}"


def _place(path: tuple[object, ...]) -> str:
    """image, scales.0: keys of a tree without their brackets; "" for the output itself."""
    return ".".join(re.sub(r"[\[\]']", "", str(key)).lstrip(".") for key in path)
