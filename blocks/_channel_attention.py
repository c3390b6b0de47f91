"""Channel attention as squeeze-and-excitation networks have it: channels scaled by what is seen."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import check_at_least
from blocks._pooling import GlobalMean


class ChannelAttention(nn.Module):
    """Scales each channel by a number in (0, 1) that is computed from the means of all channels.

    x: (B, C, H, W) -> (B, C, H, W).
    out = x * sigmoid(conv1x1(ReLU(conv1x1(mean of x over H, W)))), S channels inside, with biases.
    Cost: 2 C S multiply-adds an image; reach: the image, or the window of a local mean.
    Source: Hu et al. 2018, arXiv:1709.01507, section 3, as 1x1 convolutions.

    Args:
        channels: C; any.
        squeezed: S, channels between the two convolutions.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        check_at_least("squeezed channels", squeezed)
        self.mean = GlobalMean()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of (B, C, H, W)."""
        weight: Tensor = self.excite(F.relu(self.squeeze(self.mean(x)))).sigmoid()
        return x * weight

    def macs(self) -> int:
        """Multiply-adds for one image, whatever its size."""
        return 2 * self.squeeze.in_channels * self.squeeze.out_channels
