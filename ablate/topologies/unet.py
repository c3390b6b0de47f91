"""Encoder and decoder with skips between them: NAFNet, RestorMixer and what lies between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

from ablate.topologies import _encoder_decoder as ways
from ablate.topologies import _parts as parts
from ablate.topologies._registry import Fill, Outputs, topologies
from blocks import Context
from blocks._layout import check_at_least


@topologies.register(
    decoder=True,
    extras=("middle",),
    source="Chen et al. 2022 (NAFNet), arXiv:2204.04676; RestorMixer 2025, arXiv:2504.10967",
)
class Unet(nn.Module):
    """Stages at 1, 1/2, 1/4 ... of the resolution and back, added to the degraded image.

    Stage k works with width * 2^(k-1) channels at 1/2^(k-1). With a middle, that stage lies one
    resolution below the last, and each decoder stage is given the skip of its resolution
    (NAFNet). Without one, the last decoder stage works on what the last encoder stage returns,
    and the decoder stages above it are given skips (RestorMixer).
    The image is padded on the right and at the bottom to a multiple of the lowest resolution's
    pixel, and the result cropped.

    Args:
        stages: What fills stage1 to stageN, decoder1 to decoderN and, if wanted, middle.
        width: Channels of stage 1; each later stage has twice as many.
        widths: In place of width, the channels at each resolution from the first down.
        stem: conv (3x3, NAFNet), conv_bare (without bias, Restormer) or conv_norm_twice (two of
            3x3, BatchNorm, GELU; RestorMixer).
        down: conv2 (2x2 stride 2, NAFNet), conv3_norm (3x3 stride 2, BatchNorm, GELU;
            RestorMixer) or unshuffle (3x3 and pixel unshuffle, Restormer).
        up: shuffle (1x1 and pixel shuffle, NAFNet), conv3_shuffle (3x3 and pixel shuffle,
            Restormer) or deconv_norm (4x4 transposed stride 2, BatchNorm, GELU; RestorMixer).
        skip: add (NAFNet), concat (beside each other, 1x1, GELU; RestorMixer) or concat_bare
            (beside each other, 1x1 without bias; Restormer).
        head: conv (3x3, NAFNet), conv_bare (without bias, Restormer) or conv_norm (3x3 and
            BatchNorm, RestorMixer).
        multi_input: Merge the image scaled down into every encoder stage after the first
            (RestorMixer).
        supervised: Restore the image at the resolution of every decoder stage, for the loss
            (RestorMixer).
        zero_head: Start heads at zero, so that the untrained network returns the image; the
            published networks do not.
        padding: What the image is padded with: zeros, as published, replicate (its edge) or
            reflect (its mirror image).
        local_means: Side of the training crops, in pixels, to have blocks that average over the
            whole image average over 1.5 times that on larger ones (TLC; NAFNet for GoPro); 0 has
            them average over the image.
        image_channels: 3, or 1 for a network of grey images, which restores each colour of a
            colour image by itself.

    Raises:
        ValueError: The stages do not make an encoder and a decoder, or width is below 1.
    """

    def __init__(
        self,
        stages: Mapping[str, Fill],
        *,
        width: int = 32,
        widths: tuple[int, ...] = (),
        stem: parts.Stem = "conv",
        down: parts.Down = "conv2",
        up: parts.Up = "shuffle",
        skip: Literal["add", "concat", "concat_bare"] = "add",
        head: parts.Head = "conv",
        multi_input: bool = False,
        supervised: bool = False,
        zero_head: bool = True,
        padding: parts.Padding = "zeros",
        local_means: int = 0,
        image_channels: Literal[1, 3] = 3,
    ) -> None:
        super().__init__()
        check_at_least("local_means", local_means, 0)
        count = ways.count_stages("unet", stages, ("middle",))
        encoder, decoder = ways.encoder_slots(stages, count), ways.decoder_slots(count)
        levels = len(encoder)  # resolutions
        channels = ways.channels_of(width, widths, levels)
        resized = range(1, levels)  # levels below full resolution
        self.stem = parts.stem(stem, channels[0], image_channels)
        self.down = nn.ModuleList(
            parts.down(down, channels[level - 1], channels[level]) for level in resized
        )
        self.up = nn.ModuleList(
            parts.up(up, channels[level], channels[level - 1]) for level in resized
        )
        self.skip = nn.ModuleList(parts.skip(skip, channels[level - 1]) for level in resized)
        filled = {slot: stages[slot](channels[level]) for level, slot in enumerate(encoder)}
        for level, slot in reversed(list(enumerate(decoder))):
            filled[slot] = stages[slot](channels[level])
        self.stages = nn.ModuleDict(filled)
        ways.localise(self.stages, local_means)
        self.head = parts.head(head, channels[0], image_channels, zero=zero_head)
        inputs = [(f"stage{k + 1}", channels[k]) for k in range(1, count) if multi_input]
        self.merge = nn.ModuleDict({k: parts.ImageMerge(c, image_channels) for k, c in inputs})
        heads = [(f"decoder{k + 1}", channels[k]) for k in range(1, count) if supervised]
        self.scale_heads = nn.ModuleDict(
            {k: parts.head("conv_bare", c, image_channels, zero=zero_head) for k, c in heads}
        )
        self.slots, self.encoder = tuple(self.stages), tuple(encoder)
        self.count, self.image_channels = count, image_channels
        self.padding: parts.Padding = padding

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> Outputs:
        """Restore an image.

        Args:
            image: (B, 3, H, W), or (B, 1, H, W) for a network of grey images; any H and W.
            request: `scales`, `features` and `auxiliary`, where wanted; a network that is not
                supervised has no scale but the full one.

        Returns:
            `image`: as it came. `scales`: restored images at 1, 1/2, 1/4 ..., sides rounded
            up. `features`: what every stage returned, in the order of `slots`, padded.
            `auxiliary`: losses of the blocks' own, scalars.
        """
        multiple = 2 ** (len(self.encoder) - 1)
        pyramid = [parts.pad(parts.as_grey(image, self.image_channels), multiple, self.padding)]
        for _ in range(1, self.count):
            pyramid.append(parts.halve(pyramid[-1]))
        features: dict[str, Tensor] = {}
        context = Context()
        x = self._encode(pyramid, features, context)
        kept = [features[f"stage{level + 1}"] for level in range(self.count)]
        x = ways.decode(x, kept, self.stages, self.up, self.skip, features, context)
        restored = parts.finished(pyramid[0] + self.head(x), image)
        scaled = self._scales(pyramid, features, image) if "scales" in request else ()
        return ways.requested(request, restored, features, context, scaled)

    def _encode(
        self, pyramid: list[Tensor], features: dict[str, Tensor], context: Context
    ) -> Tensor:
        """Run the encoder and the middle; what the decoder starts from."""
        x: Tensor = self.stem(pyramid[0])
        for level, slot in enumerate(self.encoder):
            if level:
                x = self.down[level - 1](x)
            if slot in self.merge:
                x = self.merge[slot](x, pyramid[level])
            x = features[slot] = self.stages[slot](x, context)
        return x

    def _scales(
        self, pyramid: list[Tensor], features: dict[str, Tensor], image: Tensor
    ) -> list[Tensor]:
        """The restored images at 1/2, 1/4 ..., of as many stages as have a head."""
        return [
            parts.finished(pyramid[level] + head(features[slot]), image, 2**level)
            for level, (slot, head) in enumerate(self.scale_heads.items(), start=1)
        ]
