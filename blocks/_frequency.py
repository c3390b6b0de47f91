"""What routers of MoCE-IR look at: how much detail an image has, as one vector."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FrequencyEmbedding(nn.Module):
    """The mean of what a high-pass filter lets through, embedded.

    x: (B, C, H, W) -> (B, C).
    out = Linear(GELU(Linear(mean over H, W of GELU(highpass(x))))), of 2 C hidden features.
    highpass is a 3x3 depth-wise convolution without bias that starts as the Laplacian of eight
    neighbours: 8 in the middle, -1 around.
    Cost: 9 C multiply-adds a pixel and 4 C^2 an image.
    Source: Zamfir et al. 2025 (MoCE-IR), arXiv:2411.18466; as its released code. The paper has a
    frozen filter (Sobel); released code means to freeze it, but trains it, as here.

    Args:
        channels: C of the features, and length of the embedding.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.highpass = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )
        self.channels = channels
        with torch.no_grad():
            self.highpass.weight.fill_(-1.0)
            self.highpass.weight[:, :, 1, 1] = 8.0

    def forward(self, x: Tensor) -> Tensor:
        """Embed each of the images."""
        detail = F.gelu(self.highpass(x)).mean((2, 3))  # (B, C)
        embedded: Tensor = self.mlp(detail)
        return embedded

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        return 9 * self.channels * height * width + 4 * self.channels**2
