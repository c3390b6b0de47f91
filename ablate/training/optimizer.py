"""The optimiser that a training asks for, and the averaged weights that may be evaluated."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ablate.mix import Training


def make_optimizer(model: nn.Module, settings: Training) -> torch.optim.Optimizer:
    """Adam or AdamW over all trainable parameters.

    Weight decay falls on every parameter, norms and biases too, as in the released trainings of
    Restormer and NAFNet.
    """
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return kind(
        trainable,
        lr=settings.rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=True,
    )


class Average:
    """An exponential moving average of a network's parameters and buffers.

    After n updates the decay is min(decay, (1 + n) / (10 + n)), so that the first weights are
    soon forgotten. Buffers (batch norm's statistics) are averaged too; whole numbers are copied.

    Args:
        model: The network; it must not be moved or recast afterwards.
        decay: Below 1; the share of the old average that is kept.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._live = [*model.parameters(), *model.buffers()]
        self._mean = [tensor.detach().clone() for tensor in self._live]
        self._decay = decay
        self.updates = 0  # so far

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        self.updates += 1
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        for mean, live in zip(self._mean, self._live, strict=True):
            if mean.is_floating_point():
                mean.lerp_(live, 1 - decay)
            else:
                mean.copy_(live)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The averages themselves, by number: what is written into them is the average."""
        return {str(number): mean for number, mean in enumerate(self._mean)}

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the network's weights and the averaged ones; twice is as if never."""
        for mean, live in zip(self._mean, self._live, strict=True):
            kept = live.clone()
            live.copy_(mean)
            mean.copy_(kept)
