"""The table from operator to work: what each PyTorch operator costs, or that it costs nothing.

A formula maps (named arguments, output) to work by column. Columns of multiply-adds are conv,
product (split into linear and matmul by who calls) and scan; the others count operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from torch import Tensor

Work = dict[str, int]
MAC_CLASSES: Final = ("conv", "linear", "matmul", "scan", "other")
Formula = Callable[[Mapping[str, Any], Any], Work]

SOFTMAX_PER_ELEMENT: Final = 5  # maximum, subtract, exponential, sum, divide
NORM_PER_ELEMENT: Final = 5  # mean, variance (2), subtract, scale: as fvcore counts it


def first(output: Any) -> Tensor:
    """What an operator puts out, or the first of it."""
    return output if isinstance(output, Tensor) else output[0]


def real(*tensors: Tensor) -> int:
    """Real multiply-adds in one multiply-add of these: 4 between complex numbers."""
    return 4 if all(tensor.is_complex() for tensor in tensors) else 1


def _convolution(call: Mapping[str, Any], output: Any) -> Work:
    """Each weight meets each output pixel, or each input pixel if transposed; biases are free."""
    image, weight = call["input"], call["weight"]
    pixels = image if call.get("transposed", False) else first(output)
    return {"conv": pixels.numel() * math.prod(weight.shape[1:]) * real(image, weight)}


def _product(call: Mapping[str, Any], output: Any, left: str, right: str) -> Work:
    """Each element of the output sums over the last axis of the left factor."""
    a, b = call[left], call[right]
    return {"product": first(output).numel() * a.shape[-1] * real(a, b)}


def _attention(call: Mapping[str, Any], output: Any) -> Work:
    """softmax(Q K^T) V with (..., L, E), (..., S, E), (..., S, V); a mask saves nothing."""
    query, key, value = call["query"], call["key"], call["value"]
    pairs = math.prod(query.shape[:-1]) * key.shape[-2]
    return {
        "product": pairs * (query.shape[-1] + value.shape[-1]),
        "softmax": pairs * SOFTMAX_PER_ELEMENT,
    }


def _selective_scan(call: Mapping[str, Any], output: Any) -> Work:
    """The literature's 9 B L D N + B D L, and 3.5 B L D N of the plain recurrence beside it.

    Per batch, channel, position and state the recurrence takes an exponential, two products and
    two multiply-adds: 7 operations, counted as 3.5 multiply-adds.
    """
    positions = call["delta"].numel()  # along paths, u is the same for all of them
    states = positions * call["A"].shape[-1]
    skip = positions if call.get("D") is not None else 0
    return {"scan": 9 * states + skip, "scan_strict": 7 * states // 2}


def per_output(column: str, operations: int = 1) -> Formula:
    """So many operations for each element that is put out."""
    return lambda call, output: {column: first(output).numel() * operations}


def per_input(column: str, operations: int = 1) -> Formula:
    """So many operations for each element of the largest input."""

    def formula(call: Mapping[str, Any], output: Any) -> Work:
        tensors = [value for value in call.values() if isinstance(value, Tensor)]
        return {column: max((t.numel() for t in tensors), default=0) * operations}

    return formula


def _window(call: Mapping[str, Any], output: Any) -> Work:
    kernel = call["kernel_size"]
    area = math.prod(kernel) if len(kernel) > 1 else kernel[0] ** 2
    return {"reduction": first(output).numel() * area}


def _fourier(call: Mapping[str, Any], output: Any) -> Work:
    """5 N log2 N operations per complex transform of N points, half as many per real one."""
    signal, result = call["self"], first(output)
    whole = signal if signal.numel() > result.numel() else result  # the one that is not halved
    points = math.prod(whole.shape[axis] for axis in call["dim"])
    both = signal.is_complex() and result.is_complex()
    return {"fft": int((5 if both else 2.5) * whole.numel() * math.log2(max(points, 1)))}


def _sorting(call: Mapping[str, Any], output: Any) -> Work:
    """Each element is compared with about log2 of their number."""
    length = max(call["self"].shape[call["dim"]], 1)
    return {"reduction": int(call["self"].numel() * math.log2(length))}


def aten(names: str) -> list[str]:
    """Names of PyTorch's own operators, in full."""
    return [f"aten.{name}" for name in names.split()]


