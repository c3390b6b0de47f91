"""Other counters' figures: published ones of whole networks, and their arithmetic on layers."""

from __future__ import annotations

import math
import tomllib
import warnings
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import blocks
from ablate.mix import Choice, Network
from ablate.network import build
from ablate.profiling._passes import Passes
from ablate.profiling._watching import Watching
from ablate.profiling.conventions import (
    CONVENTIONS,
    ConventionCount,
    charge,
    count_as,
    see_released,
)
from ablate.profiling.flops import count_forward, count_parameters
from ablate.study import load_study, shipped_studies
from blocks._layout import ChannelNorm
from blocks._pooling import GlobalMean
from blocks._routing import routed
from blocks.scan import selective_scan
from tests.shipped import network
from tests.test_network import photo, small, stage, unet

C, SIDE = 8, 6
PIXELS = SIDE * SIDE
IMAGE = (2, C, SIDE, SIDE)
ELEMENTS = math.prod(IMAGE)


class Computes(nn.Module):
    """A module that does what it is told with its layers, and holds a bare parameter."""

    def __init__(self, compute: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.compute, self.layers = compute, nn.ModuleList(layers)

    def forward(self, image: Tensor) -> Tensor:
        return self.compute(image, *self.layers)


class Bare(nn.Module):
    """A layer beside a weight that belongs to no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(C, C))
        self.layer = nn.Conv2d(C, C, 1)

    def forward(self, image: Tensor) -> Tensor:
        return torch.einsum("bchw,cd->bdhw", self.layer(image), self.weight)


def over_tokens(image: Tensor, layer: nn.Module) -> Tensor:
    return layer(image.flatten(2).mT)


def counted(name: str, layer: nn.Module, shape: tuple[int, ...] = IMAGE) -> ConventionCount:
    return count_as(layer, shape, name)


# Published figures, all at 1 x 3 x 256 x 256.


@cache
def system(name: str) -> tuple[Passes[Watching], int]:
    """What is seen of a published network, and its parameters."""
    model = network(name)
    return see_released(model, (1, 3, 256, 256)), count_parameters(model)


@pytest.mark.parametrize(
    ("name", "convention", "params", "gmacs"),
    [
        ("restormixer", "thop", 2.8047, 25.155),
        ("restormixer", "fvcore", 3.1954, 24.625 + 3.193),
        ("restormixer-gopro", "thop", 4.896, 42.966),
        ("restormer", "thop", 26.0965, 140.990),
        ("restormer", "conv-only", 26.1266, 140.990),
        ("restormer", "fvcore", 26.1266, 154.882),
        ("nafnet-gopro-32", "fvcore", 17.1119, 15.971),
        ("nafnet-gopro-64", "fvcore", 67.8888, 63.085),
        ("nafnet-sidd-32", "fvcore", 29.1597, 16.065),
        ("m3snet-32", "thop", 16.683, 18.652),
        ("m3snet-32", "fvcore", 16.7323, 18.668),
    ],
)
def test_a_published_network_has_the_figure_that_the_counter_gave(name, convention, params, gmacs):
    count = charge(*system(name), convention)
    assert count.params / 1e6 == pytest.approx(params, abs=6e-4)
    assert count.macs / 1e9 == pytest.approx(gmacs, abs=1.1e-3)


def test_what_thop_makes_of_restormixer_part_by_part():
    count = charge(*system("restormixer"), "thop")
    giga = {kind: macs / 1e9 for kind, macs in count.by_class.items()}
    expected = {
        "conv": 10.183 + 4.352,
        "linear": 10.100,
        "norm": 0.179 + 0.164 + 0.006,
        "softmax": 0.173,
    }
    assert giga == pytest.approx(expected, abs=1.5e-3)
    assert {"ablate.selective_scan", "aten.bmm"} <= set(count.uncounted)


def test_the_figure_told_of_mambairv2_light_is_that_of_ungated_feed_forward_parts():
    """175.3 G by thop and 301.672 G by fvcore; the light model has 286.3 G by fvcore."""
    text = shipped_studies()["mambairv2-light-x2"].read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    raw["network"]["group"][0]["block"]["gated"] = False
    study = load_study(raw)
    with torch.device("meta"):
        model = build(study.mix(()).network)
    seen, params = see_released(model, (1, 3, 360, 640)), count_parameters(model)
    assert params == 843_212
    assert charge(seen, params, "thop").macs / 1e9 == pytest.approx(175.3, abs=0.05)
    assert charge(seen, params, "fvcore").macs / 1e9 == pytest.approx(301.672, abs=2e-3)


def test_our_own_convention_is_our_own_count():
    model, shape = Bare(), (1, C, SIDE, SIDE)
    ours, count = count_as(model, shape, "ablate"), count_forward(model, shape)
    assert (ours.macs, ours.by_class) == (count.total, count.by_class)
    assert (ours.params, ours.uncounted) == (count_parameters(model), ())


# thop's arithmetic.


THOP = [
    (nn.Conv2d(C, 5, 3, padding=1, groups=1), "conv", 2 * PIXELS * 5 * C * 9),
    (nn.Conv2d(C, C, 3, 2, 1, groups=4), "conv", 2 * PIXELS // 4 * C * 2 * 9),
    (nn.ConvTranspose2d(C, 4, 4, 2, 1), "conv", 2 * 4 * PIXELS * 4 * C * 16),
    (nn.ConvTranspose2d(C, 4, 4, 2, 1, groups=2), "conv", 2 * 4 * PIXELS * 4 * C // 2 * 16),
    (nn.Linear(SIDE, 5), "linear", 2 * C * SIDE * SIDE * 5),
    (nn.LayerNorm(SIDE), "norm", 4 * ELEMENTS),
    (nn.LayerNorm(SIDE, elementwise_affine=False), "norm", 2 * ELEMENTS),
    (nn.BatchNorm2d(C), "norm", 4 * ELEMENTS),
    (nn.BatchNorm2d(C, affine=False), "norm", 2 * ELEMENTS),
    (nn.InstanceNorm2d(C, affine=True), "norm", 4 * ELEMENTS),
    (nn.InstanceNorm2d(C), "norm", 2 * ELEMENTS),
    (nn.Softmax(1), "softmax", ELEMENTS // C * (3 * C - 1)),
    (nn.AvgPool2d(2), "pool", ELEMENTS // 4),
    (nn.AdaptiveAvgPool2d(1), "pool", ELEMENTS + 2 * C),
    (nn.AdaptiveAvgPool2d(2), "pool", ELEMENTS + 2 * C * 4),
    (GlobalMean(), "pool", ELEMENTS + 2 * C),
    (nn.Upsample(scale_factor=2), "resize", 4 * ELEMENTS),
    (nn.Upsample(scale_factor=2, mode="bilinear"), "resize", 11 * 4 * ELEMENTS),
    (nn.Upsample(scale_factor=2, mode="bicubic"), "resize", 259 * 4 * ELEMENTS),
    (nn.PReLU(), "elementwise", ELEMENTS),
]


@pytest.mark.parametrize(("layer", "kind", "charge"), THOP, ids=lambda value: str(value)[:30])
def test_thop_charges_for_a_layer(layer: nn.Module, kind: str, charge: int):
    count = counted("thop", Computes(lambda image, layer: layer(image), layer))
    assert count.by_class == {kind: charge}
    assert (count.macs, count.range) == (charge, (charge, charge))
    assert count.params == count_parameters(layer)


@pytest.mark.parametrize("layer", [ChannelNorm(C), nn.GroupNorm(2, C), nn.ReLU(), nn.Sigmoid()])
def test_thop_charges_nothing_for_what_it_does_not_know(layer: nn.Module):
    count = counted("thop", layer)
    assert (count.macs, count.params, count.by_class) == (0, 0, {})


def test_thop_sees_no_product_and_no_parameter_outside_a_layer():
    count = counted("thop", Bare())
    assert count.by_class == {"conv": 2 * PIXELS * C * C}
    assert (count.params, count.uncounted) == (C * C + C, ("aten.bmm",))


def test_thop_sees_neither_attention_nor_scan_but_a_softmax():
    def compute(image: Tensor) -> Tensor:
        tokens = image.flatten(2).mT.contiguous()[:, None]  # (2, 1, PIXELS, C)
        attended = functional.scaled_dot_product_attention(tokens, tokens, tokens)[:, 0].mT
        states = attended[:, None, :4]
        return selective_scan(attended, attended, -torch.ones(C, 4), states, states, None)

    count = counted("thop", Computes(compute))
    assert count.by_class == {"softmax": 2 * PIXELS * (3 * PIXELS - 1)}
    assert "ablate.selective_scan" in count.uncounted
    assert any("scaled_dot_product" in name for name in count.uncounted)


def test_the_weight_of_a_layer_is_that_layers_however_it_is_called():
    def compute(image: Tensor, linear: nn.Linear) -> Tensor:
        halves = linear.weight.chunk(2)
        return torch.cat([functional.linear(image, half) for half in halves], -1)

    linear = nn.Linear(SIDE, 4, bias=False)
    count = counted("thop", Computes(compute, linear))
    assert count.by_class == {"linear": 2 * C * SIDE * SIDE * 4}
    assert count.params == SIDE * 4


def test_a_layer_that_is_never_used_is_never_seen():
    used, unused = nn.Conv2d(C, C, 1), nn.Conv2d(C, C, 3)
    count = counted("thop", Computes(lambda image, first, second: first(image), used, unused))
    assert count.params == count_parameters(used)


# fvcore's arithmetic, held against fvcore.


def theirs(model: nn.Module, shape: tuple[int, ...]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(model.eval(), torch.rand(shape))
        return analysis.unsupported_ops_warnings(False).total()


FVCORE = [
    nn.Conv2d(C, 5, 3, padding=1),
    nn.Conv2d(C, C, 3, 2, 1, groups=4),
    nn.ConvTranspose2d(C, 4, 4, 2, 1, groups=2),
    nn.Linear(SIDE, 5),
    nn.LayerNorm(SIDE),
    nn.LayerNorm(SIDE, elementwise_affine=False),
    nn.GroupNorm(2, C),
    nn.GroupNorm(2, C, affine=False),
    nn.BatchNorm2d(C),
    nn.BatchNorm2d(C, affine=False),
    nn.InstanceNorm2d(C, affine=True),
    nn.InstanceNorm2d(C),
    nn.AdaptiveAvgPool2d(1),
    nn.AdaptiveAvgPool2d(2),
    nn.Upsample(scale_factor=2),
    nn.Upsample(scale_factor=2, mode="bilinear"),
    nn.AvgPool2d(2),
    nn.Softmax(1),
    nn.GELU(),
    Bare(),
]


@pytest.mark.parametrize("layer", FVCORE, ids=lambda layer: str(layer)[:40].replace("\n", ""))
def test_fvcore_charges_for_a_layer(layer: nn.Module):
    assert counted("fvcore", layer).macs == theirs(layer, IMAGE)


@pytest.mark.parametrize("name", ["rdcnn", "lama", "mdta_gdfn", "nafblock", "mhamb", "convnext"])
def test_fvcore_charges_for_a_block(name: str):
    """Less what stands for norms by hand, and plus the pooling that is spelt as a mean."""
    block, shape = blocks.make(name, C), (1, C, 16, 16)
    pixels = math.prod(shape)
    by_hand = sum(isinstance(part, ChannelNorm) for part in block.modules()) * 5 * pixels
    pooled = sum(isinstance(part, GlobalMean) for part in block.modules()) * pixels
    assert counted("fvcore", block, shape).macs == theirs(block, shape) - by_hand + pooled


def test_fvcore_is_taught_the_scan_and_the_products_inside_attention():
    block, shape = blocks.make("emvm", C), (1, C, 16, 16)
    scan = count_forward(block, shape).by_class["scan"]
    assert counted("fvcore", block, shape).macs == theirs(block, shape) + scan
    attention = blocks.make("mwsa", C)
    products = count_forward(attention, shape).by_class["matmul"]
    assert counted("fvcore", attention, shape).macs == theirs(attention, shape) + products


def test_fvcore_says_what_it_does_not_see():
    count = counted("fvcore", nn.Sequential(nn.GELU(), nn.Softmax(1), nn.Conv2d(C, C, 1)))
    assert count.uncounted == ("aten.gelu", "aten._softmax")


# What released code computes and ours does not.


def test_a_supervised_network_is_counted_with_its_other_scales():
    network = small(("rdcnn",), levels=2, supervised=True)
    with torch.device("meta"):
        model = build(network)
    heads = 9 * 3 * 16 * 16 * 16  # 3 x 3, 2 * 8 channels to 3, at 16 x 16
    ours, theirs = (count_as(model, (1, 3, 32, 32), n) for n in ("ablate", "fvcore"))
    assert theirs.by_class["conv"] - ours.by_class["conv"] == heads


def test_pixels_that_fill_up_windows_go_through_whole_blocks():
    """16 x 16 in windows of 24: 24 x 24 pixels everywhere."""
    mwsa = Choice.of("mwsa", {"window": 24, "heads": 2, "mlp_ratio": 2.0, "grow": False})
    network: Network = unet(stage("stage1", mwsa), stage("decoder1"), width=C, zero_head=False)
    with torch.device("meta"):
        model = build(network)
    ours, released = (count_as(model, (1, 3, 16, 16), n) for n in ("ablate", "fvcore"))
    assert ours.by_class["linear"] == 24 * 24 * 3 * C * C + 16 * 16 * 5 * C * C
    assert released.by_class["linear"] == 24 * 24 * 8 * C * C
    block = next(part for part in model.modules() if hasattr(part, "spares_padding"))
    assert block.spares_padding


@torch.no_grad()
def test_computing_the_filling_changes_nothing_that_is_kept():
    torch.manual_seed(0)
    block, x = blocks.make("mwsa", C).eval(), photo(1, C, 11, 13)
    spared = block(x)
    block.spares_padding = False
    torch.testing.assert_close(block(x), spared)


# Conventions by name; routed networks.


def test_an_unknown_convention_is_one_line_with_the_nearest_name():
    with pytest.raises(ValueError) as raised:
        counted("fvcor", nn.GELU())
    assert str(raised.value) == (
        "no convention is named 'fvcor'; did you mean 'fvcore'? "
        f"(conventions: {', '.join(CONVENTIONS)})"
    )


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_routed_block_costs_the_mean_of_its_experts_between_the_extremes(name: str):
    """All that differs is a number of operations for each pixel and expert."""
    block = blocks.make("moce", 16)
    count = counted(name, block, (1, 16, 32, 32))
    low, high = count.range
    each = routed(block)[0].expert_costs()
    spread = (sum(each) / len(each) - min(each)) / (max(each) - min(each))
    assert (count.macs - low) / (high - low) == pytest.approx(spread, rel=0.05)
