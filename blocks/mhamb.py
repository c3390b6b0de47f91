"""M3SNet's middle block: attention between channels, and nothing around it."""

from __future__ import annotations

from torch import Tensor, nn

from blocks._register import register
from blocks._transposed_attention import TransposedAttention


@register(
    family="attention",
    source="Gao et al. 2023 (M3SNet), arXiv:2305.05146, MHAMB; as its released code",
)
class MiddleAttention(nn.Module):
    """Channels attend to channels of their head, by how alike they are over the image.

    x: (B, C, H, W) -> (B, C, H, W).
    q, k, v = depthwise3x3(conv1x1(x)); out = conv1x1(softmax(temperature * cosine(q, k)) v) in
    each head of d = C / heads channels: a d x d matrix, whatever H and W. The temperature is
    learned, one for each head, from 1.
    Cost: 4 C^2 + 27 C + 2 C^2 / heads multiply-adds a pixel; reach: the image.
    This is the attention of `mdta_gdfn` alone. As released and as drawn there is no norm, no
    residual and no feed-forward part: what leaves the block is attention only, so it stands where
    skips lead around it, as in the middle of an encoder-decoder. With as many heads as channels
    each channel attends to itself alone, and q and k do nothing. No convolution has a bias.

    Args:
        channels: C; a multiple of heads.
        heads: Attention heads, each of C / heads channels.
    """

    def __init__(self, channels: int, *, heads: int = 8) -> None:
        super().__init__()
        self.attention = TransposedAttention(channels, heads, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels, shape unchanged."""
        mixed: Tensor = self.attention(x)
        return mixed

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        return self.attention.macs(height, width)
