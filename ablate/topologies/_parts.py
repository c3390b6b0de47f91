"""Parts that encoder-decoder networks are joined from: stems, resizings, skips, heads, embeddings.

In every docstring B images of C channels are H x W pixels at the part's input; an image has
`colors` channels, 3 or 1.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import round_up
from blocks._pooling import use_local_means

Stem = Literal["conv", "conv_bare", "conv_norm_twice"]
Down = Literal["conv2", "conv3_norm", "unshuffle"]
Up = Literal["shuffle", "conv3_shuffle", "deconv_norm"]
Skip = Literal["add", "concat", "concat_bare", "keep"]
Head = Literal["conv", "conv_bare", "conv_norm"]
Padding = Literal["zeros", "replicate", "reflect"]


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, BatchNorm, GELU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.GELU())


def stem(kind: Stem, channels: int, colors: int = 3) -> nn.Module:
    """(B, colors, H, W) -> (B, channels, H, W)."""
    if kind == "conv_norm_twice":
        return nn.Sequential(conv_norm(colors, channels, 3), conv_norm(channels, channels, 3))
    return nn.Conv2d(colors, channels, 3, padding=1, bias=kind == "conv")


def down(kind: Down, channels: int, into: int) -> nn.Module:
    """(B, C, H, W) -> (B, into, H / 2, W / 2).

    Raises:
        ValueError: `into` is not a multiple of 4, for unshuffle.
    """
    if kind == "conv2":
        return nn.Conv2d(channels, into, 2, 2)
    if kind == "conv3_norm":
        return conv_norm(channels, into, 3, stride=2)
    if into % 4:
        if into == 2 * channels:
            text = f"channels must be even where pixels unshuffle; got channels={channels}"
        else:
            text = f"widths must be multiples of 4 where pixels unshuffle; got {into}"
        raise ValueError(text)
    fewer = nn.Conv2d(channels, into // 4, 3, padding=1, bias=False)
    return nn.Sequential(fewer, nn.PixelUnshuffle(2))


def up(kind: Up, channels: int, into: int) -> nn.Module:
    """(B, C, H, W) -> (B, into, 2 H, 2 W)."""
    if kind == "deconv_norm":
        deconvolution = nn.ConvTranspose2d(channels, into, 4, 2, 1, bias=False)
        return nn.Sequential(deconvolution, nn.BatchNorm2d(into), nn.GELU())
    side = 1 if kind == "shuffle" else 3
    wider = nn.Conv2d(channels, 4 * into, side, padding=side // 2, bias=False)
    return nn.Sequential(wider, nn.PixelShuffle(2))


class AddSkip(nn.Module):
    """What comes up plus what was kept."""

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B, C, H, W)."""
        return x + skip


class ConcatSkip(nn.Module):
    """What comes up beside what was kept, brought back to C by a 1x1 convolution and GELU.

    Args:
        channels: C.
        bare: No bias and no GELU.
    """

    def __init__(self, channels: int, *, bare: bool = False) -> None:
        super().__init__()
        self.compress = nn.Conv2d(2 * channels, channels, 1, bias=not bare)
        self.activation = nn.Identity() if bare else nn.GELU()

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B, C, H, W)."""
        fused: Tensor = self.activation(self.compress(torch.cat([x, skip], dim=1)))
        return fused


class KeepSkip(nn.Module):
    """What comes up beside what was kept."""

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B, 2 C, H, W)."""
        return torch.cat([x, skip], dim=1)


def skip(kind: Skip, channels: int) -> nn.Module:
    """(B, C, H, W) twice -> (B, C, H, W), or (B, 2 C, H, W) for keep."""
    match kind:
        case "add":
            return AddSkip()
        case "keep":
            return KeepSkip()
    return ConcatSkip(channels, bare=kind == "concat_bare")


