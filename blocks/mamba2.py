"""State-space duality, the selective scan of Mamba-2: one decay a head, computed as matrices."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import check_at_least, init_linear, to_grid, to_pixels
from blocks._register import register
from blocks._scan_parameters import initial_step_bias
from blocks._state_space_duality import dual_scan, dual_scan_macs

LINE = 4  # pixels of the 1-D convolution


@register(
    family="mamba", source="Mamba-2, Dao and Gu 2024, arXiv:2405.21060, section 7; 2-D as in VMamba"
)
class StateSpaceDuality(nn.Module):
    """A scan along the rows whose heads each forget as one, gated and normed.

    x: (B, C, H, W) -> (B, C, H, W).
    z, a, B, C, step = Linear(norm(x)), of D, D, N, N, D / head_dim channels;
    a, B, C = SiLU(depthwise(a, B, C)); step = softplus(step + bias); in each head
    h_t = exp(step_t A) h_(t-1) + step_t a_t B_t^T, y_t = h_t C_t + skip a_t;
    out = x + Linear(RMSNorm(y * SiLU(z))).
    Against Mamba's scan the decay is one number a head and not one for each channel and state, so
    that steps of a chunk are matrix products, like attention with a decay for a softmax.
    Cost: see `macs`; chunk (N + D) + 2 N D multiply-adds a pixel and direction in the scan, and
    the last chunk is filled up; reach: the image, from what comes before in raster order or, in
    two directions, all of it.
    The block of the language model has a causal convolution over 4 tokens ("1d" here, along the
    raster order) where restorers that took it over look at 3 x 3 pixels, an RMSNorm in front
    where this has a LayerNorm, 128 states and 64 channels a head: the defaults here are those of
    the other scans, for narrow networks. B and C are shared by all heads, as there. Backwards the
    scan has A, step, B and C of its own. Linear weights start from a normal of 0.02 cut at +-2, as
    in VMamba: since the norm comes after the gate, PyTorch's own start would add more than is
    there. Convolutions start as PyTorch has them, A from -16 to -1 at random, step sizes as in
    Mamba; decays are computed in float32.

    Args:
        channels: C; a multiple of head_dim once expanded.
        states: N, states of each scanned channel.
        head_dim: Scanned channels of a head, which forget alike.
        expand: D, scanned channels, in C, rounded down.
        directions: 1: from the top left; 2: and from the bottom right, summed.
        convolution: Depth-wise, before the scan. "2d": 3 x 3 pixels; "1d": a pixel and the three
            before it in raster order.
        chunk: Pixels whose products are taken at once; what is computed does not depend on it.
    """

    def __init__(
        self,
        channels: int,
        *,
        states: int = 16,
        head_dim: int = 16,
        expand: float = 2.0,
        directions: Literal[1, 2] = 1,
        convolution: Literal["2d", "1d"] = "2d",
        chunk: int = 32,
    ) -> None:
        super().__init__()
        inner = int(expand * channels)
        check_at_least("states", states)
        check_at_least("head_dim", head_dim)
        check_at_least("chunk", chunk, 2)
        check_at_least("expand times channels", inner)
        heads = _heads(inner, head_dim)
        mixed = inner + directions * 2 * states
        self.norm = nn.LayerNorm(channels)
        self.enter = nn.Linear(channels, inner + mixed + directions * heads, bias=False)
        self.depthwise = _depthwise(mixed, convolution)
        self.step_bias = nn.Parameter(initial_step_bias(directions * heads))
        rates = torch.empty(directions * heads).uniform_(1, 16)
        self.log_rate = nn.Parameter(rates.log())  # A = -exp(log_rate)
        self.skip = nn.Parameter(torch.ones(heads))
        self.gated_norm = nn.RMSNorm(inner, eps=1e-5)
        self.leave = nn.Linear(inner, channels, bias=False)
        self.apply(init_linear)
        self.channels, self.states, self.chunk = channels, states, chunk
        self.inner, self.mixed, self.heads, self.directions = inner, mixed, heads, directions

    def forward(self, x: Tensor) -> Tensor:
        """Add the scan; shape unchanged."""
        pixels = to_pixels(x)  # (B, H, W, C)
        normed = self.norm(pixels)
        sizes = [self.inner, self.mixed, self.directions * self.heads]
        gate, mixed, step = (
            F.linear(normed, weight) for weight in torch.split(self.enter.weight, sizes)
        )
        y = self._scan(self._convolve(mixed), step.flatten(1, 2)).view(gate.shape)
        gated = (y * F.silu(gate)).to(self.gated_norm.weight.dtype)
        return to_grid(pixels + self.leave(self.gated_norm(gated)))

    def _convolve(self, pixels: Tensor) -> Tensor:
        """(B, H, W, M) -> (B, H W, M), SiLU after it."""
        if isinstance(self.depthwise, nn.Conv2d):
            return F.silu(to_pixels(self.depthwise(to_grid(pixels))).flatten(1, 2))
        line = F.pad(pixels.flatten(1, 2).transpose(1, 2), (LINE - 1, 0))
        return F.silu(self.depthwise(line)).transpose(1, 2)

    def _scan(self, mixed: Tensor, step: Tensor) -> Tensor:
        """(B, L, M), (B, L, directions heads) -> (B, L, heads, P)."""
        sizes = [self.inner] + 2 * self.directions * [self.states]
        values, *projections = torch.split(mixed, sizes, dim=2)
        values = values.reshape(*values.shape[:2], self.heads, -1)
        step = F.softplus(step.to(self.step_bias.dtype) + self.step_bias)
        steps, decays = step.chunk(self.directions, 2), (-step * self.log_rate.exp())
        y = values * self.skip.unsqueeze(1)
        for k, log_decay in enumerate(decays.chunk(self.directions, 2)):
            inflow = (values * steps[k].unsqueeze(3)).to(values.dtype)
            along = (inflow, log_decay, *projections[2 * k : 2 * k + 2])
            y = y + self._along(along, backwards=k == 1)
        return y

    def _along(self, inputs: tuple[Tensor, ...], backwards: bool) -> Tensor:
        if not backwards:
            return dual_scan(*inputs, chunk=self.chunk)
        return dual_scan(*(part.flip(1) for part in inputs), chunk=self.chunk).flip(1)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        length = height * width
        taps = self.depthwise.weight[0].numel() * self.mixed
        linear = self.enter.weight.numel() + self.leave.weight.numel()
        scan = dual_scan_macs(length, self.inner, self.states, self.chunk)
        return (linear + taps) * length + self.directions * scan


def _heads(inner: int, head_dim: int) -> int:
    if inner % head_dim:
        raise ValueError(
            "expand times channels must be a multiple of head_dim; "
            f"got expand times channels={inner}, head_dim={head_dim}"
        )
    return inner // head_dim


def _depthwise(channels: int, convolution: Literal["2d", "1d"]) -> nn.Conv2d | nn.Conv1d:
    if convolution == "2d":
        return nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
    return nn.Conv1d(channels, channels, LINE, groups=channels)
