"""Parts that encoder-decoder networks are joined from: stems, resizings, skips, heads, embeddings.

In every docstring B images of C channels are H x W pixels at the part's input.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from blocks._pooling import use_local_means

Stem = Literal["conv", "conv_norm_twice"]
Down = Literal["conv2", "conv3_norm"]
Up = Literal["shuffle", "deconv_norm"]
Skip = Literal["add", "concat"]
Head = Literal["conv", "conv_norm"]


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, BatchNorm, GELU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.GELU())


def stem(kind: Stem, channels: int) -> nn.Module:
    """(B, 3, H, W) -> (B, channels, H, W)."""
    if kind == "conv":
        return nn.Conv2d(3, channels, 3, padding=1)
    return nn.Sequential(conv_norm(3, channels, 3), conv_norm(channels, channels, 3))


def down(kind: Down, channels: int) -> nn.Module:
    """(B, C, H, W) -> (B, 2 C, H / 2, W / 2)."""
    if kind == "conv2":
        return nn.Conv2d(channels, 2 * channels, 2, 2)
    return conv_norm(channels, 2 * channels, 3, stride=2)


def up(kind: Up, channels: int) -> nn.Module:
    """(B, C, H, W) -> (B, C / 2, 2 H, 2 W)."""
    half = channels // 2
    if kind == "shuffle":
        return nn.Sequential(nn.Conv2d(channels, 2 * channels, 1, bias=False), nn.PixelShuffle(2))
    deconvolution = nn.ConvTranspose2d(channels, half, 4, 2, 1, bias=False)
    return nn.Sequential(deconvolution, nn.BatchNorm2d(half), nn.GELU())


class AddSkip(nn.Module):
    """What comes up plus what was kept."""

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B, C, H, W)."""
        return x + skip


class ConcatSkip(nn.Module):
    """What comes up beside what was kept, brought back to C by a 1x1 convolution and GELU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.compress = nn.Conv2d(2 * channels, channels, 1)
        self.activation = nn.GELU()

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B, C, H, W)."""
        fused: Tensor = self.activation(self.compress(torch.cat([x, skip], dim=1)))
        return fused


def skip(kind: Skip, channels: int) -> nn.Module:
    """(B, C, H, W) twice -> (B, C, H, W)."""
    return AddSkip() if kind == "add" else ConcatSkip(channels)


def head(kind: Head, channels: int, *, zero: bool) -> nn.Module:
    """(B, C, H, W) -> (B, 3, H, W), to be added to the image; with zero it starts at 0.

    Of conv_norm the norm's scale is zeroed: a zeroed convolution would have no variance to
    divide by.
    """
    if kind == "conv":
        convolution = nn.Conv2d(channels, 3, 3, padding=1)
        return _zeroed(convolution) if zero else convolution
    norm = nn.BatchNorm2d(3)
    convolution = nn.Conv2d(channels, 3, 3, padding=1, bias=False)
    return nn.Sequential(convolution, _zeroed(norm) if zero else norm)


def scale_head(channels: int, *, zero: bool) -> nn.Module:
    """(B, C, H, W) -> (B, 3, H, W), to be added to the image scaled down; without bias."""
    convolution = nn.Conv2d(channels, 3, 3, padding=1, bias=False)
    return _zeroed(convolution) if zero else convolution


class ImageEmbedding(nn.Sequential):
    """Features of a scaled-down image, to be merged into a stage (RestorMixer's SCM).

    Args:
        channels: Channels of the stage; a multiple of 4.

    Raises:
        ValueError: The channels are not a multiple of 4.
    """

    def __init__(self, channels: int) -> None:
        if channels % 4:
            raise ValueError(
                "channels of a stage with an image input must be a multiple of 4;"
                f" got channels={channels}"
            )
        super().__init__(
            conv_norm(3, channels // 4, 3),
            conv_norm(channels // 4, channels // 2, 1),
            conv_norm(channels // 2, channels // 2, 3),
            nn.Conv2d(channels // 2, channels, 1),
            nn.InstanceNorm2d(channels, affine=True),
        )


class ImageMerge(nn.Module):
    """A stage's features beside an embedded image, through a 3x3 convolution (RestorMixer's FAM).

    Args:
        channels: Channels of both and of the result.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embed = ImageEmbedding(channels)
        self.merge = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """Merge (B, C, H, W) and the image (B, 3, H, W) -> (B, C, H, W)."""
        merged: Tensor = self.merge(torch.cat([x, self.embed(image)], dim=1))
        return merged


def localise(stage: nn.Module, crop: int, level: int) -> None:
    """Have a stage at 1/2^level average over 1.5 training crops; over the image for a crop of 0."""
    use_local_means(stage, crop * 3 // 2 >> level)


def halve(image: Tensor) -> Tensor:
    """Every second pixel of every second row: nearest-neighbour scaling by 1/2."""
    return image[..., ::2, ::2]


def _zeroed(layer: nn.Conv2d | nn.BatchNorm2d) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
