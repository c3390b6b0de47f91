"""The table from operator to work for what few restoration networks call, backward too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from ablate.profiling._operators import Formula, Work, aten, first, per_input, per_output

_LSTM_PER_STATE: Final = 9  # four gates, three products, a sum, one more activation


def _trilinear(call: Mapping[str, Any], output: Any) -> Work:
    """nn.Bilinear: three factors are multiplied where all their axes meet, then summed."""
    shapes = []
    for factor, axes in (("i1", "expand1"), ("i2", "expand2"), ("i3", "expand3")):
        shape = list(call[factor].shape)
        for axis in sorted(call[axes]):
            shape.insert(axis, 1)
        shapes.append(shape)
    meeting = math.prod(map(max, *shapes))
    return {"linear": meeting, "elementwise": meeting}


def _recurrent(weights: tuple[str, str], times: int) -> Formula:
    """A layer of an LSTM: both its matrices meet every position of every sequence."""

    def formula(call: Mapping[str, Any], output: Any) -> Work:
        positions = math.prod(call["input"].shape[:2])
        macs = positions * sum(call[weight].numel() for weight in weights)
        states = positions * call["hidden_size"]
        return {"linear": times * macs, "elementwise": times * states * _LSTM_PER_STATE}

    return formula


def _distances(call: Mapping[str, Any], output: Any) -> Work:
    """|x|^2 - 2 x y + |y|^2 by one product, then the root."""
    pairs = first(output).numel()
    return {"product": pairs * call["x1"].shape[-1], "elementwise": 4 * pairs}


def _sum_of_products(call: Mapping[str, Any], output: Any) -> Work:
    a = call["batch1"]
    return {"product": first(output).numel() * a.shape[0] * a.shape[-1]}


def _outer(call: Mapping[str, Any], output: Any) -> Work:
    return {"product": first(output).numel()}


def _window(where: str, column: str, axes: int) -> Formula:
    """Each output element looks at a window; backward, each gradient is spread over one."""

    def formula(call: Mapping[str, Any], output: Any) -> Work:
        kernel = call["kernel_size"]
        area = math.prod(kernel) if len(kernel) > 1 else kernel[0] ** axes
        elements = call[where].numel() if where else first(output).numel()
        return {column: elements * area}

    return formula


def _per_argument(name: str, column: str, operations: int = 1) -> Formula:
    return lambda call, output: {column: call[name].numel() * operations}


def _search(boundaries: str) -> Formula:
    """Halving a sorted sequence for each value."""

    def formula(call: Mapping[str, Any], output: Any) -> Work:
        length = max(call[boundaries].shape[-1], 1)
        elements = first(output).numel()
        return {"reduction": math.ceil(elements * math.log2(length))}

    return formula


def _bag(call: Mapping[str, Any], output: Any) -> Work:
    return {"reduction": call["indices"].numel() * call["weight"].shape[-1]}


def _diagonal(call: Mapping[str, Any], output: Any) -> Work:
    return {"reduction": min(call["self"].shape)}


def _weight_norm(rounds: int) -> Formula:
    """Squares and their sum, then a scale."""

    def formula(call: Mapping[str, Any], output: Any) -> Work:
        elements = first(output).numel() * rounds
        return {"reduction": elements, "elementwise": 2 * elements}

    return formula


_POINTWISE = aten("""
    hardswish hardshrink_backward rrelu_with_noise rrelu_with_noise_backward
    fake_quantize_per_tensor_affine_cachemask randint randperm hann_window hamming_window
    blackman_window bartlett_window kaiser_window polar mse_loss_backward smooth_l1_loss_backward
    huber_loss_backward nll_loss_backward nll_loss2d_backward
""")
_LOSSES = aten("mse_loss smooth_l1_loss huber_loss binary_cross_entropy_with_logits")
_SCATTERED = aten("scatter_add scatter_add_ scatter_reduce scatter_reduce_")

RARE: Final[Mapping[str, Formula]] = {
    "aten._trilinear": _trilinear,
    "aten.mkldnn_rnn_layer": _recurrent(("weight0", "weight1"), 1),
    "aten.mkldnn_rnn_layer_backward": _recurrent(("weight1", "weight2"), 2),
    "aten._euclidean_dist": _distances,
    "aten.addbmm": _sum_of_products,
    "aten.addr": _outer,
    "aten.avg_pool3d": _window("", "reduction", 3),
    "aten.max_pool3d_with_indices": _window("", "reduction", 3),
    "aten.fractional_max_pool2d": _window("", "reduction", 2),
    "aten.avg_pool3d_backward": _window("grad_output", "elementwise", 3),
    **dict.fromkeys(
        aten("max_pool3d_with_indices_backward fractional_max_pool2d_backward"),
        _per_argument("grad_output", "elementwise"),
    ),
    "aten.upsample_trilinear3d": per_output("elementwise", 8),
    "aten.upsample_trilinear3d_backward": _per_argument("grad_output", "elementwise", 8),
    **dict.fromkeys(
        aten("upsample_nearest1d_backward upsample_nearest3d_backward"),
        _per_argument("grad_output", "reduction"),
    ),
    "aten.affine_grid_generator": per_output("elementwise", 5),  # three products, two sums
    "aten._weight_norm_interface": _weight_norm(1),
    "aten._weight_norm_interface_backward": _weight_norm(2),
    "aten.log_sigmoid_forward": per_output("elementwise"),
    **dict.fromkeys(_POINTWISE, per_output("elementwise")),
    **dict.fromkeys(_LOSSES, per_input("elementwise")),
    **dict.fromkeys(
        aten("nll_loss_forward nll_loss2d_forward"), _per_argument("target", "reduction")
    ),
    **dict.fromkeys(_SCATTERED, _per_argument("index", "elementwise")),
    **dict.fromkeys(aten("kthvalue median nanmedian mode histc renorm"), per_input("reduction")),
    "aten.trace": _diagonal,
    "aten.bucketize": _search("boundaries"),
    "aten.searchsorted": _search("sorted_sequence"),
    "aten._embedding_bag": _bag,
}
RARE_FACTORS: Final[Mapping[str, tuple[str, str]]] = {
    "aten._euclidean_dist": ("x1", "x2"),
    "aten.addbmm": ("batch1", "batch2"),
    "aten.addr": ("vec1", "vec2"),
}
RARELY_FREE: Final = frozenset(
    aten("""
        transpose_ t_ squeeze_ unsqueeze_ as_strided_ unsafe_split unsafe_split_with_sizes
        rot90 diag_embed diagonal_backward diagonal_scatter as_strided_scatter max_unpool2d
        max_unpool3d upsample_nearest1d upsample_nearest3d _upsample_nearest_exact1d
        _upsample_nearest_exact3d reflection_pad3d replication_pad3d masked_select
    """)
)
