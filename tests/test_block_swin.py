"""Swin's block, held to its equations, to the original's cyclic shift and to SwinIR's counts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import blocks
from tests.test_blocks import SIZES, counted_macs, image


def swin(index: int, channels: int = 8, **knobs: object) -> torch.nn.Module:
    torch.manual_seed(0)
    block = blocks.make("swin", channels, index, **knobs).eval()
    for parameter in block.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return block


def cyclic_shift_with_mask(layer: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Attention as Swin describes it: roll, cut, mask what was no neighbour, roll back."""
    (_, height, width, channels), w, shift = x.shape, layer.window, layer.shift
    rolled = x.roll((-shift, -shift), (1, 2))
    region = torch.zeros(height, width)
    for i, rows in enumerate((slice(-w, -shift), slice(-shift, None))):
        region[rows] += 3 * (i + 1)
    for i, columns in enumerate((slice(-w, -shift), slice(-shift, None))):
        region[:, columns] += i + 1
    place = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(w), indexing="ij")).flatten(1)
    offset = place[:, :, None] - place[:, None] + w - 1
    bias = layer.bias[offset[0] * (2 * w - 1) + offset[1]].permute(2, 0, 1)
    out = torch.empty_like(rolled)
    for top in range(0, height, w):
        for left in range(0, width, w):
            tile = (slice(top, top + w), slice(left, left + w))
            tokens = rolled[:, *tile].reshape(len(x), -1, channels)
            q, k, v = (
                t.unflatten(-1, (layer.heads, -1)).transpose(1, 2)
                for t in layer.qkv(tokens).chunk(3, -1)
            )
            apart = region[tile].flatten()[:, None] != region[tile].flatten()
            logits = q @ k.mT / q.shape[-1] ** 0.5 + bias - 100.0 * apart
            mixed = (logits.softmax(-1) @ v).transpose(1, 2).reshape(len(x), w, w, channels)
            out[:, *tile] = layer.project(mixed)
    return out.roll((shift, shift), (1, 2))


def test_a_shifted_block_is_cyclic_shift_with_mask_written_out():
    block, x = swin(1, window=4, heads=2).double(), image(2, 8, 12, 8).double()
    with torch.no_grad():
        pixels = x.movedim(1, -1)
        normed = F.layer_norm(pixels, (8,), block.norm.weight, block.norm.bias, 1e-5)
        y = pixels + cyclic_shift_with_mask(block.attention, normed)
        first, _, last = block.mlp
        normed = F.layer_norm(y, (8,), block.mlp_norm.weight, block.mlp_norm.bias, 1e-5)
        expected = y + last(F.gelu(first(normed)))
        torch.testing.assert_close(block(x), expected.movedim(-1, 1))


def reached(block: torch.nn.Module, height: int, width: int, at: tuple[int, int]) -> torch.Tensor:
    x = image(1, 8, height, width).requires_grad_()
    block(x)[0, :, at[0], at[1]].sum().backward()
    return x.grad[0].abs().sum(0) > 0


@pytest.mark.parametrize(
    ("index", "at", "rows", "columns"),
    [
        (0, (1, 6), slice(0, 4), slice(4, 8)),
        (1, (3, 6), slice(2, 6), slice(6, 10)),
        (1, (0, 11), slice(0, 2), slice(10, 12)),  # the corner, between what is shifted around
        (1, (8, 0), slice(6, 9), slice(0, 2)),  # the last row, beside padding
        (2, (8, 0), slice(8, 9), slice(0, 4)),
    ],
)
def test_it_reaches_its_own_window_and_no_further(index, at, rows, columns):
    expected = torch.zeros(9, 12, dtype=torch.bool)
    expected[rows, columns] = True
    assert torch.equal(reached(swin(index, window=4), 9, 12, at), expected)


def test_what_lies_beyond_the_border_plays_no_part():
    block, x = swin(0), image(1, 8, 5, 6)
    with torch.no_grad():
        y = x.movedim(1, -1).reshape(1, 30, 8)
        offset = torch.arange(30)
        row, column = offset // 6, offset % 6
        entry = (row[:, None] - row + 7) * 15 + column[:, None] - column + 7
        q, k, v = (
            t.unflatten(-1, (4, 2)).transpose(1, 2)
            for t in block.attention.qkv(block.norm(y)).chunk(3, -1)
        )
        weights = (q @ k.mT / 2**0.5 + block.attention.bias[entry].permute(2, 0, 1)).softmax(-1)
        y = y + block.attention.project((weights @ v).transpose(1, 2).flatten(2))
        y = y + block.mlp(block.mlp_norm(y))
        torch.testing.assert_close(block(x), y.reshape(1, 5, 6, 8).movedim(-1, 1))


def test_odd_blocks_are_shifted_by_half_a_window():
    shifts = [blocks.make("swin", 8, i, window=7).attention.shift for i in range(4)]
    assert shifts == [0, 3, 0, 3]
    assert blocks.make("swin", 8, 1, shift=False).attention.shift == 0


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_shifted_block_takes_any_size_and_costs_what_is_counted(height, width):
    block, x = swin(1), image(1, 8, height, width)
    with torch.no_grad():
        exact = block(x)
        with torch.autocast("cpu", torch.bfloat16):
            rough = block(x)
        block.to(memory_format=torch.channels_last)
        last = block(x.to(memory_format=torch.channels_last))
    assert exact.isfinite().all()
    assert (rough.float() - exact).norm() <= 0.02 * exact.norm()
    torch.testing.assert_close(last, exact, rtol=1e-4, atol=1e-5)
    assert block.macs(height, width) == counted_macs(block.to("meta"), 8, height, width)


def test_a_shifted_block_trains_and_exports_where_windows_do_not_fit():
    block, x = swin(1), image(2, 8, 13, 17)
    block(x).square().mean().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in block.parameters())
    exported = torch.export.export(block, (x,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(x), block(x), rtol=1e-4, atol=1e-5)


def test_twenty_four_of_them_are_swinir_light():
    block = blocks.make("swin", 60, heads=6)
    convolutions = 5 * (9 * 60**2 + 60) + (9 * 60 * 3 + 60) + (9 * 60 * 12 + 12)
    norms = 2 * 2 * 60
    parameters = 24 * sum(p.numel() for p in block.parameters()) + convolutions + norms
    assert parameters == 910_152  # published as 910 K
    macs = 24 * block.macs(360, 640) + (5 * 9 * 60**2 + 9 * 60 * (3 + 12)) * 360 * 640
    normed = 5 * 50 * 60 * 360 * 640  # as the published figure has it, 5 for each value normed
    assert (macs + normed) / 1e9 == pytest.approx(244.2, rel=0.002)


@pytest.mark.parametrize(
    ("channels", "knobs", "message"),
    [
        (30, {}, "channels must be a multiple of heads; got channels=30, heads=4"),
        (8, {"heads": 0}, "heads must be at least 1; got heads=0"),
        (8, {"window": 0}, "window must be at least 1; got window=0"),
        (
            8,
            {"mlp_ratio": 0.1},
            "mlp_ratio times channels must be at least 1; got mlp_ratio times channels=0",
        ),
    ],
)
def test_what_cannot_be_built_says_why(channels, knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("swin", channels, **knobs)
    assert str(error.value) == message
