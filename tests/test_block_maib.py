"""MaIR's block: its equations with plain loops, its paths and weights, its published numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import blocks
from blocks._directional_scan import ShuffleAttention
from blocks._layout import to_grid, to_pixels
from blocks._pooling import use_local_means
from tests.test_block_vss import norm, plain_scan
from tests.test_blocks import counted_macs, image, perturbed
from tests.test_paths import nested, windows

TINY = {"states": 1, "expand": 1.1, "mlp_ratio": 1.6, "stripe": 8}


def four_orders(order: str, height: int, width: int, stripe: int, shifted: bool):
    """The walk, the walk of the image turned, and both of the transposed image."""

    def walk(height: int, width: int) -> list[int]:
        if order == "window":
            return windows(height, width, stripe, shifted)
        if order == "raster":
            return list(range(height * width))
        whole = order == "snake"
        return nested(height, width, width if whole else stripe, shifted and not whole)

    last = height * width - 1
    forth = walk(height, width)
    across = [i % height * width + i // height for i in walk(width, height)]
    return [forth, [last - i for i in forth], across, [last - i for i in across]]


def plain_weights(attention: ShuffleAttention, y: torch.Tensor) -> torch.Tensor:
    """(paths, D, L): each path of each channel times its weight."""
    means = y.mean(-1)  # (paths, D)
    weighted = torch.empty_like(y)
    for d in range(y.shape[1]):
        mine = slice(4 * d, 4 * d + 4)
        logits = attention.weigh.weight[mine, :, 0, 0] @ means[:, d] + attention.weigh.bias[mine]
        weighted[:, d] = y[:, d] / (1 + torch.exp(-logits))[:, None]
    return weighted


@pytest.mark.parametrize("order", ["nested", "raster", "snake", "window"])
@pytest.mark.parametrize("merge", ["shuffle", "sum"])
@pytest.mark.parametrize("index", [0, 1])
def test_it_is_its_equations_written_out(order, merge, index):
    torch.manual_seed(0)
    knobs = {"states": 2, "expand": 1.5, "order": order, "merge": merge, "stripe": 3}
    block = blocks.make("maib", 6, index, **knobs).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        x = image(1, 6, 4, 7).double()
        u, scan = to_pixels(x), block.scan
        orders = four_orders(order, 4, 7, 3, index == 1)
        weigh = (lambda y: plain_weights(scan.attention, y)) if merge == "shuffle" else None
        y = block.scale * u + plain_scan(scan, norm(block.norm, u)[0], orders, weigh)
        first, _, last = block.mlp
        expected = block.mlp_scale * y + last(F.gelu(first(norm(block.mlp_norm, y))))
        torch.testing.assert_close(block(x), to_grid(expected))


def test_every_second_block_is_shifted_unless_told_otherwise():
    shifted = [blocks.make("maib", 8, index).scan.walk.shifted for index in range(4)]
    assert shifted == [False, True, False, True]
    assert not blocks.make("maib", 8, 1, shift=False).scan.walk.shifted
    assert blocks.make("maib", 8, 1, order="snake").scan.walk == (
        blocks.make("maib", 8, 0, order="snake", stripe=8).scan.walk
    )


def test_each_second_and_fourth_path_is_the_walk_of_the_image_turned():
    """Hence turning the image and swapping the parameters of the pairs turns the output."""
    block, x = perturbed("maib", 4, stripe=2, merge="sum"), image(1, 4, 5, 6)
    turned = perturbed("maib", 4, stripe=2, merge="sum")
    scan = turned.scan
    with torch.no_grad():
        for parameter in (scan.select, scan.step, scan.step_bias, scan.log_rate, scan.skip):
            pairs = parameter.unflatten(0, (4, -1))
            parameter.copy_(pairs[[1, 0, 3, 2]].flatten(0, 1))
        for part in (block, turned):
            part.scan.depthwise.weight.zero_()[:, :, 1, 1] = 1.0  # the same from all sides
        expected = block(x).rot90(2, (2, 3))
        torch.testing.assert_close(turned(x.rot90(2, (2, 3))), expected, rtol=1e-4, atol=1e-5)


def test_parameters_are_those_of_the_released_block():
    with torch.device("meta"):
        block = blocks.make("maib", 60, **TINY)
    assert sum(p.numel() for p in block.parameters()) == 29_460
    assert sum(p.numel() for p in block.scan.attention.parameters()) == 20 * 66


def test_multiply_adds_a_pixel_are_those_measured():
    with torch.device("meta"):
        block = blocks.make("maib", 60, **TINY)
    norms, pooling, weighing = 5 * (66 + 2 * 60), 4 * 66, 16 * 66
    assert block.macs(12, 20) == (30_468 - norms - pooling) * 12 * 20 + weighing


@pytest.mark.parametrize("order", ["nested", "raster", "snake", "window"])
@pytest.mark.parametrize("merge", ["shuffle", "sum"])
def test_multiply_adds_of_every_variant_are_counted(order, merge):
    with torch.device("meta"):
        block = blocks.make("maib", 16, 1, order=order, merge=merge).eval()
    assert block.macs(9, 14) == counted_macs(block, 16, 9, 14)


def test_weights_of_paths_can_come_from_local_means():
    attention, y = ShuffleAttention(3, 4), image(1, 12, 6, 8).unflatten(1, (4, 3))
    with torch.no_grad():
        whole = attention(y)
        use_local_means(attention, 8)
        torch.testing.assert_close(attention(y), whole)
        use_local_means(attention, 4)
        local = attention(y)
        assert local.shape == y.shape
        assert not torch.allclose(local, whole)
        weights = local / y
    assert (weights[..., 0, 0] - weights[..., 5, 7]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"states": 0}, "states must be at least 1; got states=0"),
        (
            {"expand": 0.1},
            "expand times channels must be at least 1; got expand times channels=0",
        ),
        ({"stripe": 0}, "stripe must be at least 1; got stripe=0"),
        (
            {"mlp_ratio": 0.1},
            "mlp_ratio times channels must be at least 1; got mlp_ratio times channels=0",
        ),
    ],
)
def test_what_cannot_be_built_says_why(knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("maib", 8, **knobs)
    assert str(error.value) == message
