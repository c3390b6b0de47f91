"""MoCE-IR's block: a router sends each image to an expert as complex as it needs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blocks._complexity_experts import ComplexityExpert, Ranks, expert_parameters, expert_ranks
from blocks._context import Context
from blocks._expert_router import ExpertRouter
from blocks._gated_feed_forward import GatedFeedForward
from blocks._layout import ChannelNorm, check_at_least
from blocks._register import register
from blocks._routing import Routed, choose, combine
from blocks._transposed_attention import CrossTransposedAttention, TransposedAttention, conv1x1

EPSILON = 1e-5  # added to the variance
FIRST_WINDOW = 4  # of the least expert; each has twice that of the one before


@register(
    family="moe",
    source="Zamfir et al. 2025 (MoCE-IR), arXiv:2411.18466, section 3; as its released code",
)
class ComplexityExperts(nn.Module):
    """A shared expert and one of several complexity experts, joined by cross attention.

    x: (B, C, H, W) -> (B, C, H, W).
    n = norm(x); shared = MDTA(conv1x1(n)); routed = conv1x1(sum of gate * expert(conv1x1(n),
    shared)); y = x + cross(routed, shared); out = y + GDFN(norm(y)).
    An expert of rank R and window w: a + conv1x1(FourierAttention(conv1x1(a)) *
    SiLU(conv1x1(shared))); the i-th of n has R = C / 2^(n - i) and w = 2^(i + 1), i from 1.
    The gates are softmax(W mean(a) + V embedding), those of the `active` largest as they are and
    the others 0; an embedding is what the topology gives as context. Cross attention takes
    queries from `routed`, keys and values (7x7) from `shared`, and works between channels.
    Cost: see `macs`, which is that of the most expensive experts; transforms come on top;
    reach: the image.

    Each image is sent on its own, and only experts that some image of the batch asks for are run;
    under torch.compile, in an exported or traced graph and in a captured CUDA graph all are run
    and those not asked for weigh 0. Released code applies, in evaluation, each image's expert to
    the whole batch, which is right for one image only.
    In training, noise of standard deviation 1 / n is added to what the softmax takes; released
    code leaves it on in evaluation (`noise`). With a context and gradients on, the block gives
    the context a loss, (CV^2(importance) + CV^2(load)) / 2, for using experts unevenly; with
    `complexity` an expert's importance is weighted by its parameters, so that equal importance
    means more images for cheap experts. That is the paper's headline; released code has it, but
    the commands it comes with leave it off. The decision is one for the whole image, also where
    means are local.
    Left out: experts of more than one layer, which in released code do the same as of one. Only
    the 1x1 convolutions before the two branches have a bias, and those of FourierAttention's
    depth-wise and last ones.

    Args:
        channels: C; a multiple of heads, at least 2^(experts - 1).
        context: Length of the embedding that the topology gives; 0 for none.
        heads: Attention heads; MoCE-IR has 1, 2, 4 from full resolution downwards.
        experts: How many there are to choose from.
        active: How many an image is sent to.
        expansion: Hidden channels of the feed-forward part, in C, rounded down.
        ranks: spread (C / 8, C / 4, C / 2, C of four experts) or uniform (all have the rank whose
            parameters are nearest to the mean of the spread ones'; windows still differ).
        complexity: Weight an expert's importance, in the loss, by its parameters.
        noise: Add the router's noise in evaluation too, as released code does.
    """

    def __init__(
        self,
        channels: int,
        context: int = 0,
        *,
        heads: int = 4,
        experts: int = 4,
        active: int = 1,
        expansion: float = 2.0,
        ranks: Ranks = "spread",
        complexity: bool = True,
        noise: bool = False,
    ) -> None:
        super().__init__()
        check_at_least("experts", experts)
        self.norm = ChannelNorm(channels, eps=EPSILON)
        self.enter_shared = conv1x1(channels, channels, bias=True)
        self.enter_routed = conv1x1(channels, channels, bias=True)
        self.shared = TransposedAttention(channels, heads, bias=False)
        widths = expert_ranks(ranks, channels, experts)
        self.router = ExpertRouter(
            channels, context, active, _weights(channels, widths, complexity), noise=noise
        )
        self.routed = RoutedExperts(channels, widths, active)
        self.leave_routed = conv1x1(channels, channels, bias=False)
        self.cross = CrossTransposedAttention(channels, heads, bias=False)
        self.mlp_norm = ChannelNorm(channels, eps=EPSILON)
        self.mlp = GatedFeedForward(channels, expansion, bias=False)
        self.channels, self.context = channels, context

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Add both parts in turn, shape unchanged; a loss may go to the context."""
        normed = self.norm(x)
        shared = self.shared(self.enter_shared(normed))
        own = self.enter_routed(normed)
        logits, noisy = self.router(own, self._embedding(context))
        if context is not None and torch.is_grad_enabled():
            context.auxiliary.append(self.router.unevenness(logits, noisy))
        routed = self.leave_routed(self.routed(own, shared, noisy.softmax(dim=1)))
        x = x + self.cross(routed, shared)
        mixed: Tensor = x + self.mlp(self.mlp_norm(x))
        return mixed

    def _embedding(self, context: Context | None) -> Tensor | None:
        if not self.context:
            return None
        embedding = None if context is None else context.embedding
        if embedding is None or embedding.shape[-1] != self.context:
            came = "none" if embedding is None else f"one of {embedding.shape[-1]}"
            raise ValueError(f"moce expects an embedding of length {self.context}; got {came}")
        return embedding

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image, sent to the experts that cost most."""
        return self._fixed_macs(height, width) + self.routed.macs(height, width)

    def expected_macs(self, height: int, width: int) -> float:
        """Multiply-adds for one image where every expert is as likely."""
        return self._fixed_macs(height, width) + self.routed.expected_macs(height, width)

    def _fixed_macs(self, height: int, width: int) -> int:
        """Multiply-adds of all but the experts, for one image."""
        parts = (self.shared, self.cross, self.mlp)
        router = self.routed.experts * (self.channels + self.context)
        joints = 3 * self.channels**2 * height * width
        return router + joints + sum(part.macs(height, width) for part in parts)


class RoutedExperts(Routed):
    """Runs the experts that an image is sent to, and adds up what they return times their scores.

    x, shared: (B, C, H, W), scores: (B, experts) -> (B, C, H, W).

    Args:
        channels: C.
        ranks: Of the experts.
        active: How many an image is sent to.
    """

    def __init__(self, channels: int, ranks: tuple[int, ...], active: int) -> None:
        super().__init__(len(ranks), active)
        each = [
            ComplexityExpert(channels, rank, FIRST_WINDOW * 2**i) for i, rank in enumerate(ranks)
        ]
        self.each = nn.ModuleList(each)
        self._costs = tuple(expert.macs_per_pixel for expert in each)

    def forward(self, x: Tensor, shared: Tensor, scores: Tensor) -> Tensor:
        """Send each image to the experts with its largest scores."""
        mask, whole = choose(self, scores)
        return combine(list(self.each), (x, shared), scores, mask, whole)

    def expert_costs(self) -> tuple[int, ...]:
        """Multiply-adds of each expert for one pixel."""
        return self._costs

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image, of the experts that cost most."""
        return sum(self._costs[expert] for expert in self.dearest()) * height * width

    def expected_macs(self, height: int, width: int) -> float:
        """Multiply-adds for one image where every expert is as likely."""
        return self.active * sum(self._costs) * height * width / self.experts


def _weights(channels: int, ranks: tuple[int, ...], complexity: bool) -> tuple[float, ...]:
    """Of the experts in the importance: their parameters, in terms of the largest's, or 1."""
    if not complexity:
        return (1.0,) * len(ranks)
    parameters = [expert_parameters(channels, rank) for rank in ranks]
    return tuple(count / max(parameters) for count in parameters)
