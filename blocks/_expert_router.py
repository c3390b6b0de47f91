"""Scores the experts for each image, and says how unevenly they are used."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import widened
from blocks._precision import full_precision

TINY = 1e-8  # keeps the coefficient of variation from dividing by 0


class ExpertRouter(nn.Module):
    """One score for each expert and image, from the mean of the features and an embedding.

    x: (B, C, H, W), embedding: (B, E) -> logits (B, experts), without and with noise.
    logits = W mean(x) + V embedding; the noise has a standard deviation of 1 / experts.
    loss = (CV^2(importance) + CV^2(load)) / 2, where CV is the standard deviation over the
    experts in terms of their mean; importance = weight * sum over the images of softmax(logits);
    load = mean over the images of the probability that noise would lift a logit to the last one
    chosen.
    Computed in float32: small differences decide.

    Args:
        channels: C.
        context: E; 0 for none.
        active: How many experts are chosen.
        weights: Of the experts, in the importance.
        noise: Whether there is noise in evaluation too.
    """

    def __init__(
        self, channels: int, context: int, active: int, weights: Sequence[float], *, noise: bool
    ) -> None:
        super().__init__()
        experts = len(weights)
        self.gate = nn.Linear(channels, experts, bias=False)
        self.context_gate = nn.Linear(context, experts, bias=False) if context else None
        self.active, self.weights, self.noise = active, tuple(weights), noise
        self.deviation = 1 / experts

    def forward(self, x: Tensor, embedding: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logits without and with noise, (B, experts) each."""
        means = x.mean((2, 3), dtype=torch.promote_types(x.dtype, torch.float32))  # (B, C)
        with full_precision(x):
            logits = F.linear(means, widened(self.gate.weight))
            if self.context_gate is not None and embedding is not None:
                logits = logits + F.linear(widened(embedding), widened(self.context_gate.weight))
        if not (self.training or self.noise):
            return logits, logits
        return logits, logits + self.deviation * torch.randn_like(logits)

    def unevenness(self, logits: Tensor, noisy: Tensor) -> Tensor:
        """The loss, a scalar."""
        if len(self.weights) == 1:
            return logits.new_zeros(())
        importance = logits.softmax(dim=1).sum(0) * logits.new_tensor(self.weights)
        least = noisy.topk(self.active, dim=1).values[:, -1:]  # (B, 1)
        load = torch.special.ndtr((logits - least) / self.deviation).mean(0)
        return (_squared_variation(importance) + _squared_variation(load)) / 2


def _squared_variation(values: Tensor) -> Tensor:
    """The variance of (experts,) in terms of the squared mean."""
    return values.var() / (values.mean() + TINY).square()
