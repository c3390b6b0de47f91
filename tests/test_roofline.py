"""Each stage stands under the roof that its bytes, operations and operators put over it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ablate.mix import Choice, Network, Stage
from ablate.network import build, stages_of
from ablate.profile import Profile
from ablate.profiling._launches import Launches
from ablate.profiling.ledger import ledger
from ablate.profiling.memory import StorageTracker
from ablate.profiling.roofline import NETWORK, roofline
from ablate.profiling.roofs import Work, place
from ablate.profiling.stages import stage_calls
from ablate.profiling.timing import Call, Timed
from tests.test_ceilings import MACHINE

SHAPE = (1, 3, 32, 32)
SLOTS = ("stage1", "stage2", "decoder2", "decoder1")


class Steady:
    """A clock on which every call takes a millisecond."""

    untimed = 0
    aim = 1e-3

    def time(self, call: Call, calls: int) -> Timed:
        call()
        return Timed(seconds=1e-3)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    stages = tuple(Stage(slot=slot, blocks=(Choice(name="nafblock"),)) for slot in SLOTS)
    topology = Choice.of("unet", {"width": 8})
    return build(Network(topology=topology, stages=stages))


def placed(network: nn.Module, **settings: object) -> dict[str, Work]:
    profile = Profile(rounds=2, **settings)  # type: ignore[arg-type]
    found = roofline(network, SHAPE, profile, torch.device("cpu"), ceilings=MACHINE, timer=Steady())
    return {stage.slot: stage.work for stage in found}


@pytest.mark.parametrize(
    ("work", "label", "bound"),
    [
        (Work(flops=8e9, bytes_moved=10e9, launches=9), "memory-bound", 1.0),
        (Work(flops=800e9, bytes_moved=10e9, launches=9), "compute-bound", 10.0),
        (Work(flops=8, bytes_moved=10, launches=1000), "launch-bound", 2e-3),
    ],
)
def test_the_longest_of_three_bounds_names_it_and_its_part_of_the_time_is_the_share(
    work: Work, label: str, bound: float
):
    found = place(work, 4 * bound, MACHINE)
    assert (found.label, found.share) == (label, pytest.approx(0.25))
    assert (found.intensity, found.ridge) == (work.flops / work.bytes_moved, pytest.approx(8))
    assert max(found.memory, found.compute, found.launch) == pytest.approx(bound)


def test_what_caches_hold_is_moved_faster_so_the_same_work_can_be_bound_otherwise():
    work = {"flops": 16e9, "bytes_moved": 4e9}
    assert place(Work(**work), 1, MACHINE).label == "memory-bound"
    assert place(Work(**work, working_set=2**20), 1, MACHINE).label == "compute-bound"


def test_half_precision_has_its_own_roof():
    work = Work(flops=160e9, bytes_moved=1)
    assert place(work, 2, MACHINE, "bfloat16").share == pytest.approx(0.5)


def test_work_that_took_no_time_or_did_nothing_has_no_place():
    with pytest.raises(ValueError, match=r"^nothing takes 0 s; expected a time above 0$"):
        place(Work(flops=1, bytes_moved=1), 0, MACHINE)
    with pytest.raises(ValueError, match="work without bytes, operations and operators has no"):
        place(Work(flops=0, bytes_moved=0), 1, MACHINE)


def test_operators_are_counted_and_views_and_allocations_are_not():
    with torch.inference_mode(), Launches() as seen:
        x = torch.ones(4, 6)  # 1
        (x.view(2, 12).relu() + 1).transpose(0, 1)  # 2
        torch.einsum("ij,kj->ik", x, x)  # a product, whatever it is spelt with
        x.new_empty(3), torch.empty_like(x)  # memory alone
    assert seen.count == 4


def test_every_stage_and_the_network_is_placed_with_the_costs_of_the_ledger(network: nn.Module):
    profile = Profile(rounds=2)
    told: list[int] = []
    found = roofline(
        network,
        SHAPE,
        profile,
        torch.device("cpu"),
        ceilings=MACHINE,
        timer=Steady(),
        report=lambda done, rounds: told.append(done),
    )
    costs = ledger(network, SHAPE)
    assert [stage.slot for stage in found] == [*SLOTS, NETWORK]
    assert told == [1, 2]
    for stage in found:
        cost = costs.total if stage.slot == NETWORK else costs.by_stage[stage.slot]
        assert (stage.work.flops, stage.work.bytes_moved) == (cost.flops, cost.bytes_moved)
        assert stage.placement.seconds == pytest.approx(1e-3)
        assert stage.low <= stage.placement.seconds <= stage.high
        assert stage.work.launches > 0
    assert found[0].shapes == ((1, 8, 32, 32),)
    assert found[-1].shapes == (SHAPE,)
    assert found[-1].work.working_set >= max(stage.work.working_set for stage in found[:-1])
    total = sum(stage.work.launches for stage in found[:-1])
    assert total < found[-1].work.launches


def test_in_half_precision_fewer_bytes_are_moved(network: nn.Module):
    full, half = placed(network), placed(network, precision=("bfloat16",))
    assert half["stage1"].working_set < full["stage1"].working_set
    assert half["stage1"].bytes_moved < full["stage1"].bytes_moved


def test_what_a_stage_is_given_and_its_weights_are_in_its_working_set(network: nn.Module):
    (stage,) = stages_of(network)["stage1"]
    weights = 4 * sum(p.numel() for p in stage.parameters())
    call = stage_calls(network.eval(), torch.rand(SHAPE))["stage1"]
    with torch.inference_mode(), StorageTracker([call.visits[0][1]]) as seen:
        call()
    assert placed(network)["stage1"].working_set == seen.peak + weights


def test_caches_are_emptied_where_the_profile_asks(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
):
    asked = []

    def timer_for(device: torch.device, threads: int, flush: bool) -> Steady:
        asked.append(flush)
        return Steady()

    monkeypatch.setattr("ablate.profiling.roofline.timer_for", timer_for)
    for flush in (False, True):
        profile = Profile(rounds=2, flush=flush)
        roofline(network, SHAPE, profile, torch.device("cpu"), ceilings=MACHINE)
    assert asked == [False, True]


def test_ceilings_in_another_precision_are_not_taken_instead(network: nn.Module):
    with pytest.raises(ValueError, match="no ceiling was measured in float16"):
        placed(network, precision=("float16",))
