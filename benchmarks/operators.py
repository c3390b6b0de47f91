"""Operators whose multiply-adds are known by arithmetic, and what other counters make of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from ablate.profiling._fvcore import Tensors
from blocks.scan import selective_scan

C, SIDE, HEADS, OUT = 16, 8, 2, 12
L = SIDE * SIDE
STATES = 4
IMAGE = (1, C, SIDE, SIDE)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One operator.

    Args:
        make: A module that calls it, over an image (1, 16, 8, 8).
        macs: Its multiply-adds by arithmetic.
        fvcore: What fvcore 0.1.5 says, without norms; the truth where nothing else is given.
        flop_counter: Half of what PyTorch 2.13's FlopCounterMode says; the same.
        counted: Whether an operator's work can be known at all.
    """

    make: Callable[[], nn.Module]
    macs: int
    fvcore: int | None = None
    flop_counter: int | None = None
    counted: bool = True


class Does(nn.Module):
    """Does what it is told with its layers."""

    def __init__(self, compute: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.compute, self.layers = compute, nn.ModuleList(layers)

    def forward(self, image: Tensor) -> Tensor:
        """Whatever that returns."""
        return self.compute(image, *self.layers)


def tokens(image: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H W, C)."""
    return image.flatten(2).transpose(1, 2)


def heads(image: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, heads, H W, C / heads)."""
    return tokens(image).contiguous().view(1, L, HEADS, C // HEADS).transpose(1, 2)


def attention(image: Tensor) -> Tensor:
    """By PyTorch's own operator."""
    x = heads(image)
    return functional.scaled_dot_product_attention(x, x, x)


def linear_attention(image: Tensor) -> Tensor:
    """K^T V, and Q with what comes of it."""
    x = heads(image)
    state = torch.einsum("bhld,bhle->bhde", x.softmax(-2), x)
    return torch.einsum("bhld,bhde->bhle", x, state)


def itself(image: Tensor, layer: nn.MultiheadAttention) -> Tensor:
    """Self-attention by PyTorch's module."""
    x = tokens(image)
    return layer(x, x, x, need_weights=False)[0]


def scan(backend: str) -> Callable[[Tensor], Tensor]:
    """The selective scan by one of its back ends."""

    def compute(image: Tensor) -> Tensor:
        u = image.flatten(2)
        projection = u[:, None, :STATES]
        decay = -torch.ones(C, STATES)
        return selective_scan(u, u, decay, projection, projection, torch.ones(C), backend=backend)

    return compute


@torch.library.custom_op("ablate_golden::planted", mutates_args=())
def planted(x: Tensor) -> Tensor:
    """An operator that nobody has a formula for."""
    return x @ x.transpose(-1, -2)


planted.register_fake(lambda x: x.new_empty(*x.shape[:-1], x.shape[-2]))


class Products(torch.autograd.Function):
    """A product, differentiated by hand."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        """X^T X."""
        return x.transpose(-1, -2) @ x


Make = Callable[[], nn.Module]


def _module(
    compute: Callable[..., Tensor], *layers: Callable[[], nn.Module]
) -> Callable[[], nn.Module]:
    return lambda: Does(compute, *(layer() for layer in layers))


def _layer(layer: Make) -> Make:
    return _module(lambda x, layer: layer(x), layer)


def _over_tokens(layer: Make) -> Make:
    return _module(lambda x, layer: layer(tokens(x)), layer)


PROJECTIONS = 4 * L * C * C  # Q, K, V and the output
SCORES = 2 * L * L * C  # Q K^T and P V
FEED_FORWARD = 2 * L * C * 4 * C
SCAN = 9 * C * L * STATES + C * L

OPERATORS: dict[str, Case] = {
    "convolution 3x3": Case(
        make=_layer(lambda: nn.Conv2d(C, OUT, 3, padding=1)), macs=9 * L * C * OUT
    ),
    "convolution 1x1": Case(make=_layer(lambda: nn.Conv2d(C, OUT, 1)), macs=L * C * OUT),
    "convolution depthwise": Case(
        make=_layer(lambda: nn.Conv2d(C, C, 3, padding=1, groups=C)), macs=9 * L * C
    ),
    "convolution strided": Case(make=_layer(lambda: nn.Conv2d(C, OUT, 2, 2)), macs=L * C * OUT),
    "convolution transposed": Case(
        make=_layer(lambda: nn.ConvTranspose2d(C, OUT, 4, 2, 1)), macs=16 * L * C * OUT
    ),
    "convolution 1d": Case(
        make=_module(lambda x, layer: layer(x.flatten(2)), lambda: nn.Conv1d(C, OUT, 3, padding=1)),
        macs=3 * L * C * OUT,
    ),
    "linear": Case(make=_over_tokens(lambda: nn.Linear(C, OUT)), macs=L * C * OUT),
    "matmul": Case(make=_module(lambda x: tokens(x) @ x.flatten(2)), macs=L * L * C),
    "bmm": Case(make=_module(lambda x: torch.bmm(tokens(x), x.flatten(2))), macs=L * L * C),
    "baddbmm": Case(
        make=_module(lambda x: torch.baddbmm(x.new_zeros(1, 1, 1), tokens(x), x.flatten(2))),
        macs=L * L * C,
        fvcore=0,
    ),
    "einsum": Case(make=_module(lambda x: torch.einsum("bchw,bdhw->bcd", x, x)), macs=L * C * C),
    "linear attention by einsum": Case(make=_module(linear_attention), macs=2 * L * C * C // HEADS),
    "scaled_dot_product_attention": Case(
        make=_module(attention), macs=SCORES, fvcore=0, flop_counter=0
    ),
    "MultiheadAttention": Case(
        make=_module(itself, lambda: nn.MultiheadAttention(C, HEADS, batch_first=True)),
        macs=PROJECTIONS + SCORES,
        fvcore=0,
        flop_counter=0,
    ),
    "TransformerEncoderLayer": Case(
        make=_over_tokens(
            lambda: nn.TransformerEncoderLayer(C, HEADS, 4 * C, dropout=0, batch_first=True)
        ),
        macs=PROJECTIONS + SCORES + FEED_FORWARD,
        fvcore=FEED_FORWARD,
        flop_counter=0,
    ),
    "complex product": Case(
        make=_module(lambda x: (torch.fft.fft2(x) @ torch.fft.fft2(x)).abs()),
        macs=4 * SIDE * L * C,
        fvcore=SIDE * L * C,
        flop_counter=SIDE * L * C,
    ),
    "Fourier transform": Case(make=_module(lambda x: torch.fft.irfft2(torch.fft.rfft2(x))), macs=0),
    "LayerNorm": Case(make=_over_tokens(lambda: nn.LayerNorm(C)), macs=0),
    "product in an autograd.Function": Case(
        make=_module(lambda x: Products.apply(x.flatten(2))), macs=L * L * C, fvcore=0
    ),
    **{
        f"selective scan, {backend}": Case(
            make=_module(scan(backend)), macs=SCAN, fvcore=0, flop_counter=0
        )
        for backend in ("reference", "torch", "c")
    },
    "planted custom operator": Case(
        make=_module(lambda x: planted(x.flatten(2))),
        macs=0,
        counted=False,
    ),
}


def fvcore_macs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """What fvcore counts of a module in evaluation mode, without norms, pooling and resizing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        with torch.no_grad():
            analysis = FlopCountAnalysis(Tensors(model).eval(), torch.rand(shape))
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            counted = analysis.by_operator()
    kinds = ("conv", "linear", "addmm", "matmul", "mm", "bmm", "einsum")
    return sum(int(counted[kind]) for kind in kinds)


def flop_counter_macs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Half of what FlopCounterMode counts of a module in evaluation mode."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(torch.rand(shape))
    return counter.get_total_flops() // 2
