"""Efficient attention is held to weights between all pairs of pixels, written out."""

from __future__ import annotations

import pytest
import torch

import blocks
from tests.test_blocks import image, perturbed


def test_it_is_attention_with_weights_that_factor_and_add_up_to_1():
    block, x = perturbed("efficient_attention", heads=2).double(), image(2, 8, 5, 6).double()
    with torch.no_grad():
        tokens = x.flatten(2).transpose(1, 2)  # (B, N, C)
        q, k, v = block.qkv(block.norm(tokens)).split(8, dim=-1)
        found = []
        for head in (slice(0, 4), slice(4, 8)):
            over_channels = q[..., head].exp() / q[..., head].exp().sum(-1, keepdim=True)
            over_pixels = k[..., head].exp() / k[..., head].exp().sum(1, keepdim=True)
            weights = torch.einsum("bid,bjd->bij", over_channels, over_pixels)
            torch.testing.assert_close(weights.sum(-1), torch.ones(2, 30).double())
            found.append(weights @ v[..., head])
        y = tokens + block.project(torch.cat(found, dim=-1))
        expected = (y + block.mlp(block.mlp_norm(y))).transpose(1, 2).reshape(x.shape)
        torch.testing.assert_close(block(x), expected)


def test_every_pixel_reaches_every_other():
    block, x = perturbed("efficient_attention"), image(1, 8, 9, 11).requires_grad_()
    block(x)[0, :, 0, 0].sum().backward()
    assert (x.grad[0].abs().sum(0) > 0).all()


def test_pixels_in_another_order_give_outputs_in_that_order():
    block, x = perturbed("efficient_attention"), image(1, 8, 6, 6)
    order = torch.randperm(36, generator=torch.Generator().manual_seed(0))
    shuffled = x.flatten(2)[..., order].reshape(x.shape)
    with torch.no_grad():
        expected = block(x).flatten(2)[..., order].reshape(x.shape)
        torch.testing.assert_close(block(shuffled), expected, rtol=1e-4, atol=1e-5)


def test_half_floats_do_not_lose_pixels_of_a_large_image():
    block, x = perturbed("efficient_attention"), image(1, 8, 256, 256)
    with torch.no_grad():
        exact = block(x)
        with torch.autocast("cpu", torch.bfloat16):
            rough = block(x)
    assert (rough.float() - exact).norm() <= 0.02 * exact.norm()


def test_cost_a_pixel_does_not_grow_with_the_image():
    with torch.device("meta"):
        block = blocks.make("efficient_attention", 64, heads=4)
    assert block.macs(16, 16) == 256 * (12 * 64**2 + 2 * 64 * 16)
    assert block.macs(160, 160) == 100 * block.macs(16, 16)
    count = sum(p.numel() for p in block.parameters())
    assert count == 12 * 64**2 + (3 + 1 + 4 + 1) * 64 + 2 * 2 * 64


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"heads": 3}, "channels must be a multiple of heads; got channels=8, heads=3"),
        ({"heads": 0}, "heads must be at least 1; got heads=0"),
        (
            {"mlp_ratio": 0.1},
            "mlp_ratio times channels must be at least 1; got mlp_ratio times channels=0",
        ),
    ],
)
def test_what_cannot_be_built_says_why(knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("efficient_attention", 8, **knobs)
    assert str(error.value) == message
