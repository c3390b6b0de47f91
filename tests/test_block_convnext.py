"""ConvNeXt's block, held to its equation, its initial values and the size of ConvNeXt-T."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import blocks
from tests.test_blocks import image, perturbed


@pytest.mark.parametrize("kernel", [7, 3])
def test_it_is_its_equation_written_out(kernel):
    block, x = perturbed("convnext", kernel=kernel).double(), image(2, 8, 9, 10).double()
    first, _, last = block.mlp
    with torch.no_grad():
        weight, bias = block.depthwise.weight, block.depthwise.bias
        a = F.conv2d(x, weight, bias, padding=kernel // 2, groups=8).movedim(1, -1)
        a = a - a.mean(-1, keepdim=True)
        a = a / (a.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        a = F.gelu((a * block.norm.weight + block.norm.bias) @ first.weight.T + first.bias)
        a = block.layer_scale * (a @ last.weight.T + last.bias)
        torch.testing.assert_close(block(x), x + a.movedim(-1, 1))


def test_blocks_of_this_size_make_convnext_t():
    def block(channels: int) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in blocks.make("convnext", channels).parameters())

    stages = sum(n * block(c) for c, n in ((96, 3), (192, 3), (384, 9), (768, 3)))
    stem = 3 * 16 * 96 + 96 + 2 * 96
    down = sum(2 * c + 4 * c * 2 * c + 2 * c for c in (96, 192, 384))
    head = 2 * 768 + 768 * 1000 + 1000
    assert stages + stem + down + head == 28_589_128


def test_it_starts_from_small_weights_and_next_to_the_identity():
    torch.manual_seed(0)
    block, x = blocks.make("convnext", 64), image(1, 64, 8, 8)
    assert torch.equal(block.layer_scale, torch.full((64,), 1e-6))
    for weight in (block.depthwise.weight, block.mlp[0].weight, block.mlp[2].weight):
        assert 0.018 < weight.std() < 0.022
    assert not any(layer.bias.any() for layer in (block.depthwise, block.mlp[0], block.mlp[2]))
    with torch.no_grad():
        assert 0 < (block(x) - x).abs().max() < 1e-5


def test_the_layer_scale_starts_where_it_is_told_to():
    x = image(1, 8, 8, 8)
    assert torch.equal(blocks.make("convnext", 8, layer_scale=0.0)(x), x)
    assert torch.equal(
        blocks.make("convnext", 8, layer_scale=0.5).layer_scale, torch.full((8,), 0.5)
    )


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"kernel": 4}, "kernel must be odd; got kernel=4"),
        ({"kernel": 0}, "kernel must be at least 1; got kernel=0"),
        (
            {"mlp_ratio": 0.1},
            "mlp_ratio times channels must be at least 1; got mlp_ratio times channels=0",
        ),
    ],
)
def test_what_cannot_be_built_says_why(knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("convnext", 8, **knobs)
    assert str(error.value) == message
