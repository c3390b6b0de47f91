"""What thop and fvcore charge for an operator: their arithmetic, restated.

thop 0.1.1 knows types of layers and nothing else; fvcore 0.1.5 knows traced operators. Both mean
multiply-adds, and add to them what they charge for norms and pooling.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn

from ablate.profiling._operators import ATTENTION, NORMS, Work
from ablate.profiling._watching import LAYERS, Operation
from blocks._layout import ChannelNorm
from blocks._pooling import GlobalMean

PRODUCTS: Final = ("linear", "matmul")
THOP_LAYERS: Final = LAYERS - {ChannelNorm, GlobalMean, nn.GroupNorm}

_POOLS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, GlobalMean)
_POOLING = ("aten.mean", "aten._adaptive_avg_pool2d", "aten._adaptive_avg_pool3d")
_UPSAMPLING: Mapping[str, int] = {  # operations that thop charges for each output element
    "nearest": 1,
    "linear": 5,
    "bilinear": 11,
    "bicubic": 224 + 35,
}
_RESIZING: Mapping[str, int] = {  # the same for fvcore
    "aten.upsample_nearest2d": 1,
    "aten.upsample_bilinear2d": 4,
    "aten.grid_sampler_2d": 4,
}


def thop(operation: Operation) -> Work:
    """What thop charges: only for layers, by their type."""
    name, layer = operation.name, operation.layer
    if name in ATTENTION:
        query, key = operation.call["query"], operation.call["key"]
        return {"softmax": _softmax(math.prod(query.shape[:-1]), key.shape[-2])}
    if name == "aten._safe_softmax" or (isinstance(layer, nn.Softmax) and name == "aten._softmax"):
        features = _output(operation).shape[operation.call["dim"]]
        return {"softmax": _softmax(_output(operation).numel() // features, features)}
    if layer is None or isinstance(layer, ChannelNorm | nn.GroupNorm):
        return {}
    if name == "aten.convolution":
        return {"conv": _thop_convolution(operation)}
    if isinstance(layer, nn.Linear):
        return {"linear": operation.work.get("linear", 0)}
    if name in NORMS:
        return {"norm": _input(operation).numel() * (2 if _plain(operation) else 4)}
    return _thop_resizing(operation, layer)


def fvcore(operation: Operation) -> Work:
    """What fvcore charges, with the scan as the papers register it: 9 B L D N + B D L."""
    name, layer = operation.name, operation.layer
    charged = {
        kind: operation.work[kind]
        for kind in ("conv", *PRODUCTS, "scan")
        if operation.work.get(kind)
    }
    if name in NORMS and not isinstance(layer, ChannelNorm):
        charged["norm"] = _input(operation).numel() * _fvcore_norm(operation)
    if isinstance(layer, nn.AdaptiveAvgPool2d | GlobalMean) and name in _POOLING:
        charged["pool"] = operation.call["self"].numel()
    if name in _RESIZING:
        charged["resize"] = _RESIZING[name] * _output(operation).numel()
    return charged


def convolutions(operation: Operation) -> Work:
    """Convolutions at their true cost, and nothing else."""
    return {"conv": operation.work.get("conv", 0)}


def _thop_convolution(operation: Operation) -> int:
    """Kernel times input channels of a group for each output element, transposed or not."""
    weight, call = operation.call["weight"], operation.call
    inputs: int = weight.shape[0] // call["groups"] if call["transposed"] else weight.shape[1]
    kernel: int = math.prod(weight.shape[2:])
    return _output(operation).numel() * inputs * kernel


def _thop_resizing(operation: Operation, layer: nn.Module) -> Work:
    """Pooling, upsampling and the one activation that it charges for."""
    name = operation.name
    if isinstance(layer, _POOLS) and name in _POOLING:
        return {"pool": operation.call["self"].numel() + _output(operation).numel()}
    if isinstance(layer, nn.AvgPool1d | nn.AvgPool2d | nn.AvgPool3d) and "pool" in name:
        return {"pool": _output(operation).numel()}
    if isinstance(layer, nn.Upsample) and "upsample" in name:
        return {"resize": _UPSAMPLING.get(layer.mode, 0) * _output(operation).numel()}
    if isinstance(layer, nn.PReLU):
        return {"elementwise": operation.work.get("elementwise", 0)}
    return {}


def _softmax(rows: int, features: int) -> int:
    """An exponential and a division for each element, and the additions between them."""
    return rows * (3 * features - 1)


def _fvcore_norm(operation: Operation) -> int:
    """5 operations an element, 4 without weights; of BatchNorm with fixed statistics 2 or 1."""
    plain = _plain(operation)
    if operation.call.get("training", True) and "no_training" not in operation.name:
        return 4 if plain else 5
    return 1 if plain else 2


def _plain(operation: Operation) -> bool:
    return operation.call.get("weight") is None


def _input(operation: Operation) -> Tensor:
    found = operation.call.get("input", operation.call.get("self"))
    assert isinstance(found, Tensor)
    return found


def _output(operation: Operation) -> Tensor:
    output = operation.output
    found = output if isinstance(output, Tensor) else output[0]
    assert isinstance(found, Tensor)
    return found
