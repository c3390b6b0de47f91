"""Multiply-adds by hand arithmetic, operator by operator."""

from __future__ import annotations

import copy
import ctypes
import math
import warnings
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

import blocks
from ablate.mix import Network
from ablate.network import build
from ablate.profiling.flops import CountError, MacCount, count_forward, count_macs, count_parameters
from ablate.study import load_study
from blocks.scan import selective_scan
from tests.test_network import restormixer

CHANNELS, SIDE = 8, 6
PIXELS = SIDE * SIDE
IMAGE = (2, CHANNELS, SIDE, SIDE)
ELEMENTS = math.prod(IMAGE)


class Computes(nn.Module):
    """A module that does what it is told with its layers."""

    def __init__(self, compute: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.compute, self.layers = compute, nn.ModuleList(layers)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"image": self.compute(image, *self.layers)}


def count(
    compute: Callable[..., Tensor], *layers: nn.Module, shape: tuple[int, ...] = IMAGE
) -> MacCount:
    return count_forward(Computes(compute, *layers), shape)


def tokens(image: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H W, C)."""
    return image.flatten(2).mT


def apply(image: Tensor, layer: nn.Module) -> Tensor:
    return layer(image)


def over_tokens(image: Tensor, layer: nn.Module) -> Tensor:
    return layer(tokens(image))


def itself(image: Tensor, layer: nn.MultiheadAttention) -> Tensor:
    return layer(*[tokens(image)] * 3)[0]


def scanned(u: Tensor, *, states: int = 4, skip: bool = True) -> Tensor:
    """The scan over u (B, D, L) with projections that depend on it."""
    projection = u[:, None, :states]
    decay = -torch.ones(u.shape[1], states)
    return selective_scan(
        u, u, decay, projection, projection, torch.ones(u.shape[1]) if skip else None
    )


CONVOLUTIONS: Sequence[tuple[nn.Module, int]] = [
    (nn.Conv2d(CHANNELS, 5, 3, padding=1), 2 * PIXELS * 5 * CHANNELS * 9),
    (nn.Conv2d(CHANNELS, 5, 1), 2 * PIXELS * 5 * CHANNELS),
    (nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS), 2 * PIXELS * CHANNELS * 9),
    (nn.Conv2d(CHANNELS, 5, 2, stride=2), 2 * PIXELS // 4 * 5 * CHANNELS * 4),
    (nn.ConvTranspose2d(CHANNELS, 5, 2, stride=2), 2 * PIXELS * CHANNELS * 5 * 4),
    (nn.ConvTranspose2d(CHANNELS, CHANNELS, 2, stride=2, groups=4), 2 * PIXELS * CHANNELS * 2 * 4),
]


@pytest.mark.parametrize(("layer", "expected"), CONVOLUTIONS)
def test_macs_of_a_convolution_are_one_per_weight_and_position(layer, expected):
    counted = count(apply, layer)
    assert counted.total == expected
    assert counted.by_class == {"conv": expected}
    assert counted.uncounted == ()


def test_macs_of_a_one_dimensional_convolution():
    counted = count(lambda x, layer: layer(x.flatten(2)), nn.Conv1d(CHANNELS, 5, 3, padding=1))
    assert counted.by_class == {"conv": 2 * PIXELS * 5 * CHANNELS * 3}


@pytest.mark.parametrize("bias", [True, False])
def test_macs_of_a_linear_layer_are_one_per_weight_and_token(bias):
    counted = count(over_tokens, nn.Linear(CHANNELS, 5, bias=bias))
    assert counted.by_class == {"linear": 2 * PIXELS * CHANNELS * 5}


def test_a_product_with_weights_is_linear_however_it_is_spelt():
    layer = nn.Linear(CHANNELS, 5)
    spellings: list[Callable[..., Tensor]] = [
        lambda x, linear: torch.einsum("bchw,dc->bdhw", x, linear.weight),
        lambda x, linear: tokens(x) @ linear.weight.mT,
        lambda x, linear: tokens(x) @ (linear.weight / linear.weight.norm()).contiguous().mT,
        lambda x, linear: torch.matmul(linear.weight, x.flatten(2)),
        lambda x, linear: torch.cat([linear(half) for half in tokens(x).chunk(2, dim=1)], 1),
    ]
    expected = {"linear": 2 * PIXELS * CHANNELS * 5}
    assert [count(spelling, layer).by_class for spelling in spellings] == [expected] * 5


def test_a_product_of_two_things_made_from_the_image_is_a_matmul():
    spellings: list[Callable[..., Tensor]] = [
        lambda x: x.flatten(2) @ tokens(x),
        lambda x: torch.bmm(x.flatten(2), tokens(x)),
        lambda x: torch.einsum("bchw,bdhw->bcd", x, x),
        lambda x: torch.baddbmm(torch.zeros(1, 1, 1), x.flatten(2), tokens(x)),
    ]
    expected = {"matmul": 2 * CHANNELS * CHANNELS * PIXELS}
    assert [count(spelling).by_class for spelling in spellings] == [expected] * 4


def test_what_the_image_was_written_into_comes_from_the_image():
    def compute(image: Tensor) -> Tensor:
        canvas = torch.zeros(2, CHANNELS, PIXELS)
        canvas[:, 1:] = image.flatten(2)[:, 1:]
        return canvas @ canvas.mT

    assert count(compute).by_class == {"matmul": 2 * CHANNELS * CHANNELS * PIXELS}


def test_vectors_are_counted_too():
    counted = count(
        lambda x: torch.dot(x.flatten(), x.flatten()) + (x.flatten(2)[0] @ x[0, 0].ravel())
    )
    assert counted.by_class == {"matmul": ELEMENTS + CHANNELS * PIXELS}


def test_a_complex_multiply_add_is_four_real_ones():
    square = (1, 3, 4, 4)
    counted = count(lambda x: (torch.fft.fft2(x) @ torch.fft.fft2(x)).real, shape=square)
    assert counted.by_class == {"matmul": 4 * 3 * 4 * 4 * 4}


def attention(image: Tensor, *_: object, **kwargs: object) -> Tensor:
    heads = tokens(image).contiguous().unflatten(-1, (2, CHANNELS // 2)).transpose(1, 2)
    return functional.scaled_dot_product_attention(heads, heads, heads, **kwargs)


def test_scaled_dot_product_attention_is_two_products_on_any_path():
    expected = 2 * (2 * PIXELS * PIXELS * CHANNELS)  # batch of 2; Q K^T and P V
    counted = count(attention)
    assert counted.by_class == {"matmul": expected}
    assert counted.softmax == 5 * 2 * 2 * PIXELS * PIXELS
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        assert count(attention).by_class == {"matmul": expected}
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.FLASH_ATTENTION):
        fused = count(attention)
    assert (fused.by_class, fused.softmax) == ({"matmul": expected}, counted.softmax)


@pytest.mark.parametrize("weights", [True, False])
def test_multihead_attention_keeps_no_fast_path_from_the_count(weights):
    layer = nn.MultiheadAttention(CHANNELS, 2, batch_first=True)
    counted = count(lambda x, layer: layer(*[tokens(x)] * 3, need_weights=weights)[0], layer)
    assert counted.by_class == {
        "linear": 2 * PIXELS * 4 * CHANNELS * CHANNELS,
        "matmul": 2 * 2 * PIXELS * PIXELS * CHANNELS,
    }


def test_a_transformer_layer_keeps_no_fast_path_from_the_count():
    layer = nn.TransformerEncoderLayer(CHANNELS, 2, 16, batch_first=True)
    counted = count(over_tokens, layer)
    assert counted.by_class["linear"] == 2 * PIXELS * (4 * CHANNELS * CHANNELS + 2 * CHANNELS * 16)
    assert counted.by_class["matmul"] == 2 * 2 * PIXELS * PIXELS * CHANNELS
    assert counted.norm == 2 * 5 * ELEMENTS


def test_the_fast_path_is_as_it_was_after_counting():
    before = torch.backends.mha.get_fastpath_enabled()
    count(itself, nn.MultiheadAttention(CHANNELS, 2, batch_first=True))
    assert torch.backends.mha.get_fastpath_enabled() is before


def test_the_scan_counts_by_the_literature_and_strictly_beside_it():
    counted = count(lambda x: scanned(x.flatten(2)))
    cells = 2 * CHANNELS * PIXELS
    assert counted.by_class == {"scan": 9 * cells * 4 + cells}
    assert counted.total == 9 * cells * 4 + cells
    assert counted.scan_strict == 3.5 * cells * 4


def test_a_scan_without_skip_does_not_pay_for_one():
    counted = count(lambda x: scanned(x.flatten(2), skip=False))
    assert counted.by_class == {"scan": 9 * 2 * CHANNELS * PIXELS * 4}


def test_all_classes_add_up_to_the_total():
    def compute(image: Tensor, conv: nn.Module, linear: nn.Module) -> Tensor:
        return scanned(tokens(linear(tokens(conv(image)))).mT.mT) @ tokens(image)

    counted = count(compute, nn.Conv2d(CHANNELS, CHANNELS, 1), nn.Linear(CHANNELS, CHANNELS))
    assert set(counted.by_class) == {"conv", "linear", "matmul", "scan"}
    assert counted.total == sum(counted.by_class.values())


def test_elementwise_work_is_one_per_element_and_no_multiply_add():
    counted = count(lambda x: functional.gelu(x) + x.sigmoid())
    assert (counted.total, counted.elementwise) == (0, 3 * ELEMENTS)


def test_masks_and_choices_between_elements_are_elementwise():
    counted = count(lambda x: x.masked_fill(x > 0, 0.0) + torch.where(x > 1, x, -x))
    assert counted.elementwise == 6 * ELEMENTS


@pytest.mark.parametrize(
    "reduce",
    [
        lambda x: x.mean((2, 3)),
        lambda x: x.sum(),
        lambda x: x.amax(1),
        lambda x: x.max(dim=1)[0],
        lambda x: x.cumsum(-1),
        lambda x: functional.adaptive_avg_pool2d(x, 1),
        lambda x: functional.avg_pool2d(x, 2),
        lambda x: functional.max_pool2d(x, 2),
    ],
)
def test_a_reduction_reads_each_element_once(reduce):
    counted = count(reduce)
    assert (counted.total, counted.reduction, counted.uncounted) == (0, ELEMENTS, ())


def test_sorting_compares_each_element_with_the_logarithm_of_their_number():
    assert count(lambda x: x.topk(2, dim=1)[0]).reduction == ELEMENTS * 3


@pytest.mark.parametrize(
    ("layer", "compute"),
    [
        (nn.GroupNorm(2, CHANNELS), apply),
        (nn.BatchNorm2d(CHANNELS), apply),
        (nn.LayerNorm(CHANNELS), over_tokens),
        (nn.InstanceNorm2d(CHANNELS), apply),
    ],
)
def test_a_norm_costs_five_operations_per_element(layer, compute):
    counted = count(compute, layer)
    assert (counted.norm, counted.total, counted.uncounted) == (5 * ELEMENTS, 0, ())


def test_a_softmax_costs_five_operations_per_element():
    assert count(lambda x: x.softmax(1)).softmax == 5 * ELEMENTS


def test_a_real_fourier_transform_costs_half_a_complex_one():
    shape = (1, 3, 8, 8)
    numbers, points = 3 * 64, 64
    assert count(lambda x: torch.fft.rfft2(x).real, shape=shape).fft == 2.5 * numbers * 6
    assert count(lambda x: torch.fft.irfft2(torch.fft.rfft2(x)), shape=shape).fft == 5 * numbers * 6
    complex_first = count(lambda x: torch.fft.fft2(x.to(torch.complex64)).real, shape=shape)
    assert complex_first.fft == 5 * numbers * math.log2(points)


def test_interpolation_costs_one_per_neighbour_and_nearest_is_a_copy():
    up = 4 * ELEMENTS
    assert (
        count(lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear")).elementwise
        == 4 * up
    )
    assert (
        count(lambda x: functional.interpolate(x, scale_factor=2, mode="bicubic")).elementwise
        == 16 * up
    )
    assert count(lambda x: functional.interpolate(x, scale_factor=2)) == count(lambda x: x.clone())


@pytest.mark.parametrize(
    "move",
    [
        lambda x: functional.pixel_unshuffle(x, 2),
        lambda x: functional.pixel_shuffle(x, 2),
        lambda x: functional.unfold(functional.pad(x, (1, 1, 1, 1), mode="reflect"), 3),
        lambda x: torch.roll(x, (1, 2), (2, 3)).flip(2).permute(0, 2, 3, 1).contiguous(),
        lambda x: torch.cat([x, x], 1)[:, ::2].repeat(1, 2, 1, 1).bfloat16(),
        lambda x: functional.pad(x, (1, 1)).unfold(2, 2, 2).reshape(2, -1),
        lambda x: x.gather(1, torch.zeros(IMAGE, dtype=torch.long)),
    ],
)
def test_moving_numbers_about_is_free(move):
    counted = count(move)
    nothing = (counted.total, counted.elementwise, counted.reduction, counted.uncounted)
    assert nothing == (0, 0, 0, ())


def test_an_operator_without_formula_is_named():
    counted = count(lambda x: torch.linalg.inv(x))
    assert "aten.linalg_inv_ex" in counted.uncounted


@torch.library.custom_op("ablate_test_flops::unknown", mutates_args=())
def unknown(x: Tensor) -> Tensor:
    return x.clone()


@torch.library.custom_op("ablate_test_flops::declared", mutates_args=())
def declared(x: Tensor) -> Tensor:
    return x.clone()


unknown.register_fake(torch.empty_like)
declared.register_fake(torch.empty_like)


@register_flop_formula(torch.ops.ablate_test_flops.declared)
def _(shape: tuple[int, ...], *_: object, **__: object) -> int:
    return 2 * 7 * math.prod(shape)


def test_a_custom_operator_is_named_unless_it_registered_a_formula():
    assert count(lambda x: unknown(x)).uncounted == ("ablate_test_flops.unknown",)
    counted = count(lambda x: declared(x))
    assert (counted.by_class, counted.uncounted) == ({"other": 7 * ELEMENTS}, ())


class Opaque(torch.autograd.Function):
    """Fills its output behind PyTorch's back."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return torch.empty_like(x.contiguous())


