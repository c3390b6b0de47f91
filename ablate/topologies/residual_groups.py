"""Groups of blocks at one resolution, each with a skip: SwinIR, MambaIR, MambaIRv2, MaIR."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from torch import Tensor, nn

from ablate.resizing import enlarge, mirrored
from ablate.topologies import _parts as parts
from ablate.topologies import _tails as tails
from ablate.topologies._encoder_decoder import requested
from ablate.topologies._registry import Fill, Outputs, topologies
from blocks import Context
from blocks._layout import check_at_least, round_up, to_grid, to_pixels


@topologies.register(
    decoder=False,
    extras=(),
    numbered="group",
    source="SwinIR, arXiv:2108.10257, whose skeleton MambaIR keeps, arXiv:2402.15648",
)
class ResidualGroups(nn.Module):
    """Groups of blocks at full resolution, each with a convolution and a skip, and a long skip.

    u = conv3x3(image - mean); x = norm(u); for each group x = join(blocks(x)) + x;
    y = join(norm(x)) + u; at scale 1 the result is image + conv3x3(y), above it tail(y) + mean,
    scale times as large. A join is a 3x3 convolution, the norms are over channels, the mean is
    DIV2K's (0 for grey images). The image is padded on the right and at the bottom to a multiple,
    and the result cropped.
    Source: Liang et al. 2021 (SwinIR), arXiv:2108.10257, whose skeleton Guo et al. 2024
    (MambaIR), arXiv:2402.15648, and its followers keep. Left out: the tail nearest+conv of
    SwinIR for photographs from cameras.

    Args:
        stages: What fills group1 to groupN.
        width: Channels.
        scale: How many times larger the result is, a side; it must be the task's.
        tail: pixelshuffledirect (one convolution and a pixel shuffle; the light models) or
            pixelshuffle (64 channels, a convolution and a shuffle for each doubling, one more
            convolution; the classic models). At scale 1 there is no tail: leave it out.
        join: What ends a group: 1conv (3x3) or 3conv (3x3, 1x1, 3x3 at a quarter of the
            channels, LeakyReLU between; SwinIR's largest model).
        mean: Subtract DIV2K's mean colour first and add it again, as published.
        image_skip: Add the image to the result, enlarged by bicubic interpolation where scale is
            above 1. Published: at scale 1 only.
        zero_head: Start the last convolution at zero where the image is added, so that the
            untrained network returns the image, or its bicubic enlargement; the published
            networks do not.
        multiple: Of what the image's sides are padded to be multiples (MambaIRv2: its window).
        padding: What the image is padded with: mirror (its mirror image, the edge repeated;
            MambaIRv2), reflect (the edge not repeated), zeros, or replicate (its edge).
        local_means: Side of the training crops, in pixels of the input, to have blocks that
            average over the whole image average over 1.5 times that on larger ones (TLC); 0 has
            them average over the image.
        image_channels: 3, or 1 for a network of grey images, which restores each colour of a
            colour image by itself.

    Raises:
        ValueError: The slots are not group1 to groupN, an option is out of its range, or a tail
            is chosen at scale 1.
    """

    def __init__(
        self,
        stages: Mapping[str, Fill],
        *,
        width: int = 60,
        scale: Literal[1, 2, 3, 4] = 1,
        tail: tails.Tail = "pixelshuffledirect",
        join: tails.Join = "1conv",
        mean: bool = True,
        image_skip: bool = True,
        zero_head: bool = True,
        multiple: int = 1,
        padding: Literal["mirror", "reflect", "zeros", "replicate"] = "mirror",
        local_means: int = 0,
        image_channels: Literal[1, 3] = 3,
    ) -> None:
        super().__init__()
        check_at_least("width", width)
        check_at_least("multiple", multiple)
        check_at_least("local_means", local_means, 0)
        if scale == 1 and tail != "pixelshuffledirect":
            raise ValueError(f"scale = 1 has nothing to enlarge; leave tail = '{tail}' out")
        self.slots = _slots(stages)
        self.stem = parts.stem("conv", width, image_channels)
        self.norm = nn.LayerNorm(width)
        self.stages = nn.ModuleDict({slot: stages[slot](width) for slot in self.slots})
        for stage in self.stages.values():
            parts.localise(stage, local_means, 0)
        self.joins = nn.ModuleDict({slot: tails.join(join, width) for slot in self.slots})
        self.last_norm = nn.LayerNorm(width)
        self.last_join = tails.join(join, width)
        zero = zero_head and image_skip
        self.tail = tails.tail(tail, width, scale, image_channels, zero=zero)
        self.mean: Tensor
        self.register_buffer("mean", tails.mean(image_channels) * mean, persistent=False)
        self.scale: int = scale
        self.image_skip, self.multiple, self.padding = image_skip, multiple, padding
        self.image_channels = image_channels

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> Outputs:
        """Restore an image.

        Args:
            image: (B, 3, H, W), or (B, 1, H, W) for a network of grey images; any H and W.
            request: `scales`, `features` and `auxiliary`, where wanted.

        Returns:
            `image`: as it came, or scale times as large. `scales`: only that. `features`: what
            every group returned, padded. `auxiliary`: losses of the blocks' own, scalars.
        """
        seen = parts.as_grey(image, self.image_channels)
        features: dict[str, Tensor] = {}
        context = Context()
        made = self._cropped(self.tail(self._deep(seen, features, context)), seen)
        made = made + (enlarge(seen, self.scale) if self.image_skip else self.mean)
        restored = made.reshape(*image.shape[:2], *made.shape[-2:])
        return requested(request, restored, features, context)

    def _deep(self, image: Tensor, features: dict[str, Tensor], context: Context) -> Tensor:
        """(B, colors, H, W) -> (B, C, H, W), padded; what the groups return joins the features."""
        shallow: Tensor = self.stem(self._padded(image) - self.mean)
        x = _normed(self.norm, shallow)
        for slot in self.slots:
            x = features[slot] = self.joins[slot](self.stages[slot](x, context)) + x
        deep: Tensor = self.last_join(_normed(self.last_norm, x)) + shallow
        return deep

    def _padded(self, image: Tensor) -> Tensor:
        if self.padding != "mirror":
            return parts.pad(image, self.multiple, self.padding)
        height, width = image.shape[-2:]
        bottom, right = (round_up(n, self.multiple) - n for n in (height, width))
        return mirrored(image, 0, right, 0, bottom) if right or bottom else image

    def _cropped(self, made: Tensor, image: Tensor) -> Tensor:
        height, width = (self.scale * side for side in image.shape[-2:])
        return made[..., :height, :width]


def _normed(norm: nn.Module, x: Tensor) -> Tensor:
    """Normalise the channels of each pixel of (B, C, H, W)."""
    return to_grid(norm(to_pixels(x)))


def _slots(stages: Mapping[str, Fill]) -> tuple[str, ...]:
    """group1 to groupN.

    Raises:
        ValueError: A slot is missing, or is not one of this topology.
    """
    expected = [f"group{k + 1}" for k in range(max(len(stages), 1))]
    if set(expected) != set(stages):
        got = _listed(stages) or "nothing"
        raise ValueError(f"residual_groups has the slots group1 to groupN; got {got}")
    return tuple(expected)


def _listed(slots: Iterable[str]) -> str:
    return ", ".join(sorted(slots))
