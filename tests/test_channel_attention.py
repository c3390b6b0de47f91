"""The channel attention that several blocks share, held to its equation."""

from __future__ import annotations

import pytest
import torch

from blocks._channel_attention import ChannelAttention
from blocks._pooling import use_local_means


def test_channels_are_scaled_by_a_sigmoid_of_two_layers_over_their_means():
    torch.manual_seed(0)
    attention, x = ChannelAttention(6, 2).double(), torch.randn(3, 6, 4, 5).double()
    with torch.no_grad():
        inside = x.mean((2, 3)) @ attention.squeeze.weight.flatten(1).T + attention.squeeze.bias
        outside = inside.clamp(min=0) @ attention.excite.weight.flatten(1).T + attention.excite.bias
        expected = x / (1 + (-outside).exp())[:, :, None, None]
        torch.testing.assert_close(attention(x), expected)


def test_parameters_are_two_biased_1x1_convolutions_and_macs_one_per_weight():
    attention = ChannelAttention(64, 4)
    assert sum(p.numel() for p in attention.parameters()) == 2 * 64 * 4 + 64 + 4
    assert attention.macs() == 2 * 64 * 4


def test_its_mean_can_be_local():
    torch.manual_seed(0)
    attention, x = ChannelAttention(4, 2), torch.randn(1, 4, 12, 10)
    whole = attention(x)
    use_local_means(attention, 6)
    with torch.no_grad():
        assert attention(x).shape == x.shape
        assert not torch.allclose(attention(x), whole)


def test_it_cannot_squeeze_to_nothing():
    with pytest.raises(ValueError) as error:
        ChannelAttention(8, 0)
    assert str(error.value) == "squeezed channels must be at least 1; got squeezed channels=0"
