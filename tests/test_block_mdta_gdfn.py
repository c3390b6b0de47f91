"""Restormer's block is held to its equations, its published sizes and its paper's ablation."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

import blocks
from blocks._transposed_attention import attend
from blocks.mdta_gdfn import BiasFreeNorm
from tests.test_blocks import image, perturbed

KINDS = [("mta", "fn"), ("mdta", "dfn"), ("mta", "gfn"), ("mdta", "gdfn")]


def parameters(channels: int, **knobs: object) -> int:
    with torch.device("meta"):
        block = blocks.make("mdta_gdfn", channels, **knobs)
    return sum(p.numel() for p in block.parameters())


def spelt_norm(kind, layer, x):
    mean = x.mean(1, keepdim=True)
    deviation = ((x - mean).square().mean(1, keepdim=True) + 1e-5).sqrt()
    if kind == "bias_free":
        return x / deviation * layer.weight
    return (x - mean) / deviation * layer.weight[:, None, None] + layer.bias[:, None, None]


def spelt_attention(layer, x, heads):
    """One image, one head and one pair of channels at a time."""
    q, k, v = layer.depthwise(layer.qkv(x))[0].flatten(1).chunk(3)
    mixed = torch.zeros_like(v)
    size = len(v) // heads
    for head in range(heads):
        own = range(head * size, (head + 1) * size)
        for i in own:
            scores = torch.stack([q[i] @ k[j] / (q[i].norm() * k[j].norm()) for j in own])
            weights = (scores * layer.temperature[head].squeeze()).softmax(0)
            mixed[i] = sum(weight * v[j] for weight, j in zip(weights, own, strict=True))
    return layer.project(mixed.reshape(x.shape))


@pytest.mark.parametrize("norm", ["bias", "bias_free"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("attention", "feed_forward"), KINDS)
def test_it_is_its_equations_written_out(norm, bias, attention, feed_forward):
    knobs = {"norm": norm, "bias": bias, "attention": attention, "feed_forward": feed_forward}
    block = perturbed("mdta_gdfn", heads=2, **knobs).double()
    x = image(1, 8, 6, 7).double()
    with torch.no_grad():
        y = x + spelt_attention(block.attention, spelt_norm(norm, block.norm, x), heads=2)
        hidden = block.mlp.depthwise(block.mlp.enter(spelt_norm(norm, block.mlp_norm, y)))
        if feed_forward.startswith("g"):
            assert hidden.shape[1] == 2 * 21  # int(2.66 * 8) twice
            hidden = F.gelu(hidden[:, :21]) * hidden[:, 21:]
        else:
            assert hidden.shape[1] == 4 * 8
            hidden = F.gelu(hidden)
        torch.testing.assert_close(block(x), y + block.mlp.leave(hidden))


def test_depthwise_convolutions_are_there_or_not():
    full, bare = blocks.make("mdta_gdfn", 8), blocks.make("mdta_gdfn", 8, attention="mta")
    assert full.attention.depthwise.weight.shape == (24, 1, 3, 3)
    assert isinstance(bare.attention.depthwise, torch.nn.Identity)
    assert isinstance(
        blocks.make("mdta_gdfn", 8, feed_forward="gfn").mlp.depthwise, torch.nn.Identity
    )


@pytest.mark.parametrize(
    ("channels", "heads", "expected"), [(32, 2, 14_780), (64, 4, 54_072), (128, 8, 206_192)]
)
def test_parameters_are_those_of_the_released_models(channels, heads, expected):
    assert parameters(channels, heads=heads) == expected


@pytest.mark.parametrize("bias", [False, True])
def test_parameters_follow_the_closed_forms_of_both_parts(bias):
    d, heads, hidden = 96, 4, 192
    attention = heads + 4 * d * d + 27 * d + bias * 7 * d
    feed_forward = 3 * d * hidden + 18 * hidden + bias * (4 * hidden + d)
    norms = 4 * d
    assert parameters(d, heads=heads, expansion=2.0, bias=bias) == attention + feed_forward + norms


@pytest.mark.parametrize(
    ("channels", "heads", "side", "expected"),
    [(32, 2, 256, 1.027), (64, 4, 128, 0.915), (128, 8, 64, 0.859)],
)
def test_multiply_adds_are_those_measured_on_the_released_models(channels, heads, side, expected):
    with torch.device("meta"):
        block = blocks.make("mdta_gdfn", channels, heads=heads)
    assert round(block.macs(side, side) / 1e9, 3) == expected


def restormer_without_refinement(**knobs: object) -> int:
    """Restormer that brings every skip back to C, as in its paper's ablation of the block."""
    levels = [(48, 1, 8), (96, 2, 12), (192, 4, 12), (384, 8, 8)]  # width, heads, blocks
    held = sum(count * parameters(c, heads=heads, **knobs) for c, heads, count in levels)
    resized = sum(9 * c * c // 2 + 9 * 2 * c * 4 * c + 2 * c * c for c in (48, 96, 192))
    return held + resized + 2 * 9 * 3 * 48


@pytest.mark.parametrize(
    ("attention", "feed_forward", "published"),
    [
        ("mta", "fn", 24.84),
        ("mdta", "fn", 25.02),
        ("mta", "dfn", 25.08),
        ("mta", "gdfn", 25.12),
        ("mdta", "gdfn", 25.31),
    ],
)
def test_parameters_of_the_papers_ablation_come_out(attention, feed_forward, published):
    count = restormer_without_refinement(attention=attention, feed_forward=feed_forward)
    assert math.floor(count / 1e4) / 100 == published  # the paper cuts off, it does not round


def test_the_bias_free_norm_scales_but_does_not_centre():
    norm, x = BiasFreeNorm(64), 5 + image(2, 64, 3, 4)
    y = norm(x)
    torch.testing.assert_close(y.var(1, correction=0), torch.ones(2, 3, 4), rtol=1e-3, atol=0)
    torch.testing.assert_close(
        y.mean(1), x.mean(1) / x.var(1, correction=0).sqrt(), rtol=1e-3, atol=0
    )


def test_attention_does_not_see_how_long_queries_and_keys_are():
    q, k, v = (image(2, 8, 4, 5, seed=s) for s in (1, 2, 3))
    temperature = torch.ones(2, 1, 1)
    torch.testing.assert_close(
        attend(100 * q, 0.01 * k, v, temperature), attend(q, k, v, temperature)
    )


def test_a_head_mixes_only_its_own_channels():
    q, k, v = (image(1, 8, 4, 5, seed=s) for s in (1, 2, 3))
    v.requires_grad_()
    attend(q, k, v, torch.ones(2, 1, 1))[:, :4].sum().backward()
    assert v.grad[:, :4].abs().min() > 0
    assert not v.grad[:, 4:].any()


@pytest.mark.parametrize("norm", ["bias", "bias_free"])
def test_an_image_of_zeros_gives_finite_values_and_gradients(norm):
    block, x = blocks.make("mdta_gdfn", 8, norm=norm), torch.zeros(1, 8, 6, 6, requires_grad=True)
    y = block(x)
    y.sum().backward()
    assert y.isfinite().all()
    assert all(p.grad.isfinite().all() for p in (x, *block.parameters()))


def test_large_values_stay_finite_in_bfloat16():
    block = blocks.make("mdta_gdfn", 8, norm="bias_free").to(torch.bfloat16)
    x = 1e4 * image(1, 8, 64, 64).to(torch.bfloat16)
    with torch.no_grad():
        assert block(x).isfinite().all()


@pytest.mark.parametrize(
    ("channels", "knobs", "message"),
    [
        (8, {"heads": 3}, "channels must be a multiple of heads; got channels=8, heads=3"),
        (8, {"heads": 0}, "heads must be at least 1; got heads=0"),
        (
            8,
            {"expansion": 0.1},
            "expansion times channels must be at least 1; got expansion times channels=0",
        ),
    ],
)
def test_what_cannot_be_built_says_why(channels, knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("mdta_gdfn", channels, **knobs)
    assert str(error.value) == message
