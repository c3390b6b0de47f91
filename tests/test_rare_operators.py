"""Operators that few restoration networks call, by hand arithmetic, forward and backward."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from ablate.profiling.cost import Cost
from ablate.profiling.training_ledger import TrainingLedger, training_ledger
from tests.test_flops import Computes

C, SIDE = 8, 6
PIXELS = SIDE * SIDE
IMAGE = (2, C, SIDE, SIDE)
ELEMENTS = 2 * C * PIXELS


def of(compute: Callable[..., Tensor], *layers: nn.Module) -> TrainingLedger:
    """After a scale that is trained, so that the layers' inputs need gradients."""
    scaled = nn.PReLU(init=1)
    layers = (scaled, *layers)
    return training_ledger(
        Computes(lambda x, scale, *rest: compute(scale(x), *rest), *layers), IMAGE, strict=True
    )


def tokens(image: Tensor) -> Tensor:
    return image.flatten(2).mT


def depths(image: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2, H / 2, W)."""
    return image.unflatten(2, (2, -1))


def columns(cost: Cost) -> dict[str, int]:
    names = ("elementwise", "reduction", "softmax", "norm", "fft")
    return {name: getattr(cost, name) for name in names if getattr(cost, name)}


def test_an_lstm_multiplies_both_matrices_at_every_position():
    found = of(lambda x, f: f(tokens(x))[0], nn.LSTM(C, 5, batch_first=True))
    macs = 2 * PIXELS * 4 * 5 * (C + 5)
    assert found.forward.total.by_class == {"linear": macs}
    assert found.backward.total.by_class == {"linear": 2 * macs}


def test_a_bilinear_layer_multiplies_three_factors():
    found = of(lambda x, f: f(tokens(x), tokens(x)), nn.Bilinear(C, C, 3))
    assert found.forward.total.by_class == {"linear": 2 * PIXELS * C * C * 3}


@pytest.mark.parametrize(
    ("compute", "macs"),
    [
        (lambda x: torch.cdist(tokens(x), tokens(x)), 2 * PIXELS * PIXELS * C),
        (lambda x: torch.addbmm(x[0, 0, :1], x[0], x[1]), SIDE * SIDE * C * SIDE),
        (lambda x: torch.addr(x[0, 0], x[0, 0, 0], x[0, 0, 1]), SIDE * SIDE),
    ],
)
def test_products_that_are_spelt_otherwise(compute, macs):
    assert of(compute).forward.total.by_class == {"matmul": macs}


FORWARD: dict[str, tuple[Callable[[Tensor], Tensor], dict[str, int]]] = {
    "pooling in three axes": (
        lambda x: functional.avg_pool3d(depths(x), (2, 1, 2)), {"reduction": ELEMENTS},
    ),
    "maxima in three axes": (
        lambda x: functional.max_pool3d(depths(x), (2, 3, 2)), {"reduction": ELEMENTS},
    ),
    "a cube by its side": (
        lambda x: functional.avg_pool3d(x.unflatten(1, (2, -1)), 2), {"reduction": ELEMENTS},
    ),
    "trilinear": (
        lambda x: functional.interpolate(depths(x), scale_factor=2, mode="trilinear"),
        {"elementwise": 8 * 8 * ELEMENTS},
    ),
    "nearest in one axis": (lambda x: functional.interpolate(x.flatten(2), scale_factor=2), {}),
    "scattered sums": (
        lambda x: torch.zeros(IMAGE).scatter_add(1, torch.zeros(IMAGE, dtype=torch.long), x),
        {"elementwise": ELEMENTS},
    ),
    "a squared error": (lambda x: functional.mse_loss(x, x.detach()), {"elementwise": ELEMENTS}),
    "a search among four": (
        lambda x: x[:, :0].sum() + torch.bucketize(x.detach(), torch.arange(4.0)),
        {"reduction": 2 * ELEMENTS, "elementwise": ELEMENTS},
    ),
    "a diagonal's sum": (lambda x: x[0, 0].trace(), {"reduction": SIDE}),
    "axes turned in place": (lambda x: x.clone().transpose_(1, 2).rot90(1, (1, 2)), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORWARD)
def test_columns(name):
    compute, expected = FORWARD[name]
    found = of(compute).forward.total
    assert found.macs == 0
    scale = {"elementwise": ELEMENTS}  # the scale before
    expected = expected | {"elementwise": expected.get("elementwise", 0) + scale["elementwise"]}
    assert columns(found) == expected


def test_a_normed_weight_costs_its_squares_their_sum_and_a_scale():
    found = of(lambda x, f: f(x), weight_norm(nn.Conv2d(C, 5, 1))).forward.total
    assert found.reduction == 5 * C
    assert found.elementwise == ELEMENTS + 2 * 5 * C


def test_a_bag_of_vectors_sums_them():
    bag = nn.EmbeddingBag(10, 4, mode="sum")
    model = Computes(lambda x, f: f(torch.zeros(2, 3, dtype=torch.long)) + x[0, 0, 0, 0], bag)
    found = training_ledger(model, IMAGE).forward
    assert found.total.reduction == 2 * 3 * 4
    assert found.uncounted == {}
