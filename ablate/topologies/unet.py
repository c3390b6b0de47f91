"""Encoder and decoder with skips between them: NAFNet, RestorMixer and what lies between."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from typing import Literal

from torch import Tensor, nn

from ablate.topologies import _parts as parts
from ablate.topologies._registry import Fill, Outputs, topologies
from blocks import Context
from blocks._layout import check_at_least, pad_to_multiple


@topologies.register(decoder=True, extras=("middle",))
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
        stem: conv (3x3, NAFNet) or conv_norm_twice (two of 3x3, BatchNorm, GELU; RestorMixer).
        down: conv2 (2x2 stride 2, NAFNet) or conv3_norm (3x3 stride 2, BatchNorm, GELU;
            RestorMixer).
        up: shuffle (1x1 and pixel shuffle, NAFNet) or deconv_norm (4x4 transposed stride 2,
            BatchNorm, GELU; RestorMixer).
        skip: add (NAFNet) or concat (beside each other, 1x1, GELU; RestorMixer).
        head: conv (3x3, NAFNet) or conv_norm (3x3 and BatchNorm, RestorMixer).
        multi_input: Merge the image scaled down into every encoder stage after the first
            (RestorMixer).
        supervised: Restore the image at the resolution of every decoder stage, for the loss
            (RestorMixer).
        zero_head: Start heads at zero, so that the untrained network returns the image; the
            published networks do not.
        padding: What the image is padded with: zeros, as published, or replicate (its edge).
        local_means: Side of the training crops, in pixels, to have blocks that average over the
            whole image average over 1.5 times that on larger ones (TLC; NAFNet for GoPro); 0 has
            them average over the image.

    Raises:
        ValueError: The stages do not make an encoder and a decoder, or width is below 1.
    """

    def __init__(
        self,
        stages: Mapping[str, Fill],
        *,
        width: int = 32,
        stem: parts.Stem = "conv",
        down: parts.Down = "conv2",
        up: parts.Up = "shuffle",
        skip: parts.Skip = "add",
        head: parts.Head = "conv",
        multi_input: bool = False,
        supervised: bool = False,
        zero_head: bool = True,
        padding: Literal["zeros", "replicate"] = "zeros",
        local_means: int = 0,
    ) -> None:
        super().__init__()
        check_at_least("width", width)
        check_at_least("local_means", local_means, 0)
        count = _count_stages(stages)
        levels = count + ("middle" in stages)  # resolutions
        widths = [width * 2**level for level in range(levels)]
        resized = range(1, levels)  # levels below full resolution
        self.stem = parts.stem(stem, width)
        self.down = nn.ModuleList(parts.down(down, widths[level - 1]) for level in resized)
        self.up = nn.ModuleList(parts.up(up, widths[level]) for level in resized)
        self.skip = nn.ModuleList(parts.skip(skip, widths[level - 1]) for level in resized)
        inputs = range(1, count) if multi_input else ()
        self.merge = nn.ModuleDict({f"stage{k + 1}": parts.ImageMerge(widths[k]) for k in inputs})
        self.stages = nn.ModuleDict(_filled(stages, widths, count))
        for slot, stage in self.stages.items():
            parts.localise(stage, local_means, _level(slot, count))
        self.head = parts.head(head, width, zero=zero_head)
        scaled = range(1, count) if supervised else ()
        self.scale_heads = nn.ModuleDict(
            {f"decoder{k + 1}": parts.scale_head(widths[k], zero=zero_head) for k in scaled}
        )
        self.slots = tuple(self.stages)
        self.count, self.levels = count, levels
        self.padding: Literal["constant", "replicate"] = (
            "constant" if padding == "zeros" else "replicate"
        )

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> Outputs:
        """Restore an image.

        Args:
            image: (B, 3, H, W); any H and W.
            request: `scales`, `features` and `auxiliary`, where wanted; a network that is not
                supervised has no scale but the full one.

        Returns:
            `image`: (B, 3, H, W). `scales`: restored images at 1, 1/2, 1/4 ..., sides rounded
            up. `features`: what every stage returned, in the order of `slots`, padded.
            `auxiliary`: losses of the blocks' own, scalars.
        """
        height, width = image.shape[-2:]
        pyramid = [pad_to_multiple(image, 2 ** (self.levels - 1), self.padding)]
        for _ in range(1, self.count):
            pyramid.append(parts.halve(pyramid[-1]))
        features: dict[str, Tensor] = {}
        context = Context()
        self._decode(self._encode(pyramid, features, context), features, context)
        restored = _cropped(pyramid[0] + self.head(features["decoder1"]), height, width)
        outputs: Outputs = {"image": restored}
        if "scales" in request:
            scaled = self._scales(pyramid, features, height, width)
            outputs["scales"] = [restored, *scaled]
        if "features" in request:
            outputs["features"] = [features[slot] for slot in self.slots]
        if "auxiliary" in request:
            outputs["auxiliary"] = context.auxiliary
        return outputs

    def _encode(
        self, pyramid: list[Tensor], features: dict[str, Tensor], context: Context
    ) -> Tensor:
        """Run the encoder and the middle; what the decoder starts from."""
        x: Tensor = self.stem(pyramid[0])
        for level in range(self.levels):
            slot = _slot(level, self.count)
            if level:
                x = self.down[level - 1](x)
            if slot in self.merge:
                x = self.merge[slot](x, pyramid[level])
            x = features[slot] = self.stages[slot](x, context)
        return x

    def _decode(self, x: Tensor, features: dict[str, Tensor], context: Context) -> None:
        """Run the decoder; its stages join the features."""
        for level in reversed(range(self.count)):
            if level < self.levels - 1:
                x = self.skip[level](self.up[level](x), features[f"stage{level + 1}"])
            slot = f"decoder{level + 1}"
            x = features[slot] = self.stages[slot](x, context)

    def _scales(
        self, pyramid: list[Tensor], features: dict[str, Tensor], height: int, width: int
    ) -> list[Tensor]:
        """The restored images at 1/2, 1/4 ..., of as many stages as have a head."""
        restored = []
        for level, (slot, head) in enumerate(self.scale_heads.items(), start=1):
            scaled = pyramid[level] + head(features[slot])
            restored.append(_cropped(scaled, -(-height // 2**level), -(-width // 2**level)))
        return restored


def _slot(level: int, count: int) -> str:
    """What the encoder runs at a level: the middle below the last stage."""
    return f"stage{level + 1}" if level < count else "middle"


def _level(slot: str, count: int) -> int:
    """The level that a slot works at, the way back from `_slot` for both sides."""
    return count if slot == "middle" else int(slot.strip(string.ascii_letters)) - 1


def _filled(stages: Mapping[str, Fill], widths: list[int], count: int) -> dict[str, nn.Module]:
    """The blocks of every slot, in the order in which they run."""
    filled = {_slot(k, count): stages[_slot(k, count)](width) for k, width in enumerate(widths)}
    for level in reversed(range(count)):
        slot = f"decoder{level + 1}"
        filled[slot] = stages[slot](widths[level])
    return filled


def _count_stages(stages: Mapping[str, Fill]) -> int:
    """How many encoder stages there are.

    Raises:
        ValueError: Slots are missing, or are not ones of this topology.
    """
    count = sum(slot.startswith("stage") for slot in stages)
    numbers = range(1, max(count, 1) + 1)
    expected = {f"{side}{k}" for k in numbers for side in ("stage", "decoder")}
    missing, unknown = expected - set(stages), set(stages) - expected - {"middle"}
    if missing or unknown:
        wrong = f"lacks {_listed(missing)}" if missing else f"has no place for {_listed(unknown)}"
        raise ValueError(
            f"unet {wrong}; expected stage1 to stageN, decoder1 to decoderN and perhaps middle,"
            f" got {_listed(stages) or 'nothing'}"
        )
    return count


def _listed(slots: Iterable[str]) -> str:
    return ", ".join(sorted(slots))


def _cropped(image: Tensor, height: int, width: int) -> Tensor:
    return image[..., :height, :width]