class OpaqueMemory(torch.autograd.Function):
    """Hands addresses to C."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        y = torch.empty_like(x)
        ctypes.memmove(y.data_ptr(), x.data_ptr(), x.nbytes)
        return y


class Transparent(torch.autograd.Function):
    """Multiplies by PyTorch's operators."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.flatten(2) @ tokens(x)


class Forwarding(torch.autograd.Function):
    """Only changes the gradient."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.view_as(x)


def test_a_function_that_works_behind_the_dispatcher_is_named():
    assert count(Opaque.apply).uncounted == (f"{__name__}.Opaque.forward",)


def test_a_function_made_of_operators_is_counted_and_not_named():
    counted = count(Transparent.apply)
    assert (counted.total, counted.uncounted) == (2 * CHANNELS * CHANNELS * PIXELS, ())
    assert count(Forwarding.apply).uncounted == ()


def test_memory_that_operators_fill_is_not_suspected():
    def compute(image: Tensor) -> Tensor:
        canvas = torch.empty(2, CHANNELS + 1, SIDE, SIDE)
        canvas[:, 1:] = image
        canvas[:, :1].zero_()
        scaled = torch.empty_like(image)
        torch.mul(image, 2, out=scaled)
        return torch.cat([canvas, scaled, torch.empty(2, 0, SIDE, SIDE)], 1)

    assert count(compute).uncounted == ()


def test_a_function_whose_output_goes_on_to_other_operators_is_named_too():
    counted = count(lambda x: Opaque.apply(x).mT + x)
    assert counted.uncounted == (f"{__name__}.Opaque.forward",)


def test_a_function_that_asks_for_memory_is_an_error_that_names_it():
    with pytest.raises(CountError) as raised:
        count(OpaqueMemory.apply)
    assert str(raised.value) == (
        f"multiply-adds over {IMAGE} cannot be counted: {__name__}.OpaqueMemory.forward hands "
        "memory to foreign code; make it an operator (torch.library)"
    )


def test_a_shape_that_depends_on_values_is_an_error_of_one_line():
    with pytest.raises(CountError, match=r"^multiply-adds over .* counted: aten.nonzero.default$"):
        count(lambda x: x[x > 0])


def test_composite_operators_are_taken_apart_in_inference_mode_too():
    def compute(image: Tensor, linear: nn.Module) -> Tensor:
        with torch.inference_mode():
            return linear(tokens(image)) @ image.flatten(2)

    counted = count(compute, nn.Linear(CHANNELS, CHANNELS))
    assert counted.by_class == {
        "linear": 2 * PIXELS * CHANNELS * CHANNELS,
        "matmul": 2 * PIXELS * CHANNELS * PIXELS,
    }
    assert counted.uncounted == ()


def test_autocast_changes_nothing():
    def compute(image: Tensor, conv: nn.Module, linear: nn.Module) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return linear(tokens(conv(image)))

    layers = nn.Conv2d(CHANNELS, CHANNELS, 1), nn.Linear(CHANNELS, 5)
    assert count(compute, *layers).by_class == {
        "conv": 2 * PIXELS * CHANNELS * CHANNELS,
        "linear": 2 * PIXELS * CHANNELS * 5,
    }


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Dropout(), nn.Conv2d(4, 3, 1)).train()


def test_the_network_is_left_as_it_was():
    model = network()
    before = copy.deepcopy(model.state_dict())
    count_macs(model, (4, 4))
    assert all(module.training for module in model.modules())
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_network_on_meta_counts_like_a_real_one():
    with torch.device("meta"):
        meta = network()
    assert count_macs(meta, (4, 6)) == count_macs(network(), (4, 6))


def test_a_network_may_be_far_too_large_to_run():
    with torch.device("meta"):
        layer = nn.Conv2d(3, 100_000, 3, padding=1)
    counted = count_macs(layer, (4096, 4096), batch=64)
    assert counted.total == 64 * 4096**2 * 100_000 * 27


def test_macs_grow_with_the_batch_and_the_image():
    one = count_macs(network(), (4, 4)).total
    assert one == 16 * (3 * 4 * 9 + 4 * 3)
    assert count_macs(network(), (4, 4), batch=3).total == 3 * one
    assert count_macs(network(), (8, 4)).total == 2 * one


def test_shared_parameters_count_once_and_buffers_never():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    assert count_parameters(nn.Sequential(first, second, nn.BatchNorm1d(3))) == 9 + 3 + 3 + 6


def test_frozen_parameters_count():
    layer = nn.Conv2d(3, 4, 3)
    assert count_parameters(layer.requires_grad_(False)) == 3 * 4 * 9 + 4


def test_fvcore_agrees_on_convolutions_and_linear_layers():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.ConvTranspose2d(8, 4, 2, stride=2),
        nn.Flatten(2),
        nn.Linear(16 * 16, 5),
    ).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(model, torch.rand(1, 3, 8, 8)).unsupported_ops_warnings(False)
        theirs = analysis.by_operator()
    ours = count_macs(model, (8, 8))
    assert ours.by_class == {"conv": theirs["conv"], "linear": theirs["linear"]}


@pytest.mark.parametrize("name", list(blocks.blocks))
def test_nothing_in_a_block_is_left_uncounted(name):
    counted = count_forward(blocks.make(name, 24), (1, 24, 20, 12))
    assert counted.uncounted == ()
    assert (counted.total > 0) is (name != "identity")


BLOCK_WIDTH, BLOCK_SIDE = 48, 16
BLOCK_IMAGE = (1, BLOCK_WIDTH, BLOCK_SIDE, BLOCK_SIDE)


def test_a_nafblock_takes_six_square_widths_and_eighteen_widths_a_pixel():
    pixels, c = BLOCK_SIDE**2, BLOCK_WIDTH
    expected = pixels * (6 * c * c + 18 * c) + c * c  # the last for the pooled channels
    assert count_forward(blocks.make("nafblock", c), BLOCK_IMAGE).by_class == {"conv": expected}


def test_window_attention_multiplies_each_token_with_its_window_twice():
    counted = count_forward(blocks.make("mwsa", BLOCK_WIDTH, window=8), BLOCK_IMAGE)
    assert counted.by_class["matmul"] == 2 * BLOCK_SIDE**2 * 8**2 * BLOCK_WIDTH


def test_linear_attention_multiplies_by_a_matrix_per_head_and_a_normaliser():
    counted = count_forward(blocks.make("lama", BLOCK_WIDTH, heads=4), BLOCK_IMAGE)
    assert counted.by_class["matmul"] == BLOCK_SIDE**2 * BLOCK_WIDTH * (2 * BLOCK_WIDTH // 4 + 1)


def on_meta(network: Network) -> nn.Module:
    with torch.device("meta"):
        return build(network)


def test_nafnet_has_its_published_multiply_adds():
    network = load_study("nafnet-gopro-32").mix(()).network
    counted = count_macs(on_meta(network), (256, 256))
    assert counted.total == counted.by_class["conv"]
    assert counted.total / 1e9 == pytest.approx(15.956, abs=5e-4)


def test_restormixer_has_the_multiply_adds_of_its_released_code():
    """fvcore's 11.271 + 10.100 + 2.013 + 0.939 G, less two heads that only training asks for.

    The einsum of 0.939 G has a weight for one factor. fvcore cannot count the scan.
    """
    counted = count_macs(on_meta(restormixer()), (256, 256))
    heads = 9 * 3 * (64 * 128**2 + 128 * 64**2)
    assert (counted.by_class["conv"] + heads) / 1e9 == pytest.approx(11.271, abs=5e-4)
    assert counted.by_class["linear"] / 1e9 == pytest.approx(10.100 + 0.939, abs=1e-3)
    assert counted.by_class["matmul"] / 1e9 == pytest.approx(2.013, abs=5e-4)
    assert counted.by_class["scan"] / 1e9 == pytest.approx(3.193, abs=5e-4)
    assert counted.uncounted == ()
