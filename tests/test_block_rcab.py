"""RCAN's residual channel attention block, held to its equation and to RCAN's size."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import blocks
from tests.test_blocks import image, perturbed


def test_it_is_its_equation_written_out():
    block, x = perturbed("rcab", reduction=4).double(), image(2, 8, 6, 7).double()
    attention = block.attention
    with torch.no_grad():
        a = block.second(block.first(x).clamp(min=0))
        weights = attention.excite(F.relu(attention.squeeze(a.mean((2, 3), keepdim=True))))
        torch.testing.assert_close(block(x), x + a / (1 + torch.exp(-weights)))


def test_without_attention_it_is_a_plain_residual_block():
    block, x = perturbed("rcab", attention="none"), image(1, 8, 6, 7)
    with torch.no_grad():
        torch.testing.assert_close(block(x), x + block.second(block.first(x).relu()))
    assert block.macs(6, 7) == 18 * 8**2 * 6 * 7


def test_two_hundred_of_them_are_rcan():
    def convolution(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + outputs

    block = sum(p.numel() for p in blocks.make("rcab", 64).parameters())
    groups = 10 * (20 * block + convolution(64, 64))
    ends = convolution(3, 64) + convolution(64, 64) + 2 * convolution(64, 256) + convolution(64, 3)
    assert groups + ends == 15_592_355  # RCAN x4 is published with 15.59 M


@pytest.mark.parametrize(("channels", "squeezed"), [(64, 4), (32, 2), (8, 1)])
def test_the_attention_squeezes_by_sixteen_and_never_to_nothing(channels, squeezed):
    assert blocks.make("rcab", channels).attention.squeeze.out_channels == squeezed


def test_what_cannot_be_built_says_why():
    with pytest.raises(ValueError) as error:
        blocks.make("rcab", 8, reduction=0)
    assert str(error.value) == "reduction must be at least 1; got reduction=0"
