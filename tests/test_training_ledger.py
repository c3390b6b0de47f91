"""What a training step costs, by hand arithmetic."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import blocks
from ablate.network import build
from ablate.profiling._gradients import GRADIENTS
from ablate.profiling._operators import ATTENTION
from ablate.profiling.ledger import REST, Cost, CountError, ledger
from ablate.profiling.training_ledger import TrainingLedger, training_ledger
from blocks.scan import selective_scan
from tests.test_flops import Computes, unknown
from tests.test_network import stage, unet

C, SIDE = 8, 6
PIXELS = SIDE * SIDE
IMAGE = (2, C, SIDE, SIDE)
ELEMENTS = 2 * C * PIXELS


def of(compute: Callable[..., Tensor], *layers: nn.Module) -> TrainingLedger:
    return training_ledger(Computes(compute, *layers), IMAGE, strict=True)


def tokens(image: Tensor) -> Tensor:
    return image.flatten(2).mT


LAYERS: dict[str, tuple[nn.Module, Callable[..., Tensor], int, str]] = {
    "convolution": (
        nn.Conv2d(C, 5, 3, padding=1), lambda x, f: f(x), 2 * PIXELS * 5 * C * 9, "conv",
    ),
    "transposed convolution": (
        nn.ConvTranspose2d(C, 5, 2, 2), lambda x, f: f(x), ELEMENTS * 5 * 4, "conv",
    ),
    "depthwise convolution": (
        nn.Conv2d(C, C, 3, padding=1, groups=C), lambda x, f: f(x), ELEMENTS * 9, "conv",
    ),
    "linear": (nn.Linear(C, 5), lambda x, f: f(tokens(x)), ELEMENTS * 5, "linear"),
    "einsum": (
        nn.Linear(C, 5),
        lambda x, f: torch.einsum("bchw,dc->bdhw", x, f.weight),
        ELEMENTS * 5,
        "linear",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_the_gradients_of_a_layer_cost_twice_the_layer_and_of_the_first_once(name):
    layer, apply, macs, kind = LAYERS[name]
    first = of(apply, layer)
    assert first.forward.total.by_class == first.backward.total.by_class == {kind: macs}
    later = of(lambda x, scale, layer: apply(x * scale.weight.sum(), layer), nn.Linear(1, 1), layer)
    assert later.forward.total.by_class == {kind: macs}
    assert later.backward.total.by_class == {kind: 2 * macs}


def test_the_gradients_of_a_product_of_activations_are_two_products():
    found = of(lambda x, f: tokens(f(x)) @ f(x).flatten(2), nn.Conv2d(C, C, 1))
    product = 2 * PIXELS * PIXELS * C
    assert found.forward.total.by_class["matmul"] == product
    assert found.backward.total.by_class["matmul"] == 2 * product


def test_fused_attention_computes_its_scores_again():
    def attend(x: Tensor, layer: nn.Module) -> Tensor:
        heads = tokens(layer(x)).contiguous().unflatten(-1, (2, C // 2)).transpose(1, 2)
        return functional.scaled_dot_product_attention(heads, heads, heads)

    found = of(attend, nn.Conv2d(C, C, 1))
    once = 2 * PIXELS * PIXELS * C
    assert found.forward.total.by_class["matmul"] == 2 * once
    assert found.backward.total.by_class["matmul"] == 5 * once
    assert found.backward.total.softmax == 6 * 2 * 2 * PIXELS * PIXELS


def test_the_scan_is_charged_twice_by_the_literature_and_twenty_operations_strictly():
    def scan(x: Tensor, layer: nn.Module) -> Tensor:
        u = layer(x).flatten(2)
        projection = u[:, None, :4]
        return selective_scan(u, u, -torch.ones(C, 4), projection, projection, torch.ones(C))

    found = of(scan, nn.Conv2d(C, C, 1))
    assert found.forward.total.scan == (9 * 4 + 1) * ELEMENTS
    assert found.backward.total.scan == 2 * found.forward.total.scan
    assert found.forward.total.scan_strict == 3.5 * 4 * ELEMENTS
    assert found.backward.total.scan_strict == 10 * 4 * ELEMENTS


@pytest.mark.parametrize(
    ("compute", "column", "forward", "backward"),
    [
        (lambda x: functional.gelu(x), "elementwise", 1, 1),
        (lambda x: functional.group_norm(x, 2), "norm", 5, 10),
        (lambda x: functional.layer_norm(x, (SIDE,)), "norm", 5, 10),
        (lambda x: x.softmax(-1), "softmax", 5, 4),
    ],
)
def test_columns_of_the_backward_pass(compute, column, forward, backward):
    found = of(lambda x, f: compute(f(x)), nn.Conv2d(C, C, 1))
    assert getattr(found.forward.total, column) == forward * ELEMENTS
    assert getattr(found.backward.total, column) == backward * ELEMENTS


def two_layers() -> nn.Module:
    return nn.Sequential(nn.Conv2d(C, C, 1), nn.Sequential(nn.GELU(), nn.Conv2d(C, C, 3, 1, 1)))


def test_gradients_lie_in_the_module_whose_forward_pass_they_belong_to():
    found = training_ledger(two_layers(), IMAGE, strict=True).backward
    macs = {path: cost.macs for path, cost in found.by_module.items()}
    point, three = ELEMENTS * C, 2 * ELEMENTS * C * 9
    assert macs == {"": point + three, "0": point, "1": three, "1.0": 0, "1.1": three}
    assert found.by_module["1.0"].elementwise == ELEMENTS


class Again(nn.Module):
    """Computes its first layer again in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = two_layers()

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.layers, x, use_reentrant=False)


