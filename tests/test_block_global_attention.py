"""Attention over all pixels, held to its equations and its cost."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import blocks
from tests.test_blocks import image, perturbed


def test_it_is_its_equations_written_out():
    block, x = perturbed("global_attention", heads=2).double(), image(2, 8, 5, 6).double()
    with torch.no_grad():
        tokens = x.flatten(2).mT  # (2, 30, 8)
        normed = F.layer_norm(tokens, (8,), block.norm.weight, block.norm.bias, 1e-6)
        q, k, v = (normed @ block.qkv.weight.T + block.qkv.bias).split(8, dim=-1)
        heads = [
            torch.softmax(q[..., h] @ k[..., h].mT / 2, dim=-1) @ v[..., h]
            for h in (slice(0, 4), slice(4, 8))
        ]
        y = tokens + block.project(torch.cat(heads, dim=-1))
        normed = F.layer_norm(y, (8,), block.mlp_norm.weight, block.mlp_norm.bias, 1e-6)
        first, _, last = block.mlp
        expected = y + last(F.gelu(first(normed)))
        torch.testing.assert_close(block(x), expected.mT.unflatten(2, (5, 6)))


def test_shuffled_pixels_give_shuffled_outputs():
    block, x = perturbed("global_attention"), image(1, 8, 6, 7)
    order = torch.randperm(42, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        shuffled = block(x.flatten(2)[..., order].unflatten(2, (6, 7)))
        expected = block(x).flatten(2)[..., order].unflatten(2, (6, 7))
    torch.testing.assert_close(shuffled, expected, rtol=1e-4, atol=1e-5)


def test_one_pixel_reaches_all():
    block, x = perturbed("global_attention"), image(1, 8, 9, 11).requires_grad_()
    block(x)[0, :, 0, 0].sum().backward()
    assert (x.grad[0].abs().sum(0) > 0).all()


def test_twice_the_side_is_sixteen_times_the_attention():
    block = blocks.make("global_attention", 32)
    per_pixel = 4 * 32**2 + 2 * 32 * 128
    small, large = (block.macs(side, side) - per_pixel * side**2 for side in (16, 32))
    assert large == 16 * small == 16 * 2 * 32 * 16**4
    assert round(block.macs(256, 256) / 1e9) == 276


def test_parameters_are_those_of_a_transformer_layer():
    block = blocks.make("global_attention", 384, heads=6)
    assert sum(p.numel() for p in block.parameters()) == 1_774_464  # a layer of ViT-S


@pytest.mark.parametrize(
    ("channels", "knobs", "message"),
    [
        (30, {}, "channels must be a multiple of heads; got channels=30, heads=4"),
        (8, {"heads": 0}, "heads must be at least 1; got heads=0"),
        (
            8,
            {"mlp_ratio": 0.1},
            "mlp_ratio times channels must be at least 1; got mlp_ratio times channels=0",
        ),
    ],
)
def test_what_cannot_be_built_says_why(channels, knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("global_attention", channels, **knobs)
    assert str(error.value) == message
