"""Batches that pass a network in parts, so that they fit into memory, and what that changes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ablate.mix import Training
from ablate.training.losses import losses
from ablate.training.randomness import undisturbed


def in_parts(degraded: Tensor, clean: Tensor, micro: int) -> Iterator[tuple[Tensor, Tensor, float]]:
    """A batch in parts of at most `micro` images, each with its share of the batch.

    Losses are means over images, so the gradients of the losses, each times its share, add up to
    the gradient of the whole batch's.

    Args:
        degraded: (B, 3, h, w).
        clean: (B, 3, H, W).
        micro: Images in a part; 0 gives the whole batch.
    """
    count = len(degraded)
    if not 0 < micro < count:
        yield degraded, clean, 1.0
        return
    for at in range(0, count, micro):
        image = degraded[at : at + micro]
        yield image, clean[at : at + micro], len(image) / count


def batch_bound(model: nn.Module, settings: Training, crop: Tensor) -> tuple[str, ...]:
    """What makes gradients depend on which images pass the network together.

    Where there is such a thing, a training in micro-batches is another training. Random numbers
    (dropout, noise of a router) are not counted: they are others, but no worse.

    Args:
        model: On the device of the crop; left as it is.
        settings: Its losses are looked at.
        crop: A degraded image, (1, 3, h, w).

    Returns:
        In words, each once; empty where nothing is of that kind.
    """
    kinds = (type(module).__name__ for module in model.modules() if _has_batch_statistics(module))
    own = ["losses of the blocks' own"] if _adds_losses(model, crop) else []
    uneven = [
        f"loss {name}" for name, _ in settings.loss if not _is_mean_over_images(name, settings.crop)
    ]
    return tuple(dict.fromkeys((*kinds, *own, *uneven)))


def _has_batch_statistics(module: nn.Module) -> bool:
    if isinstance(module, nn.modules.instancenorm._InstanceNorm):
        return bool(module.track_running_stats)  # a step in parts moves them several times
    return "batchnorm" in type(module).__name__.lower()


def _adds_losses(model: nn.Module, crop: Tensor) -> bool:
    was_training = model.training
    with undisturbed(crop.device), torch.enable_grad():  # without gradients blocks add none
        model.eval()
        found = bool(model(crop, ("auxiliary",)).get("auxiliary"))
    model.train(was_training)
    return found


def _is_mean_over_images(name: str, side: int) -> bool:
    """Whether the loss of four images is the mean of theirs, tried out on noise."""
    generator = torch.Generator().manual_seed(0)
    restored, clean = torch.rand(2, 4, 3, side, side, generator=generator)
    loss = losses[name].make
    single = [loss(restored[i : i + 1], clean[i : i + 1]).item() for i in range(4)]
    return math.isclose(loss(restored, clean).item(), sum(single) / 4, rel_tol=1e-4)
