"""M3SNet's middle block is Restormer's attention alone."""

from __future__ import annotations

import pytest
import torch

import blocks
from tests.test_block_mdta_gdfn import spelt_attention
from tests.test_blocks import image, perturbed


def test_it_is_attention_between_channels_written_out():
    block, x = perturbed("mhamb", 16).double(), image(1, 16, 5, 6).double()
    with torch.no_grad():
        torch.testing.assert_close(block(x), spelt_attention(block.attention, x, heads=8))


def test_nothing_leads_around_it():
    block, x = perturbed("mhamb"), image(1, 8, 6, 6)
    with torch.no_grad():
        block.attention.project.weight.zero_()
        assert not block(x).any()


def test_no_convolution_has_a_bias():
    assert {n.rpartition(".")[2] for n, _ in blocks.make("mhamb", 8).named_parameters()} == {
        "temperature",
        "weight",
    }


def test_at_the_width_of_m3snet_32_it_costs_what_was_measured():
    with torch.device("meta"):
        block = blocks.make("mhamb", 16 * 32)
    assert sum(p.numel() for p in block.parameters()) == 8 + 4 * 512**2 + 27 * 512
    assert round(block.macs(16, 16) / 1e9, 3) == 0.289


def test_a_width_that_its_heads_cannot_share_says_so():
    with pytest.raises(ValueError) as error:
        blocks.make("mhamb", 12)
    assert str(error.value) == "channels must be a multiple of heads; got channels=12, heads=8"