ATTENTION: Final = aten("""
    _scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention
    _scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention
    _scaled_dot_product_fused_attention_overrideable
""")
_REDUCTIONS = aten("""
    sum nansum mean prod norm linalg_vector_norm logsumexp var var_mean std std_mean
    amax amin aminmax max min argmax argmin any all count_nonzero
    cumsum cumprod cummax cummin logcumsumexp
    _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d col2im
""")
NORMS: Final = aten("""
    native_layer_norm native_group_norm _fused_rms_norm native_batch_norm
    _native_batch_norm_legit _native_batch_norm_legit_no_training
    _batch_norm_with_update _batch_norm_no_update cudnn_batch_norm
""")
_RANDOM = aten("rand randn rand_like randn_like bernoulli bernoulli_ uniform_ normal_ exponential_")
INTERPOLATIONS: Final = {  # neighbours of each output element
    "aten.upsample_linear1d": 2,
    "aten.upsample_bilinear2d": 4,
    "aten._upsample_bilinear2d_aa": 4,
    "aten.upsample_bicubic2d": 16,
    "aten._upsample_bicubic2d_aa": 16,
    "aten.grid_sampler_2d": 4,
}

# The two arguments whose product it is: both from the image is matmul, one is linear.
FACTORS: Final[Mapping[str, tuple[str, str]]] = {
    "aten.mm": ("self", "mat2"),
    "aten.bmm": ("self", "mat2"),
    "aten.mv": ("self", "vec"),
    "aten.dot": ("self", "tensor"),
    "aten.vdot": ("self", "other"),
    "aten.addmm": ("mat1", "mat2"),
    "aten.addmv": ("mat", "vec"),
    "aten.baddbmm": ("batch1", "batch2"),
    **dict.fromkeys(ATTENTION, ("query", "key")),
}

FORMULAS: Final[Mapping[str, Formula]] = {
    **{name: partial(_product, left=a, right=b) for name, (a, b) in FACTORS.items()},
    **dict.fromkeys(ATTENTION, _attention),
    **dict.fromkeys(aten("convolution _convolution"), _convolution),
    "ablate.selective_scan": _selective_scan,
    "ablate.selective_scan_paths": _selective_scan,
    **dict.fromkeys(_REDUCTIONS, per_input("reduction")),
    **dict.fromkeys(aten("sort topk"), _sorting),
    **dict.fromkeys(aten("avg_pool2d max_pool2d_with_indices"), _window),
    **dict.fromkeys(NORMS, per_input("norm", NORM_PER_ELEMENT)),
    **dict.fromkeys(
        aten("_softmax _log_softmax _safe_softmax"), per_output("softmax", SOFTMAX_PER_ELEMENT)
    ),
    **dict.fromkeys(aten("_fft_r2c _fft_c2r _fft_c2c"), _fourier),
    **dict.fromkeys(_RANDOM, per_output("elementwise")),
    **dict.fromkeys(aten("floor_divide _prelu_kernel"), per_output("elementwise")),
    **{name: per_output("elementwise", taps) for name, taps in INTERPOLATIONS.items()},
    "aten.glu": per_output("elementwise", 2),
}

ALLOCATIONS: Final = frozenset(
    aten("""
        empty empty_like empty_strided empty_permuted new_empty new_empty_strided
        zeros zeros_like new_zeros ones ones_like new_ones full full_like new_full
        arange linspace eye scalar_tensor lift_fresh tril_indices triu_indices
    """)
)

# Copies and rearrangements; views are known by their schema.
FREE: Final = ALLOCATIONS | frozenset(
    aten("""
        clone copy copy_ _to_copy cat stack fill fill_ zero_ set_ resize_
        index index_select index_put index_put_ index_copy index_copy_ index_fill
        _unsafe_index _unsafe_index_put _unsafe_masked_index embedding take
        gather scatter scatter_ masked_scatter select_scatter slice_scatter
        roll flip repeat repeat_interleave tril triu tril_ triu_ im2col
        constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d
        pixel_shuffle pixel_unshuffle channel_shuffle upsample_nearest2d _upsample_nearest_exact2d
        complex view_as_complex view_as_real _unsafe_view _reshape_copy split_with_sizes_copy
        slice_backward select_backward _linalg_check_errors
    """)
)
