"""Residual channel attention block: two convolutions whose channels are weighed (RCAN)."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from blocks._channel_attention import ChannelAttention
from blocks._layout import check_at_least
from blocks._register import register


@register(
    family="cnn", source="Zhang et al. 2018 (RCAN), arXiv:1807.02758, section 3.3; as its code"
)
class ResidualChannelAttention(nn.Module):
    """Two dense 3x3 convolutions, scaled channel by channel by what the whole image holds.

    x: (B, C, H, W) -> (B, C, H, W).
    a = conv3x3(ReLU(conv3x3(x)));
    out = x + a * sigmoid(conv1x1(ReLU(conv1x1(mean of a over H, W)))).
    Cost: 18 C^2 H W multiply-adds; reach: 5 x 5 pixels, and the image through the mean.
    No norm, no activation after the sum, no factor on the branch; all convolutions have a bias
    and start as PyTorch makes them. The mean can be local (TLC): an option of the topology.

    Args:
        channels: C; any.
        reduction: Channels per channel between the two layers of the attention, C / reduction
            rounded down, at least 1.
        attention: none leaves a plain residual block, the paper's ablation.
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        attention: Literal["channel", "none"] = "channel",
    ) -> None:
        super().__init__()
        check_at_least("reduction", reduction)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        squeezed = max(channels // reduction, 1)
        self.attention = ChannelAttention(channels, squeezed) if attention == "channel" else None
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """Add what the convolutions found, shape unchanged."""
        y: Tensor = self.second(F.relu(self.first(x)))
        return x + (y if self.attention is None else self.attention(y))

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        attention = 0 if self.attention is None else self.attention.macs()
        return 18 * self.channels**2 * height * width + attention
