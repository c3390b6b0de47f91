"""Linear attention in the shape of a Mamba block, knowing where each pixel is (MLLA)."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from blocks._kernel_attention import KernelAttention
from blocks._layout import check_at_least, init_linear, to_grid, to_pixels
from blocks._register import register


@register(
    family="linear_attention",
    source="Han et al. 2024 (MLLA, later MILA), arXiv:2405.16605; as its released code",
)
class MambaLikeLinearAttention(nn.Module):
    """Kernel attention with rotary positions, gated, between depth-wise convolutions; then an MLP.

    x: (B, C, H, W) -> (B, C, H, W).
    x = x + depthwise(x); u = norm(x); gate = SiLU(Linear(u)); v = SiLU(depthwise(Linear(u)));
    q, k = ELU(Linear(v)) + 1; a = q' (k'^T v) / (q sum(k)) in each head, q' and k' turned by row
    and column (rotary embedding); x = x + Linear((a + depthwise(v)) * gate); x = x + depthwise(x);
    out = x + MLP(norm(x)).
    Cost: (5 + 2 mlp_ratio) C^2 + 2 C^2 / heads + 37 C multiply-adds a pixel; reach: the image.
    As released only the numerator is turned, and over all channels, not in each head. The released
    code fixes H and W when it is built, and needs them equal; here angles are computed for what
    comes. The released models have heads of 32 channels.
    Knobs lead from plain linear attention (design "transformer" without rotary, local_position
    and conditional_position) to Mamba and to this block, as in the paper's table. How wide its
    Mamba block was, what its gates were computed from and in which order the forget gate read the
    image it does not say: below is what stands here. Left out: drop path.
    Linear weights start from a normal of 0.02 cut at +-2, biases at 0.

    Args:
        channels: C; a multiple of heads, and of 4 where rotary is on.
        heads: Attention heads, each of C / heads channels.
        mlp_ratio: Hidden channels of the feed-forward part, in C, rounded down.
        design: "mlla" as above; "mamba" the same without the feed-forward part; "transformer"
            without the gate branch, the convolution and SiLU before v, and q and k from u.
        expand: Channels of v and the gate, in C, rounded down; Mamba has 2.
        rotary: Whether queries and keys are turned by position.
        local_position: Whether depthwise(v) is added to what attention gives.
        conditional_position: Whether depthwise(x) is added before and after attention.
        normaliser: Whether attention is divided by what a query gives to all keys; else by their
            number, or by nothing where there is a forget gate.
        multi_head: Whether heads have their own queries and keys; else one of C / heads channels
            for all, as B and C are in Mamba.
        input_gate: Whether v is multiplied by softplus(Linear(Linear(v))), as by Mamba's step.
        forget_gate: Whether attention is a recurrence in raster order that forgets: each head
            keeps exp(-softplus(Linear(v))) of its sums at each pixel, one number where Mamba has
            one for each state, so that it can be computed by chunks as matrices.
        shortcut: Whether v times a number for each channel is added, as Mamba's D.
    """

    def __init__(
        self,
        channels: int,
        *,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        design: Literal["mlla", "mamba", "transformer"] = "mlla",
        expand: float = 1.0,
        rotary: bool = True,
        local_position: bool = True,
        conditional_position: bool = True,
        normaliser: bool = True,
        multi_head: bool = True,
        input_gate: bool = False,
        forget_gate: bool = False,
        shortcut: bool = False,
    ) -> None:
        super().__init__()
        inner, gated = int(expand * channels), design != "transformer"
        check_at_least("expand times channels", inner)
        self.hidden = 0 if design == "mamba" else _hidden(mlp_ratio, channels)
        self.position = _depthwise(channels) if conditional_position else None
        self.norm = nn.LayerNorm(channels)
        self.gate = nn.Linear(channels, inner) if gated else None
        self.enter = nn.Linear(channels, inner)
        self.depthwise = _depthwise(inner) if gated else None
        self.attention = KernelAttention(
            inner if gated else channels,
            inner,
            heads=heads,
            rotary=rotary,
            normaliser=normaliser,
            multi_head=multi_head,
            input_gate=input_gate,
            forget_gate=forget_gate,
            shortcut=shortcut,
        )
        self.local = _depthwise(inner) if local_position else None
        self.leave = nn.Linear(inner, channels)
        self.late_position = _depthwise(channels) if conditional_position else None
        if self.hidden:
            self.mlp_norm = nn.LayerNorm(channels)
            self.mlp = _mlp(channels, self.hidden)
        self.apply(init_linear)
        self.channels, self.inner = channels, inner

    def forward(self, x: Tensor) -> Tensor:
        """Add the parts in turn, shape unchanged."""
        if self.position is not None:
            x = x + self.position(x)
        x = x + to_grid(self._mix(self.norm(to_pixels(x))))
        if self.late_position is not None:
            x = x + self.late_position(x)
        return x + to_grid(self.mlp(self.mlp_norm(to_pixels(x)))) if self.hidden else x

    def _mix(self, normed: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C): attention and what surrounds it."""
        source, value = normed, self.enter(normed)  # (B, H, W, D)
        if self.depthwise is not None:
            source = value = to_pixels(F.silu(self.depthwise(to_grid(value))))
        mixed = self.attention(source, value)
        if self.local is not None:
            mixed = mixed + to_pixels(self.local(to_grid(value)))
        if self.gate is not None:
            mixed = mixed * F.silu(self.gate(normed))
        out: Tensor = self.leave(mixed)
        return out

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        linear = self.channels * (self.inner * (3 if self.gate else 2) + 2 * self.hidden)
        convolutions = (self.position, self.depthwise, self.local, self.late_position)
        depthwise = sum(9 * part.in_channels for part in convolutions if part is not None)
        return height * width * (linear + depthwise) + self.attention.macs(height, width)


def _depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels)


def _hidden(mlp_ratio: float, channels: int) -> int:
    hidden = int(mlp_ratio * channels)
    check_at_least("mlp_ratio times channels", hidden)
    return hidden


def _mlp(channels: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))
