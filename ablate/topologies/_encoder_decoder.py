"""What encoder-decoder topologies share: the names of their places, and the way there and back."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from ablate.topologies import _parts as parts
from ablate.topologies._registry import Fill, Outputs
from blocks import Context
from blocks._layout import check_at_least


def count_stages(name: str, stages: Mapping[str, Fill], extras: Sequence[str]) -> int:
    """How many encoder stages there are.

    Args:
        name: Of the topology, for the message.
        stages: What fills each slot.
        extras: Slots that may be there beside stage1 to stageN and decoder1 to decoderN.

    Raises:
        ValueError: Slots are missing, or are not ones of this topology.
    """
    count = sum(slot.startswith("stage") for slot in stages)
    numbers = range(1, max(count, 1) + 1)
    expected = {f"{side}{k}" for k in numbers for side in ("stage", "decoder")}
    missing, unknown = expected - set(stages), set(stages) - expected - set(extras)
    if missing or unknown:
        wrong = f"lacks {_listed(missing)}" if missing else f"has no place for {_listed(unknown)}"
        raise ValueError(
            f"{name} {wrong}; expected stage1 to stageN, decoder1 to decoderN and perhaps"
            f" {' or '.join(extras)}, got {_listed(stages) or 'nothing'}"
        )
    return count


def _listed(slots: Iterable[str]) -> str:
    return ", ".join(sorted(slots))


def encoder_slots(stages: Mapping[str, Fill], count: int) -> list[str]:
    """Slots by level, from full resolution down: the middle, if there is one, below the last."""
    middle = ["middle"] if "middle" in stages else []
    return [f"stage{k + 1}" for k in range(count)] + middle


def decoder_slots(count: int) -> list[str]:
    """Slots by level, from full resolution down."""
    return [f"decoder{k + 1}" for k in range(count)]


def channels_of(width: int, widths: Sequence[int], levels: int) -> list[int]:
    """Channels at each resolution, from full resolution down.

    Args:
        width: Channels at full resolution, doubled at each lower one.
        widths: In place of that, one number for each resolution; none where empty.
        levels: Resolutions.

    Raises:
        ValueError: A width is below 1, or there are too few or too many.
    """
    if not widths:
        check_at_least("width", width)
        return [width * 2**level for level in range(levels)]
    if min(widths) < 1:
        raise ValueError(f"each of widths must be at least 1; got {list(widths)}")
    if len(widths) != levels:
        text = f"widths takes one number for each of {levels} resolutions"
        raise ValueError(f"{text}; got {len(widths)}: {list(widths)}")
    return list(widths)


def localise(stages: nn.ModuleDict, crop: int) -> None:
    """Have each stage average locally, by its resolution; over the image for a crop of 0."""
    deepest = sum(slot.startswith("stage") for slot in stages)
    for slot, stage in stages.items():
        number = slot.strip(string.ascii_letters)
        level = deepest if slot == "middle" else int(number or 1) - 1
        parts.localise(stage, crop, level)


def encode(
    x: Tensor,
    slots: Sequence[str],
    stages: nn.ModuleDict,
    down: nn.ModuleList,
    features: dict[str, Tensor],
    context: Context,
) -> Tensor:
    """Run the encoder's stages with `down` between them; they join the features."""
    for level, slot in enumerate(slots):
        if level:
            x = down[level - 1](x)
        x = features[slot] = stages[slot](x, context)
    return x


def decode(
    x: Tensor,
    kept: Sequence[Tensor],
    stages: nn.ModuleDict,
    up: nn.ModuleList,
    skip: nn.ModuleList,
    features: dict[str, Tensor],
    context: Context,
) -> Tensor:
    """Run the decoder's stages, from the lowest resolution; they join the features.

    Args:
        x: What the encoder ends with: one resolution below the last decoder stage, or its own.
        kept: For each decoder stage, from full resolution down, what its skip brings.
        stages: decoder1 to decoderN among them.
        up: For each resolution but the lowest, from full resolution down.
        skip: The same.
        features: Filled in.
        context: Passed on to the blocks.
    """
    for level, slot in reversed(list(enumerate(decoder_slots(len(kept))))):
        if level < len(up):
            x = skip[level](up[level](x), kept[level])
        x = features[slot] = stages[slot](x, context)
    return x


def requested(
    request: tuple[str, ...],
    restored: Tensor,
    features: dict[str, Tensor],
    context: Context,
    scaled: Sequence[Tensor] = (),
) -> Outputs:
    """What a network returns: the restored image, and what else was asked for."""
    outputs: Outputs = {"image": restored}
    if "scales" in request:
        outputs["scales"] = [restored, *scaled]
    if "features" in request:
        outputs["features"] = list(features.values())
    if "auxiliary" in request:
        outputs["auxiliary"] = context.auxiliary
    return outputs
