"""A selective scan over the pixels of a grid along one or several paths (the SS2D of VMamba)."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import check_at_least, to_grid, to_pixels
from blocks._paths import RASTER, Path, Walk, roll, tables, unroll
from blocks._pooling import GlobalMean
from blocks._scan_parameters import initial_step_bias, uniform
from blocks.scan import follows_paths, selective_scan, selective_scan_paths

Merge = Literal["sum", "shuffle"]


class DirectionalScan(nn.Module):
    """Projects pixels up, scans them along each path, merges, norms, gates and projects back.

    x: (B, H, W, C) -> (B, H, W, C).
    a, z = Linear(x), D = int(expand * C) channels each; a = SiLU(depthwise3x3(a)); on each path
    (delta, B, C) = Linear(a) with ranks R = ceil(C / 16), N, N, step = softplus(Linear(delta)),
    h_t = exp(step A) h_(t-1) + step B a_t, y_t = C h_t + skip a_t; the paths' y are merged, pixel
    by pixel; out = Linear(norm(y) * SiLU(z)).
    Cost: 9 N + 1 multiply-adds for each pixel, path and one of D channels in the scan, by the
    literature's rule, and the projections; reach: the image, along the paths.

    Args:
        channels: C; any.
        paths: From which sides the image is walked through.
        states: N, states of each channel.
        expand: Scanned channels, in C, rounded down.
        walk: The order in which pixels are visited.
        merge: "sum": the paths are added up; "shuffle": weighted by `ShuffleAttention` before.
    """

    def __init__(
        self,
        channels: int,
        paths: tuple[Path, ...],
        *,
        states: int = 16,
        expand: float = 2.0,
        walk: Walk = RASTER,
        merge: Merge = "sum",
    ) -> None:
        super().__init__()
        inner, rank, count = int(expand * channels), math.ceil(channels / 16), len(paths)
        check_at_least("states", states)
        check_at_least("expand times channels", inner)
        self.enter = nn.Linear(channels, 2 * inner, bias=False)
        self.depthwise = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.select = nn.Parameter(uniform(inner**-0.5, count, rank + 2 * states, inner))
        self.step = nn.Parameter(uniform(rank**-0.5, count, inner, rank))
        self.step_bias = nn.Parameter(initial_step_bias(count * inner))
        rates = torch.arange(1, states + 1, dtype=torch.float32).log()
        self.log_rate = nn.Parameter(rates.repeat(count * inner, 1))  # A = -exp(log_rate)
        self.skip = nn.Parameter(torch.ones(count * inner))
        self.attention = ShuffleAttention(inner, count) if merge == "shuffle" else None
        self.norm = nn.LayerNorm(inner)
        self.leave = nn.Linear(inner, channels, bias=False)
        self.paths, self.walk, self.states = paths, walk, states
        self.channels, self.inner, self.rank = channels, inner, rank

    def forward(self, x: Tensor) -> Tensor:
        """Scan (B, H, W, C); shape unchanged."""
        # One projection as two, so that neither half is a strided view that others must copy.
        scanned, gate = (F.linear(x, half) for half in self.enter.weight.chunk(2))
        y = self._along_paths(F.silu(self.depthwise(to_grid(scanned))))  # (B, paths, D, H, W)
        if self.attention is not None:
            y = self.attention(y)
        merged = y.sum(1) if len(self.paths) > 1 else y.squeeze(1)  # (B, D, H, W)
        out: Tensor = self.leave(self.norm(to_pixels(merged).to(x.dtype)) * F.silu(gate))
        return out

    def _along_paths(self, grid: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, paths, D, H, W): each path's y, where its pixels are."""
        if len(self.paths) > 1 and follows_paths(grid.device):
            return self._scan_in_place(grid)
        sequences = unroll(grid, self.walk, self.paths)  # (B, paths, D, L)
        steps, write, read = self._parts(self.select @ sequences)
        given = (sequences.flatten(1, 2), steps.flatten(1, 2), -self.log_rate.exp(), write, read)
        y = selective_scan(*given, self.skip, self.step_bias).reshape(sequences.shape)
        return roll(y, self.walk, self.paths, grid)

    def _scan_in_place(self, grid: Tensor) -> Tensor:
        """The same where a kernel follows the paths: no sequence of pixels is ever made."""
        pixels = grid.flatten(2)  # (B, D, L)
        selected = self.select.flatten(0, 1) @ pixels  # of all paths, from the one copy
        by_path = (pixels.shape[0], *self.select.shape[:2], pixels.shape[-1])
        steps, write, read = self._parts(selected.view(by_path))
        visited = tables(self.walk, self.paths, grid)[0].squeeze(1)
        given = (pixels, steps, -self.log_rate.exp(), write, read, self.skip, self.step_bias)
        y = selective_scan_paths(*given, visited=visited)
        return y.reshape(*y.shape[:3], *grid.shape[-2:])

    def _parts(self, selected: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, paths, R + 2 N, L) -> delta (B, paths, D, L), B and C."""
        ranks = [self.rank, self.states, self.states]
        steps, write, read = torch.split(selected, ranks, dim=2)
        return self.step @ steps, write, read

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        projections = self.inner * (3 * self.channels + 9)
        selection = self.inner * (2 * self.rank + 2 * self.states)
        scan = self.inner * (9 * self.states + 1)
        pixel = projections + len(self.paths) * (selection + scan)
        return pixel * height * width + (self.attention.macs() if self.attention else 0)


class ShuffleAttention(nn.Module):
    """Weighs the paths of each channel by a number in (0, 1) computed from their means.

    y: (B, paths, D, H, W) -> (B, paths, D, H, W).
    weight = sigmoid(M_d m_d + b_d) for each channel d, m_d the means of its paths over H, W.
    Source: MaIR, Li et al. 2024, arXiv:2412.20066, sequence shuffle attention: what is a
    convolution in as many groups as channels there, on a tensor shuffled so that the paths of a
    channel are neighbours, hence the name.

    Args:
        channels: D.
        paths: How many.
    """

    def __init__(self, channels: int, paths: int) -> None:
        super().__init__()
        self.mean = GlobalMean()
        self.weigh = nn.Conv2d(paths * channels, paths * channels, 1, groups=channels)

    def forward(self, y: Tensor) -> Tensor:
        """Scale each path of each channel."""
        means = self.mean(y.flatten(1, 2)).unflatten(1, y.shape[1:3])  # (B, paths, D, 1, 1)
        weights = self.weigh(means.transpose(1, 2).flatten(1, 2)).sigmoid()
        weighted: Tensor = y * weights.unflatten(1, (y.shape[2], y.shape[1])).transpose(1, 2)
        return weighted

    def macs(self) -> int:
        """Multiply-adds for one image, whatever its size."""
        return self.weigh.weight.numel()
