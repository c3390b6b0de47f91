"""Restormer's U-shape: concatenated skips, the uppermost of them whole, and a refinement."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from ablate.topologies import _encoder_decoder as ways
from ablate.topologies import _parts as parts
from ablate.topologies._registry import Fill, Outputs, topologies
from blocks import Context
from blocks._frequency import FrequencyEmbedding
from blocks._layout import check_at_least


@topologies.register(
    decoder=True,
    extras=("middle", "refinement"),
    source="Zamir et al. 2022 (Restormer), arXiv:2111.09881",
)
class Restormer(nn.Module):
    """Stages at 1, 1/2, 1/4 ... of the resolution and back, then refinement at full resolution.

    Stage k works with width * 2^(k-1) channels at 1/2^(k-1); the middle, Restormer's latent stage,
    lies one resolution below the last. Each decoder stage is given what comes up beside the skip of
    its resolution, brought back to the stage's channels by a 1x1 convolution; the uppermost keeps
    both, so that decoder1 and refinement work with 2 * width channels. Without a middle, the last
    decoder stage works on what the last encoder stage returns. Of the topology's own convolutions
    none has a bias; those that change the resolution are 3x3.
    The image is padded on the right and at the bottom to a multiple of the lowest resolution's
    pixel, and the result cropped. So joined are Restormer, MambaIR's and MaIR's U-Nets and
    MoCE-IR. Source: Zamir et al. 2022, arXiv:2111.09881. Left out: the dual-pixel variant.

    Args:
        stages: What fills stage1 to stageN, decoder1 to decoderN and, if wanted, middle and
            refinement.
        width: Channels of stage 1, even; each later stage has twice as many.
        widths: In place of width, the channels at each resolution from the first down; multiples
            of 4 from the second on.
        top_skip: concat has decoder1 and refinement work with what comes up beside what was kept
            (Restormer); reduce brings that back to width, as at the other resolutions (MoCE-IR).
        frequency_embedding: Give the blocks of the decoder and of refinement a vector made from
            the high frequencies of what the encoder ends with (MoCE-IR).
        zero_head: Start the head at zero, so that the untrained network returns the image; the
            published networks do not.
        padding: What the image is padded with: reflect (its mirror image), as in the published
            tests, zeros, or replicate (its edge).
        local_means: Side of the training crops, in pixels, to have blocks that average over the
            whole image average over 1.5 times that on larger ones (TLC); 0 has them average over
            the image.
        image_channels: 3, or 1 for a network of grey images, which restores each colour of a
            colour image by itself.

    Raises:
        ValueError: The stages do not make an encoder and a decoder, or width is below 1 or odd.
    """

    def __init__(
        self,
        stages: Mapping[str, Fill],
        *,
        width: int = 48,
        widths: tuple[int, ...] = (),
        top_skip: Literal["concat", "reduce"] = "concat",
        frequency_embedding: bool = False,
        zero_head: bool = True,
        padding: parts.Padding = "reflect",
        local_means: int = 0,
        image_channels: Literal[1, 3] = 3,
    ) -> None:
        super().__init__()
        check_at_least("local_means", local_means, 0)
        count = ways.count_stages("restormer", stages, ("middle", "refinement"))
        encoder, decoder = ways.encoder_slots(stages, count), ways.decoder_slots(count)
        channels = ways.channels_of(width, widths, len(encoder))
        pairs = list(pairwise(channels))  # of each resolution and the one below
        top = 2 * channels[0] if top_skip == "concat" and pairs else channels[0]
        skips: list[parts.Skip] = ["concat_bare"] * len(pairs)
        if top > channels[0]:
            skips[0] = "keep"
        self.stem = parts.stem("conv_bare", channels[0], image_channels)
        self.down = nn.ModuleList(parts.down("unshuffle", c, below) for c, below in pairs)
        self.up = nn.ModuleList(parts.up("conv3_shuffle", below, c) for c, below in pairs)
        self.skip = nn.ModuleList(parts.skip(k, c) for k, c in zip(skips, channels, strict=False))
        self.embed = FrequencyEmbedding(channels[-1]) if frequency_embedding else None
        length = channels[-1] if frequency_embedding else 0
        filled = {slot: stages[slot](channels[level]) for level, slot in enumerate(encoder)}
        for level, slot in reversed(list(enumerate(decoder))):
            filled[slot] = stages[slot](channels[level] if level else top, length)
        if "refinement" in stages:
            filled["refinement"] = stages["refinement"](top, length)
        self.stages = nn.ModuleDict(filled)
        ways.localise(self.stages, local_means)
        self.head = parts.head("conv_bare", top, image_channels, zero=zero_head)
        self.slots, self.encoder, self.count = tuple(self.stages), tuple(encoder), count
        self.image_channels = image_channels
        self.padding: parts.Padding = padding

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> Outputs:
        """Restore an image.

        Args:
            image: (B, 3, H, W), or (B, 1, H, W) for a network of grey images; any H and W.
            request: `scales`, `features` and `auxiliary`, where wanted.

        Returns:
            `image`: as it came. `scales`: only that. `features`: what every stage returned, in
            the order of `slots`, padded. `auxiliary`: losses of the blocks' own, scalars.
        """
        multiple = 2 ** (len(self.encoder) - 1)
        padded = parts.pad(parts.as_grey(image, self.image_channels), multiple, self.padding)
        features: dict[str, Tensor] = {}
        context = Context()
        x: Tensor = self.stem(padded)
        x = ways.encode(x, self.encoder, self.stages, self.down, features, context)
        if self.embed is not None:
            context.embedding = self.embed(x)
        kept = [features[f"stage{level + 1}"] for level in range(self.count)]
        x = ways.decode(x, kept, self.stages, self.up, self.skip, features, context)
        if "refinement" in self.stages:
            x = features["refinement"] = self.stages["refinement"](x, context)
        restored = parts.finished(padded + self.head(x), image)
        return ways.requested(request, restored, features, context)
