"""Depth-wise convolutions of several dilations side by side: local detail at several scales."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from blocks._layout import ChannelNorm, check_at_least, check_odd
from blocks._register import register

Norm = Literal["batch", "layer", "none"]


@register(
    family="cnn",
    source="MDC of ACL, CVPR 2025, pp. 17913-17923; the idea alone, its settings are not published",
)
class MultiscaleDilated(nn.Module):
    """Dilated depth-wise convolutions in parallel, joined by a pointwise one beside a shortcut.

    x: (B, C, H, W) -> (B, C, H, W).
    b_i = act(norm(depthwise(x))) with kernel k_i and dilation d_i;
    out = x + conv1x1([b_1, b_2, ...]).
    Cost: (n C^2 + C sum k_i^2) H W multiply-adds with n branches; reach: the largest
    d_i (k_i - 1) + 1 pixels, both ways.
    Not a published configuration. ACL has released neither code nor the kernels, dilations, norm,
    activation and place of its module; that it is multi-scale and dilated is all that is known.
    A simplified form by others has kernels 5 and 3, both of dilation 2, batch norm and a pointwise
    convolution without bias: set kernels (5, 3) and dilations (2, 2). Numbers measured with
    this block are not numbers of ACL.
    Convolutions start as PyTorch makes them; depth-wise ones have a bias where there is no norm.

    Args:
        channels: C; any.
        kernels: Side of each branch's convolution, odd.
        dilations: Dilation of each branch, as many as kernels.
        norm: After each depth-wise convolution: batch, or layer over the channels of a pixel.
        activation: After the norm of each branch.
    """

    def __init__(
        self,
        channels: int,
        *,
        kernels: tuple[int, ...] = (3, 3, 3),
        dilations: tuple[int, ...] = (1, 2, 3),
        norm: Norm = "batch",
        activation: Literal["gelu", "relu", "none"] = "gelu",
    ) -> None:
        super().__init__()
        _check_branches(kernels, dilations)
        act = {"gelu": nn.GELU, "relu": nn.ReLU, "none": nn.Identity}[activation]
        self.branches = nn.ModuleList(
            nn.Sequential(_depthwise(channels, k, d, norm == "none"), _norm(norm, channels), act())
            for k, d in zip(kernels, dilations, strict=True)
        )
        self.fuse = nn.Conv2d(len(kernels) * channels, channels, 1, bias=False)
        self.channels, self.kernels = channels, kernels

    def forward(self, x: Tensor) -> Tensor:
        """Add what the branches found, shape unchanged."""
        found = torch.cat([branch(x) for branch in self.branches], dim=1)  # (B, n C, H, W)
        out: Tensor = x + self.fuse(found)
        return out

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        depthwise = sum(kernel**2 for kernel in self.kernels)
        pointwise = len(self.kernels) * self.channels
        return self.channels * (depthwise + pointwise) * height * width


def _check_branches(kernels: tuple[int, ...], dilations: tuple[int, ...]) -> None:
    if not kernels or len(kernels) != len(dilations):
        raise ValueError(
            "kernels and dilations must be as many, at least one; "
            f"got kernels={list(kernels)}, dilations={list(dilations)}"
        )
    for kernel, dilation in zip(kernels, dilations, strict=True):
        check_odd("kernels", kernel)
        check_at_least("dilations", dilation)


def _depthwise(channels: int, kernel: int, dilation: int, bias: bool) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(channels, channels, kernel, 1, padding, dilation, groups=channels, bias=bias)


def _norm(kind: Norm, channels: int) -> nn.Module:
    kinds = {"batch": nn.BatchNorm2d, "layer": ChannelNorm}
    return kinds[kind](channels) if kind in kinds else nn.Identity()