def head(kind: Head, channels: int, colors: int = 3, *, zero: bool) -> nn.Module:
    """(B, C, H, W) -> (B, colors, H, W), to be added to the image; with zero it starts at 0.

    Of conv_norm the norm's scale is zeroed: a zeroed convolution would have no variance to
    divide by.
    """
    convolution = nn.Conv2d(channels, colors, 3, padding=1, bias=kind == "conv")
    if kind != "conv_norm":
        return _zeroed(convolution) if zero else convolution
    norm = nn.BatchNorm2d(colors)
    return nn.Sequential(convolution, _zeroed(norm) if zero else norm)


class ImageEmbedding(nn.Sequential):
    """Features of a scaled-down image, to be merged into a stage (RestorMixer's SCM).

    Args:
        channels: Channels of the stage; a multiple of 4.
        colors: Channels of the image.

    Raises:
        ValueError: The channels are not a multiple of 4.
    """

    def __init__(self, channels: int, colors: int = 3) -> None:
        if channels % 4:
            raise ValueError(
                "channels of a stage with an image input must be a multiple of 4;"
                f" got channels={channels}"
            )
        super().__init__(
            conv_norm(colors, channels // 4, 3),
            conv_norm(channels // 4, channels // 2, 1),
            conv_norm(channels // 2, channels // 2, 3),
            nn.Conv2d(channels // 2, channels, 1),
            nn.InstanceNorm2d(channels, affine=True),
        )


class ImageMerge(nn.Module):
    """A stage's features beside an embedded image, through a 3x3 convolution (RestorMixer's FAM).

    Args:
        channels: Channels of both and of the result.
        colors: Channels of the image.
    """

    def __init__(self, channels: int, colors: int = 3) -> None:
        super().__init__()
        self.embed = ImageEmbedding(channels, colors)
        self.merge = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """Merge (B, C, H, W) and the image (B, colors, H, W) -> (B, C, H, W)."""
        merged: Tensor = self.merge(torch.cat([x, self.embed(image)], dim=1))
        return merged


def localise(stage: nn.Module, crop: int, level: int) -> None:
    """Have a stage at 1/2^level average over 1.5 training crops; over the image for a crop of 0."""
    use_local_means(stage, crop * 3 // 2 >> level)


def halve(image: Tensor) -> Tensor:
    """Every second pixel of every second row: nearest-neighbour scaling by 1/2."""
    return image[..., ::2, ::2]


def pad(image: Tensor, multiple: int, padding: Padding) -> Tensor:
    """Pad (B, C, H, W) on the right and at the bottom so that H and W are multiples."""
    height, width = image.shape[-2:]
    bottom, right = round_up(height, multiple) - height, round_up(width, multiple) - width
    if not right and not bottom:
        return image
    if padding == "reflect":
        rows, columns = (_mirrored(side, multiple, image.device) for side in (height, width))
        return image.index_select(2, rows).index_select(3, columns)
    mode = "constant" if padding == "zeros" else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)


def _mirrored(side: int, multiple: int, device: torch.device) -> Tensor:
    """Indices 0 to side - 1, then back and forth, up to a multiple: any side can be mirrored."""
    period = max(2 * (side - 1), 1)
    position = torch.arange(round_up(side, multiple), device=device) % period
    return torch.minimum(position, period - position)


def as_grey(image: Tensor, colors: int) -> Tensor:
    """(B, C, H, W) as it is, or for a network of grey images as (B C, 1, H, W)."""
    return image.flatten(0, 1).unsqueeze(1) if colors == 1 else image


def finished(restored: Tensor, image: Tensor, shrink: int = 1) -> Tensor:
    """Undo `as_grey` and `pad`, at 1 / shrink of the resolution.

    Args:
        restored: (B, C, h, w), or (B C, 1, h, w) of a network of grey images.
        image: (B, C, H, W), the network's input.
        shrink: How many pixels of the image's rows one pixel of the restored is.

    Returns:
        (B, C, H / shrink, W / shrink), rounded up.
    """
    height, width = (-(-side // shrink) for side in image.shape[-2:])
    return restored[..., :height, :width].reshape(*image.shape[:2], height, width)


def _zeroed(layer: nn.Conv2d | nn.BatchNorm2d) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
