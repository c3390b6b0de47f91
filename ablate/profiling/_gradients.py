"""The table from operator to work for what only the backward pass calls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from torch import Tensor

from ablate.profiling._operators import (
    ATTENTION,
    INTERPOLATIONS,
    NORM_PER_ELEMENT,
    Formula,
    Work,
    aten,
    per_input,
    per_output,
    real,
)

SCAN_BACKWARD_PER_STATE: Final = 20
"""Operations per batch, channel, position and state in the backward pass of a plain recurrence.

The states again (exponential, two products, a multiply-add: 5), the gradient of the state (a
product, a multiply-add: 3), of B, of C and of the step's input (three multiply-adds: 6), of the
decay (two products: 2), and from it those of A and of the step (two multiply-adds: 4).
"""

SOFTMAX_PER_ELEMENT: Final = 4  # times the gradient, sum, subtract, times


def _convolution(call: Mapping[str, Any], output: Any) -> Work:
    """As much as forward for each of the two gradients that is wanted; of biases, a sum."""
    gradient, image, weight = call["grad_output"], call["input"], call["weight"]
    pixels = image if call["transposed"] else gradient
    of_input, of_weight, of_bias = call["output_mask"]
    once = pixels.numel() * math.prod(weight.shape[1:]) * real(image, weight)
    return {"conv": (of_input + of_weight) * once, "reduction": of_bias * gradient.numel()}


def _attention(call: Mapping[str, Any], output: Any) -> Work:
    """Q K^T again, and the gradients of V, of softmax(Q K^T), of Q and of K: five products."""
    query, key, value = call["query"], call["key"], call["value"]
    pairs = math.prod(query.shape[:-1]) * key.shape[-2]
    return {
        "product": pairs * (3 * query.shape[-1] + 2 * value.shape[-1]),
        "softmax": pairs * (2 + SOFTMAX_PER_ELEMENT),  # subtract, exponential: the sums are kept
    }


def _selective_scan(call: Mapping[str, Any], output: Any) -> Work:
    """Twice what the literature charges forward, as it does for products; strictly, the sum."""
    positions = call["delta"].numel()
    states = positions * call["A"].shape[-1]
    skip = positions if call.get("D") is not None else 0
    strict = SCAN_BACKWARD_PER_STATE * states // 2
    return {"scan": 2 * (9 * states + skip), "scan_strict": strict}


def _per_gradient(column: str, operations: int = 1) -> Formula:
    def formula(call: Mapping[str, Any], output: Any) -> Work:
        gradient = next(value for value in call.values() if isinstance(value, Tensor))
        return {column: gradient.numel() * operations}

    return formula


def _window(call: Mapping[str, Any], output: Any) -> Work:
    kernel = call["kernel_size"]
    area = math.prod(kernel) if len(kernel) > 1 else kernel[0] ** 2
    return {"elementwise": call["grad_output"].numel() * area}


def _index_add(call: Mapping[str, Any], output: Any) -> Work:
    return {"elementwise": call["source"].numel()}


BACKWARD_ATTENTION: Final = [f"{name}_backward" for name in ATTENTION]  # (B, heads, N, E)
_NORMS = aten("""
    native_layer_norm_backward native_group_norm_backward _fused_rms_norm_backward
    native_batch_norm_backward cudnn_batch_norm_backward batch_norm_backward
""")
_FOLDED = aten("""
    unfold_backward embedding_dense_backward upsample_nearest2d_backward
    _upsample_nearest_exact2d_backward reflection_pad1d_backward reflection_pad2d_backward
    replication_pad1d_backward replication_pad2d_backward
""")
_POINTWISE = aten("""
    elu_backward softplus_backward hardtanh_backward hardswish_backward hardsigmoid_backward
    leaky_relu_backward log_sigmoid_backward mish_backward softshrink_backward glu_backward
    _prelu_kernel_backward native_dropout native_dropout_backward masked_fill_ masked_fill
    _adaptive_avg_pool2d_backward _adaptive_avg_pool3d_backward adaptive_max_pool2d_backward
    max_pool2d_with_indices_backward
""")

GRADIENTS: Final[Mapping[str, Formula]] = {
    "aten.convolution_backward": _convolution,
    **dict.fromkeys(BACKWARD_ATTENTION, _attention),
    "ablate.selective_scan_backward": _selective_scan,
    "ablate.selective_scan_paths_backward": _selective_scan,
    # twice the five of the forward pass, as for products
    **dict.fromkeys(_NORMS, per_input("norm", 2 * NORM_PER_ELEMENT)),
    **dict.fromkeys(
        aten("_softmax_backward_data _log_softmax_backward_data"),
        per_output("softmax", SOFTMAX_PER_ELEMENT),
    ),
    **{f"{name}_backward": _per_gradient("elementwise", n) for name, n in INTERPOLATIONS.items()},
    **dict.fromkeys(_FOLDED, _per_gradient("reduction")),
    **dict.fromkeys(_POINTWISE, per_output("elementwise")),
    "aten.avg_pool2d_backward": _window,
    **dict.fromkeys(aten("index_add index_add_"), _index_add),
}
BACKWARD_FACTORS: Final[Mapping[str, tuple[str, str]]] = dict.fromkeys(
    BACKWARD_ATTENTION, ("query", "key")
)
