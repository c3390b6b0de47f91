"""Experts are chosen, forced, run on their own images and added up as the scores say."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from blocks._routing import Routed, choose, combine, forcing, in_turn, routed, turns


class Scale(nn.Module):
    """Multiplies, and keeps how many images it was given."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.seen = factor, []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.shape[0])
        return self.factor * x


class Scales(Routed):
    """Experts that scale by 1, 10, 100 ..., of which the costs are given."""

    def __init__(self, costs: tuple[int, ...], active: int = 1) -> None:
        super().__init__(len(costs), active)
        self.costs = costs
        self.each = nn.ModuleList(Scale(10.0**i) for i in range(len(costs)))

    def forward(self, x: Tensor, scores: Tensor) -> Tensor:
        mask, whole = choose(self, scores)
        return combine(list(self.each), (x,), scores, mask, whole)

    def expert_costs(self) -> tuple[int, ...]:
        return self.costs

    def seen(self) -> list[list[int]]:
        return [expert.seen for expert in self.each]


SCORES = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.1, 0.7, 0.2]])
ONES = torch.ones(3, 1, 1, 1)


def test_each_image_goes_to_its_own_expert_and_no_other_expert_runs():
    part = Scales((1, 2, 3))
    y = part(ONES, SCORES)
    torch.testing.assert_close(y.flatten(), torch.tensor([0.5 * 10, 0.6 * 1, 0.7 * 10]))
    assert part.seen() == [[1], [2], []]


def test_several_experts_of_an_image_are_added_up_unrenormalised():
    part = Scales((1, 2, 3), active=2)
    y = part(ONES, SCORES)
    expected = [0.5 * 10 + 0.3 * 100, 0.6 * 1 + 0.3 * 100, 0.7 * 10 + 0.2 * 100]
    torch.testing.assert_close(y.flatten(), torch.tensor(expected))
    assert part.seen() == [[1], [2], [3]]


def test_an_expert_that_all_images_ask_for_is_given_the_batch_as_it_is():
    part = Scales((1, 2))
    y = part(ONES, torch.tensor([[0.1, 0.9]] * 3))
    torch.testing.assert_close(y, 9 * ONES)
    assert part.seen() == [[], [3]]


def test_forced_experts_run_for_all_images_with_the_scores_that_they_have():
    part = Scales((1, 2, 3))
    part.forced = (2,)
    torch.testing.assert_close(part(ONES, SCORES).flatten(), torch.tensor([30.0, 30.0, 20.0]))
    part.forced = (0, 1)
    torch.testing.assert_close(part(ONES, SCORES).flatten(), torch.tensor([5.2, 1.6, 7.1]))


def test_gradients_reach_the_scores_and_the_images_of_every_expert():
    part, x, scores = Scales((1, 2, 3)), ONES.clone(), SCORES.clone()
    x.requires_grad_(), scores.requires_grad_()
    part(x, scores).sum().backward()
    torch.testing.assert_close(x.grad.flatten(), torch.tensor([5.0, 0.6, 7.0]))
    torch.testing.assert_close(scores.grad, torch.tensor([[0, 10.0, 0], [1.0, 0, 0], [0, 10.0, 0]]))


def test_gates_do_not_widen_what_the_experts_return():
    part = Scales((1, 2))
    for scores in (torch.tensor([[0.5, 0.25]] * 3), torch.tensor([[0.5, 0.25], [0.25, 0.5]])):
        y = part(torch.ones(len(scores), 1, 1, 1, dtype=torch.bfloat16), scores)
        assert y.dtype == torch.bfloat16


@pytest.mark.parametrize("active", [1, 2])
def test_compiled_or_exported_all_experts_run_and_the_result_is_the_same(active):
    part = Scales((1, 2, 3), active)
    expected = part(ONES, SCORES)
    exported = torch.export.export(part, (ONES, SCORES)).module()
    torch.testing.assert_close(exported(ONES, SCORES), expected)
    other = SCORES.flip(1)
    torch.testing.assert_close(exported(ONES, other), part(ONES, other))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_traced_graph_holds_all_experts():
    part = Scales((1, 2, 3))
    traced = torch.jit.trace(part, (ONES, SCORES), check_trace=False)
    other = SCORES.flip(1)
    torch.testing.assert_close(traced(ONES, other), part(ONES, other))


def test_without_values_the_most_expensive_experts_run():
    on_meta, fake = Scales((5, 9, 7), active=2), Scales((5, 9, 7), active=2)
    on_meta(ONES.to("meta"), SCORES.to("meta"))
    assert on_meta.seen() == [[], [3], [3]]
    with FakeTensorMode() as mode:
        fake(mode.from_tensor(ONES), mode.from_tensor(SCORES))
    assert fake.seen() == [[], [3], [3]]


def test_experts_are_ranked_by_cost():
    part = Scales((5, 9, 7, 1), active=2)
    assert part.dearest() == (1, 2)
    assert part.cheapest() == (0, 3)


def test_over_its_turns_every_expert_runs_equally_often():
    part = Scales((1, 1, 1), active=2)
    assert turns(part) == 3
    assert [in_turn(part, turn) for turn in range(3)] == [(0, 1), (1, 2), (0, 2)]
    both = nn.Sequential(Scales((1, 1)), nn.Sequential(Scales((1, 1, 1))))
    assert turns(both) == 6
    assert turns(nn.ReLU()) == 1


def test_forcing_ends_as_it_began_even_after_an_error():
    model = nn.ModuleList([Scales((1, 2)), Scales((2, 1))])
    model[0].forced = (0,)
    with pytest.raises(RuntimeError, match="on purpose"), forcing(model, Routed.dearest) as parts:
        assert parts == routed(model)
        assert [part.forced for part in parts] == [(1,), (0,)]
        raise RuntimeError("on purpose")
    assert [part.forced for part in model] == [(0,), None]


def test_what_is_forced_is_no_part_of_the_state_and_copies_with_the_module():
    part = Scales((1, 2))
    with forcing(part, partial(in_turn, turn=1)):
        assert copy.deepcopy(part).forced == (1,)
        assert part.state_dict() == {}


@pytest.mark.parametrize("active", [0, 3])
def test_more_experts_than_there_are_cannot_be_active(active):
    with pytest.raises(ValueError) as error:
        Scales((1, 2), active)
    assert str(error.value) == f"active must be from 1 to experts; got active={active}, experts=2"