def test_what_is_computed_again_counts_once_more_and_lies_where_it_ran():
    plain = training_ledger(two_layers(), IMAGE)
    again = training_ledger(Again(), IMAGE)
    assert again.forward.total.macs == plain.forward.total.macs
    point, three = ELEMENTS * C, 2 * ELEMENTS * C * 9  # the last layer is not needed again
    macs = {path: cost.macs for path, cost in again.backward.by_module.items()}
    assert macs["layers.0"] == 2 * point == plain.backward.by_module["0"].macs + point
    assert macs["layers.1"] == macs["layers.1.1"] == three
    assert macs[""] == 2 * point + three
    assert again.backward.by_module["layers.1.0"].elementwise == 2 * ELEMENTS


def test_what_is_frozen_costs_no_gradient():
    model = two_layers()
    model[0].requires_grad_(False)
    found = training_ledger(model, IMAGE)
    assert found.backward.total.macs == ELEMENTS * C * 9  # of the last weight alone
    numbers = C * C * 9 + C
    assert found.optimiser == Cost(elementwise=14 * numbers, bytes_moved=7 * 4 * numbers)


def test_nothing_that_is_trained_costs_no_gradient():
    found = training_ledger(two_layers().requires_grad_(False), IMAGE)
    assert found.backward.total == found.optimiser == Cost()


def test_adamw_does_what_it_is_charged():
    """Fourteen operations a number, counted in PyTorch's own update."""
    rate, decay, small, (one, two) = 1e-2, 1e-2, 1e-8, (0.9, 0.999)
    weight = nn.Parameter(torch.rand(5))
    gradient, before = torch.rand(5), weight.detach().clone()
    optimiser = torch.optim.AdamW([weight], rate, (one, two), small, decay)
    weight.grad = gradient
    optimiser.step()
    x = before * (1 - rate * decay)  # 1
    mean = 0 + (gradient - 0) * (1 - one)  # 3
    square = 0 * two + gradient * gradient * (1 - two)  # 4
    root = square.sqrt() / (1 - two) ** 0.5 + small  # 3
    x = x - rate / (1 - one) * (mean / root)  # 3
    torch.testing.assert_close(weight.detach(), x)


def test_a_step_is_forward_backward_and_optimiser():
    found = training_ledger(two_layers(), IMAGE)
    assert found.step == found.forward.total + found.backward.total + found.optimiser


def test_stages_add_up_in_both_directions_where_experts_are_routed():
    network = unet(stage("stage1", "moce"), stage("decoder1", "nafblock"), width=16)
    with torch.device("meta"):
        model = build(network)
    found = training_ledger(model, (2, 3, 16, 16), strict=True)
    for way in (found.forward, found.backward):
        assert list(way.by_stage) == ["stage1", "decoder1", REST]
        assert sum(way.by_stage.values(), Cost()) == way.total
        assert way.least.macs < way.total.macs < way.most.macs
    block = found.backward.by_stage["decoder1"]
    assert block.macs == 2 * found.forward.by_stage["decoder1"].macs


def test_more_outputs_cost_more():
    network = unet(
        *(stage(s, "nafblock") for s in ("stage1", "stage2", "decoder2", "decoder1")),
        width=8,
        supervised=True,
    )
    model = build(network)
    shape = (1, 3, 16, 16)
    image, scales = (training_ledger(model, shape, request=r).step for r in ((), ("scales",)))
    head = 3 * 16 * 9 * 8 * 8  # 3x3, from 16 channels, at half of the resolution
    assert scales.macs == image.macs + 3 * head


@pytest.mark.parametrize("name", list(blocks.blocks))
def test_every_block_passes_the_strict_count_of_a_training_step(name):
    found = training_ledger(blocks.make(name, 24), (1, 24, 20, 12), strict=True)
    forward, backward = found.forward.total.by_class, found.backward.total.by_class
    assert set(backward) == set(forward)
    assert all(backward[kind] <= 2.5 * forward[kind] for kind in forward)
    assert all(backward[kind] >= 2 * forward[kind] for kind in forward if kind != "conv")


def test_an_unknown_operator_is_named_in_the_direction_that_it_was_met_in():
    def compute(x: Tensor, layer: nn.Module) -> Tensor:
        return layer(unknown(x))

    model = Computes(compute, nn.Conv2d(C, C, 1))
    found = training_ledger(model, IMAGE)
    assert found.forward.uncounted == {"ablate_test_flops.unknown": ""}
    assert found.backward.uncounted == {}
    with pytest.raises(CountError, match=r"no formula for ablate_test_flops\.unknown in the net"):
        training_ledger(model, IMAGE, strict=True)


def test_the_network_is_left_as_it_was():
    model = nn.Sequential(two_layers(), nn.BatchNorm2d(C), nn.Dropout()).eval()
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    training_ledger(model, IMAGE)
    assert not any(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.is_grad_enabled()


def test_training_normalises_over_the_batch_at_the_cost_of_a_norm():
    model = nn.Sequential(nn.Conv2d(C, C, 1), nn.BatchNorm2d(C))
    found = training_ledger(model, IMAGE, strict=True)
    evaluated = ledger(model, IMAGE, strict=True).total
    assert found.forward.total.norm == evaluated.norm == 5 * ELEMENTS
    assert found.backward.total.norm == 10 * ELEMENTS


def test_every_fused_attention_has_a_rule_for_its_backward_pass_and_no_other_is_claimed():
    claimed = {name for name in GRADIENTS if "attention" in name}
    assert claimed == {f"{name}_backward" for name in ATTENTION}
