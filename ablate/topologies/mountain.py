"""M3SNet's mountain: what the encoder keeps is fused between resolutions before the decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from ablate.topologies import _encoder_decoder as ways
from ablate.topologies import _parts as parts
from ablate.topologies._registry import Fill, Outputs, topologies
from blocks import Context
from blocks._layout import check_at_least


class Fusion(nn.Module):
    """A level's features plus those of the level below brought up, then blocks (M3SNet's FFM).

    Args:
        channels: C of the level.
        below: D of the level below.
        blocks: A stage of C channels.
    """

    def __init__(self, channels: int, below: int, blocks: nn.Module) -> None:
        super().__init__()
        self.up = parts.up("shuffle", below, channels)
        self.blocks = blocks

    def forward(self, x: Tensor, below: Tensor, context: Context) -> Tensor:
        """Fuse (B, C, H, W) with (B, D, H / 2, W / 2) -> (B, C, H, W)."""
        fused: Tensor = self.blocks(x + self.up(below), context)
        return fused


class FusionPass(nn.Module):
    """A fusion at each resolution, from full resolution down.

    Args:
        widths: Channels of the fused levels and of the level below them.
        fill: What fills a fusion.
        local_means: As for the topology.
    """

    def __init__(self, widths: Sequence[int], fill: Fill, local_means: int) -> None:
        super().__init__()
        self.fusions = nn.ModuleList(Fusion(c, below, fill(c)) for c, below in pairwise(widths))
        for level, fusion in enumerate(self.fusions):
            parts.localise(fusion, local_means, level)

    def forward(self, kept: list[Tensor], context: Context) -> list[Tensor]:
        """What is kept at each level, fused at as many levels as there are fusions."""
        fused = [
            fuse(x, below, context)
            for fuse, x, below in zip(self.fusions, kept, kept[1:], strict=False)
        ]
        return [*fused, *kept[len(fused) :]]


@topologies.register(
    decoder=True,
    extras=("middle", "fusion"),
    source="Gao et al. 2023 (M3SNet), arXiv:2305.05146",
)
class Mountain(nn.Module):
    """NAFNet's U-shape with a pyramid of fusions between encoder and decoder.

    Stage k works with width * 2^(k-1) channels at 1/2^(k-1), the middle one resolution below the
    last. What the encoder keeps at each resolution is fused with what it keeps one below: x plus
    the lower brought up (1x1, pixel shuffle), then the blocks of the fusion slot, made anew for
    each fusion. The first pass fuses all resolutions but the last stage's, the second all of those
    but the last, each from what the pass before left. The decoder adds the result to what
    comes up. Convolutions at the ends are 3x3, down 2x2 with stride 2, up 1x1 and pixel shuffle.
    The image is padded on the right and at the bottom to a multiple of the lowest resolution's
    pixel, and the result cropped, which the released code forgets.
    Source: Gao et al. 2023 (M3SNet), arXiv:2305.05146.

    Args:
        stages: What fills stage1 to stageN, decoder1 to decoderN, fusion and, if wanted, middle.
        width: Channels of stage 1; each later stage has twice as many.
        widths: In place of width, the channels at each resolution from the first down.
        passes: How many times the resolutions are fused; with 0 the skips are NAFNet's, and
            what fills fusion is not used.
        zero_head: Start the head at zero, so that the untrained network returns the image; the
            published network does not.
        padding: What the image is padded with: zeros, as published, replicate (its edge) or
            reflect (its mirror image).
        local_means: Side of the training crops, in pixels, to have blocks that average over the
            whole image average over 1.5 times that on larger ones (TLC; M3SNetLocal); 0 has them
            average over the image.
        image_channels: 3, or 1 for a network of grey images, which restores each colour of a
            colour image by itself.

    Raises:
        ValueError: The stages do not make an encoder and a decoder, nothing fills the fusions, or
            width is below 1.
    """

    def __init__(
        self,
        stages: Mapping[str, Fill],
        *,
        width: int = 32,
        widths: tuple[int, ...] = (),
        passes: Literal[0, 1, 2] = 2,
        zero_head: bool = True,
        padding: parts.Padding = "zeros",
        local_means: int = 0,
        image_channels: Literal[1, 3] = 3,
    ) -> None:
        super().__init__()
        check_at_least("local_means", local_means, 0)
        count = ways.count_stages("mountain", stages, ("middle", "fusion"))
        _check_fusion(stages, passes)
        encoder, decoder = ways.encoder_slots(stages, count), ways.decoder_slots(count)
        channels = ways.channels_of(width, widths, len(encoder))
        pairs = list(pairwise(channels))  # of each resolution and the one below
        self.stem = parts.stem("conv", channels[0], image_channels)
        self.down = nn.ModuleList(parts.down("conv2", c, below) for c, below in pairs)
        self.up = nn.ModuleList(parts.up("shuffle", below, c) for c, below in pairs)
        self.skip = nn.ModuleList(parts.skip("add", c) for c in channels[:-1])
        filled = {slot: stages[slot](channels[level]) for level, slot in enumerate(encoder)}
        for level, slot in reversed(list(enumerate(decoder))):
            filled[slot] = stages[slot](channels[level])
        self.stages = nn.ModuleDict(filled)
        ways.localise(self.stages, local_means)
        fused = [channels[: max(count - earlier, 1)] for earlier in range(passes)]
        self.passes = nn.ModuleList(
            FusionPass(level, stages["fusion"], local_means) for level in fused
        )
        self.head = parts.head("conv", channels[0], image_channels, zero=zero_head)
        fusions = [f"fusion{k + 1}" for k in range(len(fused[0]) - 1 if fused else 0)]
        self.slots = (*encoder, *fusions, *reversed(decoder))
        self.encoder, self.count, self.image_channels = tuple(encoder), count, image_channels
        self.padding: parts.Padding = padding

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> Outputs:
        """Restore an image.

        Args:
            image: (B, 3, H, W), or (B, 1, H, W) for a network of grey images; any H and W.
            request: `scales`, `features` and `auxiliary`, where wanted.

        Returns:
            `image`: as it came. `scales`: only that. `features`: what every stage and the last
            fusion of each resolution returned, in the order of `slots`, padded. `auxiliary`:
            losses of the blocks' own, scalars.
        """
        multiple = 2 ** (len(self.encoder) - 1)
        padded = parts.pad(parts.as_grey(image, self.image_channels), multiple, self.padding)
        features: dict[str, Tensor] = {}
        context = Context()
        x: Tensor = self.stem(padded)
        x = ways.encode(x, self.encoder, self.stages, self.down, features, context)
        kept = self._fused(features, context)
        x = ways.decode(x, kept, self.stages, self.up, self.skip, features, context)
        restored = parts.finished(padded + self.head(x), image)
        return ways.requested(request, restored, features, context)

    def _fused(self, features: dict[str, Tensor], context: Context) -> list[Tensor]:
        """What the decoder is given at each resolution; the fused ones join the features."""
        kept = [features[f"stage{level + 1}"] for level in range(self.count)]
        for fuse in self.passes:
            kept = fuse(kept, context)
        for slot in self.slots:
            if slot.startswith("fusion"):
                features[slot] = kept[int(slot.removeprefix("fusion")) - 1]
        return kept


def _check_fusion(stages: Mapping[str, Fill], passes: int) -> None:
    if passes and "fusion" not in stages:
        raise ValueError(
            f"mountain fuses in passes={passes}, but nothing fills its fusions;"
            " write [network.fusion] with a block, or passes = 0"
        )
