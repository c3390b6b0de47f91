"""A selective scan over the pixels of a grid along one or several paths (the SS2D of VMamba)."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import check_at_least, to_grid, to_pixels
from blocks.scan import selective_scan

Path = Literal["rows", "columns", "rows_back", "columns_back"]

STEP_RANGE = (1e-3, 1e-1)  # of the step sizes at the start, log-uniform
STEP_FLOOR = 1e-4


class DirectionalScan(nn.Module):
    """Projects pixels up, scans them along each path, sums, norms, gates and projects back.

    x: (B, H, W, C) -> (B, H, W, C).
    a, z = Linear(x), D = expand * C channels each; a = SiLU(depthwise3x3(a)); on each path
    (delta, B, C) = Linear(a) with ranks R = ceil(C / 16), N, N, step = softplus(Linear(delta)),
    h_t = exp(step A) h_(t-1) + step B a_t, y_t = C h_t + skip a_t; the paths' y are summed in
    raster order; out = Linear(norm(y) * SiLU(z)).
    Cost: 9 N + 1 multiply-adds for each pixel, path and one of D channels in the scan, by the
    literature's rule, and the projections; reach: the image, along the paths.

    Args:
        channels: C; any.
        paths: The orders in which pixels are visited.
        states: N, states of each channel.
        expand: Scanned channels, in C.
    """

    def __init__(
        self, channels: int, paths: tuple[Path, ...], *, states: int = 16, expand: int = 2
    ) -> None:
        super().__init__()
        check_at_least("states", states)
        check_at_least("expand", expand)
        inner, rank, count = expand * channels, math.ceil(channels / 16), len(paths)
        self.enter = nn.Linear(channels, 2 * inner, bias=False)
        self.depthwise = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.select = nn.Parameter(_uniform(inner**-0.5, count, rank + 2 * states, inner))
        self.step = nn.Parameter(_uniform(rank**-0.5, count, inner, rank))
        self.step_bias = nn.Parameter(_initial_step_bias(count * inner))
        rates = torch.arange(1, states + 1, dtype=torch.float32).log()
        self.log_rate = nn.Parameter(rates.repeat(count * inner, 1))  # A = -exp(log_rate)
        self.skip = nn.Parameter(torch.ones(count * inner))
        self.norm = nn.LayerNorm(inner)
        self.leave = nn.Linear(inner, channels, bias=False)
        self.paths, self.states = paths, states
        self.channels, self.inner, self.rank = channels, inner, rank

    def forward(self, x: Tensor) -> Tensor:
        """Scan (B, H, W, C); shape unchanged."""
        height, width = x.shape[1:3]
        # One projection as two, so that neither half is a strided view that others must copy.
        scanned, gate = (F.linear(x, half) for half in self.enter.weight.chunk(2))
        grid = F.silu(self.depthwise(to_grid(scanned)))  # (B, D, H, W)
        y = self._scan(torch.stack([_unroll(grid, path) for path in self.paths], dim=1))
        first, *others = (_roll(y[:, k], p, height, width) for k, p in enumerate(self.paths))
        summed = to_pixels(sum(others, start=first)).to(x.dtype)  # (B, H, W, D)
        out: Tensor = self.leave(self.norm(summed) * F.silu(gate))
        return out

    def _scan(self, sequences: Tensor) -> Tensor:
        """(B, paths, D, L) -> (B, paths, D, L)."""
        ranks = [self.rank, self.states, self.states]
        steps, write, read = torch.split(self.select @ sequences, ranks, dim=2)
        y = selective_scan(
            sequences.flatten(1, 2),
            (self.step @ steps).flatten(1, 2),
            -self.log_rate.exp(),
            write,
            read,
            self.skip,
            self.step_bias,
        )
        return y.reshape(sequences.shape)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        projections = self.inner * (3 * self.channels + 9)
        selection = self.inner * (2 * self.rank + 2 * self.states)
        scan = self.inner * (9 * self.states + 1)
        return (projections + len(self.paths) * (selection + scan)) * height * width


def _unroll(grid: Tensor, path: Path) -> Tensor:
    """(B, D, H, W) -> (B, D, L), pixels in the order of the path."""
    ordered = grid.transpose(2, 3) if path.startswith("columns") else grid
    sequence = ordered.flatten(2)
    return sequence.flip(-1) if path.endswith("back") else sequence


def _roll(sequence: Tensor, path: Path, height: int, width: int) -> Tensor:
    """(B, D, L) -> (B, D, H, W), the way back from `_unroll`."""
    forward = sequence.flip(-1) if path.endswith("back") else sequence
    if path.startswith("columns"):
        return forward.reshape(*sequence.shape[:2], width, height).transpose(2, 3)
    return forward.reshape(*sequence.shape[:2], height, width)


def _uniform(bound: float, *shape: int) -> Tensor:
    return torch.empty(*shape).uniform_(-bound, bound)


def _initial_step_bias(count: int) -> Tensor:
    """The inverse of softplus at step sizes that are log-uniform in their range."""
    low, high = (math.log(step) for step in STEP_RANGE)
    steps = torch.empty(count).uniform_(low, high).exp().clamp(min=STEP_FLOOR)
    return steps + torch.log(-torch.expm1(-steps))
