"""Costs by part, by hand arithmetic: they add up, lie where they arise, and leave no trace."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import blocks
from ablate.mix import Network
from ablate.network import build
from ablate.profiling.flops import CountError, count_forward
from ablate.profiling.ledger import REST, Cost, Ledger, ledger
from ablate.topologies import Blocks
from blocks.scan import selective_scan
from tests.test_flops import Computes, Opaque, declared, unknown
from tests.test_network import stage, unet

C, SIDE = 8, 6
PIXELS = SIDE * SIDE
IMAGE = (2, C, SIDE, SIDE)
ELEMENTS = 2 * C * PIXELS
FLOAT = 4  # bytes


def of(compute: Callable[..., Tensor], *layers: nn.Module, **settings: Any) -> Ledger:
    return ledger(Computes(compute, *layers), IMAGE, **settings)


def summed(costs: dict[str, Cost]) -> Cost:
    return sum(costs.values(), Cost())


def on_meta(network: Network) -> nn.Module:
    with torch.device("meta"):
        return build(network)


@cache
def routed_network() -> Ledger:
    network = unet(stage("stage1", "moce", "nafblock"), stage("decoder1", "mwsa"), width=16)
    return ledger(on_meta(network), (1, 3, 32, 32))


def test_stages_blocks_and_operators_add_up_to_the_total():
    found = routed_network()
    for parts in (found.by_stage, found.by_block, found.by_operator):
        assert summed(parts) == found.total
    assert found.by_module[""] == found.total


def test_the_mean_over_experts_adds_up_too_and_lies_between_the_ends():
    found = routed_network()
    assert found.routed
    assert found.least.macs < found.total.macs < found.most.macs


def test_parts_are_named_by_slot_and_place():
    found = routed_network()
    assert list(found.by_stage) == ["stage1", "decoder1", REST]
    names = ["stage1.0 moce", "stage1.1 nafblock", "decoder1.0 mwsa", REST]
    assert list(found.by_block) == names


def test_a_block_in_a_network_costs_what_it_costs_alone():
    alone = ledger(blocks.make("nafblock", 16), (1, 16, 32, 32)).total
    assert routed_network().by_block["stage1.1 nafblock"] == alone


def test_the_ledger_counts_what_the_counter_counts():
    network = on_meta(unet(stage("stage1", "vss"), stage("decoder1", "moce"), width=16))
    found, counted = ledger(network, (1, 3, 16, 16)).total, count_forward(network, (1, 3, 16, 16))
    assert (found.macs, found.by_class) == (counted.total, counted.by_class)
    assert (found.scan_strict, found.elementwise) == (counted.scan_strict, counted.elementwise)
    assert (found.norm, found.softmax, found.fft) == (counted.norm, counted.softmax, counted.fft)


def test_an_empty_stage_costs_nothing_and_is_there():
    network = on_meta(unet(stage("stage1"), stage("decoder1", "nafblock"), width=16))
    found = ledger(network, (1, 3, 16, 16))
    assert found.by_stage["stage1"] == Cost()
    assert list(found.by_block) == ["decoder1.0 nafblock", REST]


def test_a_slot_that_is_filled_several_times_says_which_time():
    rcabs = [blocks.make("rcab", 16) for _ in range(4)]
    network = nn.Sequential(Blocks(*rcabs[:2], slot="body"), Blocks(*rcabs[2:], slot="body"))
    found = ledger(network, (1, 16, 8, 8))
    assert list(found.by_block)[:-1] == [f"body.{k}.{i} rcab" for k in range(2) for i in range(2)]
    assert found.by_stage["body"] == found.total


class Halves(nn.Module):
    """Two layers that are children, one inside the other's parent, and work of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(C, C, 1), nn.Sequential(nn.Conv2d(C, C, 3, padding=1)))
        self.never = nn.Conv2d(C, C, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + x


def test_a_module_has_the_costs_of_all_beneath_it():
    found = ledger(Halves(), IMAGE)
    point, three = ELEMENTS * C, ELEMENTS * C * 9
    macs = {path: cost.macs for path, cost in found.by_module.items()}
    assert macs == {
        "": point + three,
        "inner": point + three,
        "inner.0": point,
        "inner.1": three,
        "inner.1.0": three,
    }
    assert found.by_module[""].elementwise == ELEMENTS
    assert found.by_module["inner"].elementwise == 0


def test_a_network_without_stages_is_all_rest():
    found = ledger(Halves(), IMAGE)
    assert found.by_stage == found.by_block == {REST: found.total}


def test_flops_count_the_scan_as_a_recurrence_and_all_columns():
    def compute(x: Tensor, conv: nn.Module) -> Tensor:
        u = conv(x).flatten(2)
        projection = u[:, None, :4]
        return selective_scan(u, u, -torch.ones(C, 4), projection, projection).softmax(-1)

    cost = of(compute, nn.Conv2d(C, C, 1)).total
    assert cost.scan == 9 * ELEMENTS * 4
    assert cost.macs == ELEMENTS * C + cost.scan
    beside = ELEMENTS * 5 + cost.elementwise  # softmax; the decay's sign
    assert cost.flops == 2 * ELEMENTS * C + 7 * ELEMENTS * 4 + beside


@pytest.mark.parametrize("backend", ["reference", "torch", "c"])
def test_the_scan_costs_the_same_in_every_back_end(backend):
    def compute(x: Tensor) -> Tensor:
        u = x.flatten(2)
        projection = u[:, None, :4]
        decay = -torch.ones(C, 4)
        return selective_scan(u, u, decay, projection, projection, backend=backend)

    cost = of(compute).total
    assert (cost.scan, cost.scan_strict) == (9 * ELEMENTS * 4, 3.5 * ELEMENTS * 4)


def test_activations_are_what_convolutions_products_and_scans_put_out():
    def compute(x: Tensor, conv: nn.Module, linear: nn.Module) -> Tensor:
        tokens = linear(functional.gelu(conv(x)).flatten(2).mT)
        return tokens @ tokens.mT

    cost = of(compute, nn.Conv2d(C, 5, 1), nn.Linear(5, 3)).total
    assert cost.activations == 2 * PIXELS * (5 + 3 + PIXELS)


MOVES: dict[str, tuple[Callable[..., Tensor], int]] = {
    "a copy reads and writes": (lambda x: x.clone(), 2 * ELEMENTS),
    "a sum of two reads both": (lambda x: x + x.clone(), (2 + 3) * ELEMENTS),
    "what is given twice is read once": (lambda x: x * x, 2 * ELEMENTS),
    "a view moves nothing": (lambda x: x.flatten(2).mT.view(2, PIXELS, 2, -1), 0),
    "what is there already is not moved": (lambda x: x.contiguous().reshape(-1), 0),
    "in place reads and writes": (lambda x: x.clone().mul_(2), 4 * ELEMENTS),
    "filling writes": (lambda x: torch.empty_like(x).fill_(1), ELEMENTS),
    "overwriting does not read": (lambda x: torch.empty_like(x).copy_(x), 2 * ELEMENTS),
    "zeros are written": (lambda x: torch.zeros_like(x), ELEMENTS),
    "an expanded axis is read once": (
        lambda x: x[:, :1].expand(-1, C, -1, -1).clone(),
        ELEMENTS // C + ELEMENTS,
    ),
    "out= is written and not read": (
        lambda x: torch.mul(x, 2, out=torch.empty_like(x)),
        2 * ELEMENTS,
    ),
    "a half is half": (lambda x: x.bfloat16(), ELEMENTS + ELEMENTS // 2),
}


@pytest.mark.parametrize("name", MOVES)
def test_bytes_moved(name):
    compute, floats = MOVES[name]
    assert of(compute).total.bytes_moved == FLOAT * floats


def test_a_lookup_reads_only_what_it_finds():
    index = torch.zeros(3, dtype=torch.long)
    found = of(lambda x: x.index_select(1, index)).total.bytes_moved
    assert found == FLOAT * 2 * (2 * 3 * PIXELS) + 3 * 8


def test_a_convolution_reads_image_weight_and_bias_and_writes_its_output():
    found = of(lambda x, conv: conv(x), nn.Conv2d(C, 5, 3, padding=1)).total
    numbers = ELEMENTS + 5 * C * 9 + 5 + 2 * 5 * PIXELS
    assert found.bytes_moved == FLOAT * numbers
    assert found.intensity == 2 * 2 * PIXELS * 5 * C * 9 / (FLOAT * numbers)


def test_intensity_of_nothing_is_zero():
    assert Cost().intensity == 0


def test_costs_are_added_field_by_field():
    one = Cost(by_class={"conv": 2, "scan": 9}, scan_strict=3, fft=1, bytes_moved=4)
    two = Cost(by_class={"conv": 1, "linear": 5}, norm=6, activations=7)
    both = one + two
    assert both.by_class == {"conv": 3, "scan": 9, "linear": 5}
    assert (both.macs, both.scan) == (17, 9)
    assert both.flops == one.flops + two.flops == 2 * (3 + 5 + 3) + 1 + 6
    assert (both.bytes_moved, both.activations) == (4, 7)


class Deep(nn.Module):
    """Does what it is told two modules down."""

    def __init__(self, compute: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(C, C, 1)
        self.body = nn.Sequential(nn.GELU(), Computes(compute))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.stem(x))["image"] + 1


def test_what_is_not_counted_is_named_with_its_module():
    assert ledger(Deep(lambda x: unknown(x)), IMAGE).uncounted == {
        "ablate_test_flops.unknown": "body.1"
    }
    opaque = ledger(Deep(Opaque.apply), IMAGE).uncounted
    assert opaque == {"tests.test_flops.Opaque.forward": "body.1"}
    assert ledger(Deep(lambda x: declared(x)), IMAGE).uncounted == {}


def test_strict_makes_an_unknown_operator_an_error_that_says_where():
    with pytest.raises(CountError) as raised:
        ledger(Deep(lambda x: unknown(x)), IMAGE, strict=True)
    assert str(raised.value) == (
        f"multiply-adds over {IMAGE} cannot be counted: no formula for "
        "ablate_test_flops.unknown in body.1"
    )
    with pytest.raises(
        CountError, match=r"no formula for ablate_test_flops\.unknown in the network$"
    ):
        ledger(Unknown(), IMAGE, strict=True)


def test_a_network_that_cannot_be_copied_is_an_error_of_one_line():
    with pytest.raises(CountError) as raised:
        ledger(Deep(unknown), IMAGE)  # holds an operator itself
    assert str(raised.value) == (
        f"multiply-adds over {IMAGE} cannot be counted: the network cannot be copied: "
        "cannot pickle 'torch._C._DispatchModule' object"
    )


class Unknown(nn.Module):
    """An operator that nothing is known about, and nothing else."""

    def forward(self, x: Tensor) -> Tensor:
        return unknown(x)


@pytest.mark.parametrize("name", list(blocks.blocks))
def test_every_block_passes_the_strict_count(name):
    found = ledger(blocks.make(name, 24), (1, 24, 20, 12), strict=True)
    assert (found.total.bytes_moved > 0) is (name != "identity")


def hooks(model: nn.Module) -> list[int]:
    kept = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    return [len(getattr(module, name)) for module in model.modules() for name in kept]


def test_counting_leaves_model_and_process_as_they_were():
    model = nn.Sequential(Halves(), nn.BatchNorm2d(C), nn.MultiheadAttention(C, 2)).train()
    model[2] = nn.Dropout()
    before, attributes = copy.deepcopy(model.state_dict()), dir(model)
    patched = (functional.scaled_dot_product_attention, torch.autograd.Function.apply)
    process = (torch.is_grad_enabled(), torch.get_rng_state(), hooks(model))
    ledger(model, IMAGE)
    assert (functional.scaled_dot_product_attention, torch.autograd.Function.apply) == patched
    assert torch.is_grad_enabled() is process[0]
    assert torch.equal(torch.get_rng_state(), process[1])
    assert hooks(model) == process[2]
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert dir(model) == attributes


def compiled_whole(model: nn.Module) -> nn.Module:
    return torch.compile(model, backend="eager")


def compiled_part(model: nn.Module) -> nn.Module:
    model.inner = torch.compile(model.inner, backend="eager")
    return model


def compiled_in_place(model: nn.Module) -> nn.Module:
    model.compile(backend="eager")
    return model


@pytest.mark.parametrize("compiled", [compiled_whole, compiled_part, compiled_in_place])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in PyTorch's compiler
def test_a_compiled_network_counts_as_it_was_written(compiled):
    from torch._dynamo import eval_frame

    model, plain = compiled(Halves()), ledger(Halves(), IMAGE)
    image = torch.rand(IMAGE)
    output = model(image)
    stance = eval_frame._stance
    assert ledger(model, IMAGE) == plain
    assert eval_frame._stance is stance
    assert torch.equal(model(image), output)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_function_counts_as_it_was_written():
    @torch.compile(backend="eager")
    def doubled(x: Tensor) -> Tensor:
        return 2 * x

    doubled(torch.rand(IMAGE))
    assert of(doubled).total.elementwise == ELEMENTS
