"""Window attention, then one scan over pixels sorted by content: the layer of MambaIRv2."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._attentive_scan import AttentiveScan, Prompt, Prompting
from blocks._layout import check_at_least, init_linear, to_grid, to_pixels
from blocks._register import register
from blocks._window_attention import WindowAttention


@register(
    family="mamba",
    source="Guo et al. 2025 (MambaIRv2), arXiv:2411.15269, attentive layer; as its released code",
)
class AttentiveStateSpace(nn.Module):
    """Attention in windows and an attentive state space, each with a feed-forward part.

    x: (B, C, H, W) -> (B, C, H, W).
    a = x + attend(norm(x)), in windows, shifted by half of one in every second block of a stage,
    with a bias for each relative position; a = a + FFN(norm(a)); z = s1 * x + a;
    b = z + scan(norm(z)); out = s2 * z + b + FFN(norm(b)); s1 and s2 one number for each channel
    that starts at 1e-4.
    scan: each pixel chooses one of T tokens, pixels are sorted by token and scanned once, and the
    token's learnt prompt is added to the scan's C, so that pixels not yet scanned take part.
    FFN, gated: (a, b) = GELU(Linear(x)), Linear(a * depthwise5x5(norm(b))); else
    y = GELU(Linear(x)), Linear(y + GELU(depthwise5x5(y))).
    Cost: see `macs`; with the released light settings attention is half of it, the scan 6 %;
    reach: the image.
    Defaults are those of the light model; S, B and L have ungated feed-forward parts, 16 states,
    128 tokens, rank 64, mlp_ratio 2 and 4, 6 and 6 heads.
    Paper and code differ: the matrix from ranks to states is shared by all blocks in the paper and
    each block's own in the code, as here; prompts should follow their pixels into the sorted
    order, and in the code stay in raster order (`permute_prompt`). The released models keep
    Gumbel noise in evaluation (`noise`), and sort so that pixels of one token come in any order:
    here they keep raster order. Where H or W is not a multiple of the window, only the attention
    fills up, and nothing attends to the filling; the released networks mirror the whole image.
    Along an axis that one window covers nothing is shifted; released code shifts there too.
    The log-softmax before the choice is left out, since it changes neither choice nor gradient.
    Linear weights start from a normal of 0.02 cut at +-2, their biases at 0; convolutions as
    PyTorch makes them; the prompts uniform in +-1/T and +-1/r; the scan as in Mamba.

    Args:
        channels: C; a multiple of heads, at least 3.
        index: How many of these blocks come before this one in its stage; odd ones are shifted.
        window: Side of a window, in pixels.
        heads: Attention heads, each of C / heads channels.
        states: N, states of each scanned channel.
        tokens: T, prompts to choose from.
        rank: r, of the prompts' table.
        mlp_ratio: Scanned channels, and hidden ones of the feed-forward parts, in C, rounded down.
        gated: Whether the feed-forward parts are gated (light) or not (S, B and L).
        shift: Whether windows are shifted in every second block.
        attention: Whether there is window attention; else it and its norm are left out.
        state_space: Whether there is a scan; else it and its norm are left out (the paper's
            "window attention only", which does not say what becomes of the second FFN: it stays).
        prompt: What prompts are added to: C, B, the step before its softplus ("delta") or the
            scan's output ("y"); "none" is a plain state space, and pixels, if sorted, are so by
            a route that never learns. For "delta" and "y" a prompt has one number for each
            scanned channel in place of each state; the paper does not say.
        neighbouring: Whether pixels are sorted by token before the scan.
        permute_prompt: Whether prompts are sorted with their pixels.
        noise: Whether Gumbel noise is added to the choice in evaluation as it is in training.
    """

    def __init__(
        self,
        channels: int,
        index: int = 0,
        *,
        window: int = 16,
        heads: int = 4,
        states: int = 8,
        tokens: int = 64,
        rank: int = 32,
        mlp_ratio: float = 1.0,
        gated: bool = True,
        shift: bool = True,
        attention: bool = True,
        state_space: bool = True,
        prompt: Prompt = "C",
        neighbouring: bool = True,
        permute_prompt: bool = False,
        noise: bool = False,
    ) -> None:
        super().__init__()
        hidden = int(mlp_ratio * channels)
        check_at_least("mlp_ratio times channels", hidden)
        feed_forward = GatedFeedForward if gated else ConvolutionalFeedForward
        self.norm = nn.LayerNorm(channels) if attention else None
        offset = window // 2 if shift and index % 2 else 0
        self.attention = (
            WindowAttention(channels, window=window, heads=heads, shift=offset)
            if attention
            else None
        )
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp = feed_forward(channels, hidden)
        self.scale = nn.Parameter(torch.full((channels,), 1e-4))
        sizes = {"hidden": hidden, "states": states, "tokens": tokens, "rank": rank}
        prompting = Prompting(prompt, neighbouring, permute_prompt, noise)
        self.scan = AttentiveScan(channels, **sizes, prompting=prompting) if state_space else None
        self.late_mlp_norm = nn.LayerNorm(channels)
        self.late_mlp = feed_forward(channels, hidden)
        self.late_scale = nn.Parameter(torch.full((channels,), 1e-4))
        self.apply(init_linear)

    def forward(self, x: Tensor) -> Tensor:
        """Add the four parts in turn; shape unchanged."""
        pixels = to_pixels(x)  # (B, H, W, C)
        y = pixels
        if self.attention is not None and self.norm is not None:
            y = y + self.attention(self.norm(y))
        y = y + self.mlp(self.mlp_norm(y)) + self.scale * pixels
        pixels = y
        if self.scan is not None:
            y = y + self.scan(y)
        y = y + self.late_mlp(self.late_mlp_norm(y)) + self.late_scale * pixels
        return to_grid(y)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        parts = (self.attention, self.mlp, self.scan, self.late_mlp)
        return sum(part.macs(height, width) for part in parts if part is not None)


class GatedFeedForward(nn.Module):
    """One half of the hidden channels gates the other, (B, H, W, C) -> (B, H, W, C).

    Args:
        channels: C.
        hidden: Channels of both halves together, even.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        if hidden % 2:
            raise ValueError(
                "mlp_ratio times channels must be even where the feed-forward part is gated; "
                f"got mlp_ratio times channels={hidden}"
            )
        half = hidden // 2
        self.enter = nn.Linear(channels, hidden)
        self.norm = nn.LayerNorm(half)
        self.depthwise = nn.Conv2d(half, half, 5, padding=2, groups=half)
        self.leave = nn.Linear(half, channels)
        self.per_pixel = hidden * channels + half * (25 + channels)

    def forward(self, pixels: Tensor) -> Tensor:
        """Feed (B, H, W, C) forward."""
        value, gate = F.gelu(self.enter(pixels)).chunk(2, dim=-1)
        gate = to_pixels(self.depthwise(to_grid(self.norm(gate))))
        out: Tensor = self.leave(value * gate)
        return out

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        return self.per_pixel * height * width


class ConvolutionalFeedForward(nn.Module):
    """A depth-wise convolution beside the hidden channels, (B, H, W, C) -> (B, H, W, C).

    Args:
        channels: C.
        hidden: Hidden channels.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.enter = nn.Linear(channels, hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 5, padding=2, groups=hidden)
        self.leave = nn.Linear(hidden, channels)
        self.per_pixel = hidden * (2 * channels + 25)

    def forward(self, pixels: Tensor) -> Tensor:
        """Feed (B, H, W, C) forward."""
        y = F.gelu(self.enter(pixels))
        y = y + F.gelu(to_pixels(self.depthwise(to_grid(y))))
        out: Tensor = self.leave(y)
        return out

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        return self.per_pixel * height * width
