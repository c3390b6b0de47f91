"""MambaIR's block: its equations with plain loops, its parts, its published numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import blocks
from blocks._directional_scan import DirectionalScan
from blocks._layout import to_grid, to_pixels
from tests.test_blocks import counted_macs, image, perturbed

LIGHT = {"states": 10, "expand": 1.2, "local": "light_cab"}


def norm(layer: torch.nn.LayerNorm, pixels: Tensor) -> Tensor:
    centred = pixels - pixels.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return scaled * layer.weight + layer.bias


def plain_paths(scan: DirectionalScan, grid: Tensor, orders: list[list[int]]) -> Tensor:
    """(D, H, W) -> (paths, D, L) in raster order, one pixel after the other."""
    d, n, rank = scan.inner, scan.states, scan.rank
    pixels, outputs = grid.flatten(1), []
    for k, order in enumerate(orders):
        mine = slice(k * d, (k + 1) * d)
        rates, skip = -scan.log_rate[mine].exp(), scan.skip[mine]
        h, y = torch.zeros(d, n, dtype=grid.dtype), torch.zeros_like(pixels)
        for i in order:
            u = pixels[:, i]
            low, write, read = (scan.select[k] @ u).split([rank, n, n])
            step = torch.log1p(torch.exp(scan.step[k] @ low + scan.step_bias[mine]))[:, None]
            h = torch.exp(step * rates) * h + step * u[:, None] * write
            y[:, i] = h @ read + skip * u
        outputs.append(y)
    return torch.stack(outputs)


def plain_scan(scan: DirectionalScan, pixels: Tensor, orders: list[list[int]], merge=None):
    """(H, W, C) -> (H, W, C); merge maps (paths, D, L) to weighted paths."""
    a, z = (pixels @ scan.enter.weight.T).chunk(2, dim=-1)
    grid = F.conv2d(
        to_grid(a[None]), scan.depthwise.weight, scan.depthwise.bias, padding=1, groups=scan.inner
    )[0]
    y = plain_paths(scan, grid * grid.sigmoid(), orders)
    y = (y if merge is None else merge(y)).sum(0).T.reshape(a.shape)
    return norm(scan.norm, y) * z * z.sigmoid() @ scan.leave.weight.T


def four_orders(height: int, width: int) -> list[list[int]]:
    rows = list(range(height * width))
    columns = [r * width + c for c in range(width) for r in range(height)]
    return [rows, columns, rows[::-1], columns[::-1]]


@pytest.mark.parametrize("local", ["cab", "light_cab", "channel_attention", "mlp", "none"])
def test_it_is_its_equations_written_out(local):
    block, x = perturbed("vss", 6, local=local, states=3, expand=1.5).double(), image(1, 6, 4, 5)
    u = to_pixels(x.double())
    with torch.no_grad():
        scanned = plain_scan(block.scan, norm(block.norm, u)[0], four_orders(4, 5))
        y = block.scale * u + scanned
        if local != "none":
            near = plain_local(local, block.local, to_grid(norm(block.local_norm, y)))
            y = block.local_scale * y + to_pixels(near)
        torch.testing.assert_close(block(x.double()), to_grid(y))


def plain_local(local: str, parts: torch.nn.Sequential, u: Tensor) -> Tensor:
    if local == "mlp":
        return parts[2](F.gelu(parts[0](u)))
    *convolutions, attention = parts
    for part in convolutions:
        u = part(u)
    means = u.mean((2, 3), keepdim=True)
    return u * torch.sigmoid(attention.excite(F.relu(attention.squeeze(means))))


def test_the_convolutions_are_those_of_the_released_blocks():
    def shapes(block):
        convolutions = [m for m in block.local if isinstance(m, torch.nn.Conv2d)]
        return [(*c.weight.shape, c.dilation[0]) for c in convolutions]

    assert shapes(blocks.make("vss", 60)) == [(20, 60, 3, 3, 1), (60, 20, 3, 3, 1)]
    assert shapes(blocks.make("vss", 60, **LIGHT)) == [
        (30, 60, 1, 1, 1),
        (30, 1, 3, 3, 1),
        (60, 30, 1, 1, 1),
        (60, 1, 3, 3, 2),
    ]
    assert blocks.make("vss", 180).local[-1].squeeze.out_channels == 6
    assert blocks.make("vss", 20).local[-1].squeeze.out_channels == 1


def parameters(channels: int, **knobs: object) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in blocks.make("vss", channels, **knobs).parameters())


def test_parameters_are_those_of_the_released_blocks():
    assert parameters(60, **LIGHT) == 30_596
    assert parameters(60, expand=1.5, compress=6) == 49_692  # of 1,363,320 in 24 blocks
    with torch.device("meta"):
        scan = blocks.make("vss", 60, **LIGHT).scan
    assert sum(p.numel() for p in scan.parameters()) == 25_344


def test_the_classic_network_has_the_published_parameters():
    conv = 9 * 180**2 + 180
    head, tail = 9 * 3 * 180 + 180, (9 * 180 * 64 + 64) + (9 * 64 * 256 + 256) + (9 * 64 * 3 + 3)
    groups = 6 * (6 * parameters(180) + conv)
    assert head + groups + 2 * 2 * 180 + conv + tail == 20_421_863


def test_multiply_adds_a_pixel_are_those_measured_on_the_light_block():
    with torch.device("meta"):
        block = blocks.make("vss", 60, **LIGHT)
    pooled = 2 * 60 * 2  # the channel attention, once an image
    norms, pooling = 5 * (72 + 2 * 60), 60
    pixels = 12 * 20
    assert block.scan.macs(12, 20) == (48_240 - 5 * 72) * pixels
    assert block.macs(12, 20) == (53_310 - norms - pooling) * pixels + pooled


@pytest.mark.parametrize("local", ["cab", "light_cab", "channel_attention", "mlp", "none"])
@pytest.mark.parametrize("directions", [1, 2, 4])
def test_multiply_adds_of_every_variant_are_counted(local, directions):
    with torch.device("meta"):
        block = blocks.make("vss", 16, local=local, directions=directions).eval()
    assert block.macs(9, 14) == counted_macs(block, 16, 9, 14)


@pytest.mark.parametrize(
    ("channels", "knobs", "tenths"), [(60, LIGHT, 9), (180, {"states": 16, "expand": 2.0}, 7)]
)
def test_the_scan_has_the_share_of_the_work_that_is_said(channels, knobs, tenths):
    with torch.device("meta"):
        block = blocks.make("vss", channels, **knobs)
    assert round(10 * block.scan.macs(64, 64) / block.macs(64, 64)) == tenths


def test_fewer_directions_leave_paths_out():
    assert blocks.make("vss", 8, directions=1).scan.paths == ("rows",)
    assert blocks.make("vss", 8, directions=2).scan.paths == ("rows", "rows_back")
    assert parameters(8, directions=1) < parameters(8, directions=2) < parameters(8)


@pytest.mark.parametrize(("directions", "sees_later"), [(1, False), (2, True)])
def test_one_direction_sees_only_what_comes_before(directions, sees_later):
    block = perturbed("vss", directions=directions, local="none")
    x = image(1, 8, 7, 7).requires_grad_()
    block(x)[0, :, 2, 2].sum().backward()
    reached = x.grad[0].abs().sum(0) > 0
    assert reached[0, 0]
    assert reached[6, 6] == sees_later


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"states": 0}, "states must be at least 1; got states=0"),
        (
            {"expand": 0.1},
            "expand times channels must be at least 1; got expand times channels=0",
        ),
        ({"compress": 0}, "compress must be at least 1; got compress=0"),
        (
            {"compress": 9},
            "channels over compress must be at least 1; got channels over compress=0",
        ),
        ({"squeeze": 0}, "squeeze must be at least 1; got squeeze=0"),
        (
            {"local": "mlp", "mlp_ratio": 0.1},
            "mlp_ratio times channels must be at least 1; got mlp_ratio times channels=0",
        ),
    ],
)
def test_what_cannot_be_built_says_why(knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("vss", 8, **knobs)
    assert str(error.value) == message


def test_one_channel_has_no_half():
    with pytest.raises(ValueError) as error:
        blocks.make("vss", 1, local="light_cab")
    assert str(error.value) == "channels over 2 must be at least 1; got channels over 2=0"
