"""MPMF-Net's prompt block is held to its equations and to the sizes of the released model."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import blocks
from tests.test_blocks import image, perturbed


def stretch(profile: torch.Tensor, size: int) -> torch.Tensor:
    """(C, S) -> (C, size), linearly, the first and last values at the ends."""
    side = profile.shape[1]
    columns = []
    for i in range(size):
        place = i * (side - 1) / (size - 1)
        left = min(int(place), side - 2)
        share = place - left
        columns.append((1 - share) * profile[:, left] + share * profile[:, left + 1])
    return torch.stack(columns, 1)


def smooth(profile: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(C, N) with weights (C, 1, 3) -> (C, N), zeros beyond the ends."""
    padded = F.pad(profile, (1, 1))
    return sum(weight[:, 0, t : t + 1] * padded[:, t : t + profile.shape[1]] for t in range(3))


def test_it_is_its_equations_written_out():
    block, x = perturbed("mplb", 9, side=4).double(), image(2, 9, 7, 10).double()
    with torch.no_grad():
        rows = stretch(block.image[0].transpose(1, 2).reshape(12, 4), 7)  # (C S, H)
        whole = stretch(rows.reshape(3, 4, 7).transpose(1, 2).reshape(21, 4), 10).reshape(3, 7, 10)
        scale = F.conv2d(whole[None], block.image_conv.weight, padding=1, groups=3)
        column = smooth(stretch(block.column[0], 7), block.column_conv.weight)
        row = smooth(stretch(block.row[0], 10), block.row_conv.weight)
        parts = (x[:, :3] * scale, x[:, 3:6] * column[:, :, None], x[:, 6:] * row[:, None, :])
        expected = x + F.conv2d(torch.cat(parts, 1), block.mix.weight, block.mix.bias)
        torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize(("channels", "thirds"), [(3, (1, 1, 1)), (8, (3, 3, 2)), (16, (6, 5, 5))])
def test_thirds_are_as_even_as_can_be(channels, thirds):
    assert blocks.make("mplb", channels).thirds == thirds


def test_the_middle_of_untrained_prompts_scales_by_the_sum_of_the_taps():
    block, x = blocks.make("mplb", 6, side=5), image(1, 6, 8, 8)
    taps = [block.image_conv.weight.sum((1, 2, 3))]
    taps += [layer.weight.sum((1, 2)) for layer in (block.column_conv, block.row_conv)]
    with torch.no_grad():
        expected = x + block.mix(x * torch.cat(taps)[:, None, None])
        torch.testing.assert_close(block(x)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


@pytest.mark.parametrize(
    ("channels", "side", "expected"), [(96, 16, 19_008), (48, 32, 20_000), (24, 64, 34_512)]
)
def test_parameters_are_those_of_the_released_model(channels, side, expected):
    with torch.device("meta"):
        block = blocks.make("mplb", channels, side=side)
    assert sum(p.numel() for p in block.parameters()) == expected


@pytest.mark.parametrize(
    ("channels", "knobs", "message"),
    [
        (2, {}, "channels must be at least 3; got channels=2"),
        (6, {"side": 0}, "side must be at least 1; got side=0"),
    ],
)
def test_what_cannot_be_built_says_why(channels, knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("mplb", channels, **knobs)
    assert str(error.value) == message
