"""What a network's memory is asked for: an inference call, and a training step as trials do it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.utils._pytree import tree_leaves

from ablate.mix import Training
from ablate.network import scale_of
from ablate.profiling._storage import Phase
from ablate.profiling.inputs import cast
from ablate.training.losses import total_loss
from ablate.training.optimizer import make_optimizer


def state(model: nn.Module) -> Iterator[Tensor]:
    """Parameters and buffers."""
    return chain(model.parameters(), model.buffers())


def infer(model: nn.Module, image: Tensor, precision: str) -> object:
    """One inference call; what the network returns."""
    with torch.no_grad(), cast(image.device.type, precision):
        return model(image)


class TrainingStep:
    """A step after the first one: the optimiser has its moments already.

    Attributes:
        moments: What the optimiser keeps.
        averages: A copy of the network's state where averaged weights are evaluated.
        images: The degraded crops and, for our networks, the clean ones.

    Args:
        model: The network, in training mode, on its device. One whose `forward` takes no request
            is trained to make the mean absolute value of whatever it returns small.
        image: (B, C, H, W), degraded crops.
        settings: The recipe.
    """

    def __init__(self, model: nn.Module, image: Tensor, settings: Training) -> None:
        self._model, self._settings = model, settings
        self._asks = "request" in inspect.signature(model.forward).parameters
        self._optimizer = make_optimizer(model, settings) if list(_trained(model)) else None
        self._fill_moments()
        self.moments = tuple(
            leaf
            for leaf in tree_leaves(dict(self._optimizer.state) if self._optimizer else {})
            if isinstance(leaf, Tensor)
        )
        kept = state(model) if settings.ema else ()
        self.averages = tuple(tensor.detach().clone() for tensor in kept)
        self._image = image
        self._clean = image.new_empty(_larger(image.shape, scale_of(model)))
        self._clean.uniform_()
        self.images = (image, self._clean) if self._asks else (image,)

    def __call__(self, enter: Callable[[Phase], None]) -> None:
        """Do the step; `enter` is told when each phase begins."""
        enter("forward")
        with cast(self._image.device.type, self._settings.precision):
            outputs = self._outputs()
        loss = self._loss(outputs)
        enter("backward")
        loss.backward()  # type: ignore[no-untyped-call]
        enter("optimiser")
        self._update()

    def _fill_moments(self) -> None:
        if self._optimizer is None:
            return
        for parameter in _trained(self._model):
            parameter.grad = torch.zeros_like(parameter)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def _outputs(self) -> object:
        if self._asks:
            return self._model(self._image, ("scales", "auxiliary"))
        return self._model(self._image)

    def _loss(self, outputs: object) -> Tensor:
        if self._asks:
            assert isinstance(outputs, dict)
            return total_loss(outputs, self._clean, self._settings)
        leaves = (leaf for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor))
        return torch.stack([leaf.float().abs().mean() for leaf in leaves]).sum()

    def _update(self) -> None:
        if self._optimizer is None:
            return
        given = [p for p in self._model.parameters() if p.grad is not None]
        norm = get_total_norm([p.grad for p in given if p.grad is not None])
        if self._settings.clip:
            clip_grads_with_norm_(given, self._settings.clip, norm)
        self._optimizer.step()


def _trained(model: nn.Module) -> Iterator[nn.Parameter]:
    return (parameter for parameter in model.parameters() if parameter.requires_grad)


def _larger(shape: tuple[int, ...], scale: int) -> tuple[int, ...]:
    *rest, height, width = shape
    return (*rest, scale * height, scale * width)
