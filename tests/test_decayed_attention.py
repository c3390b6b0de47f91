"""Attention whose memory fades is held to its recurrence, step by step, and to its cost."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from blocks._decayed_attention import (
    decayed_attention,
    decayed_attention_macs,
    decayed_sum,
    decayed_sum_macs,
)

LENGTHS = (1, 3, 4, 5, 16, 17, 70)


def inputs(length: int, groups: int = 3) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(length)
    query, key = torch.randn(2, 2, groups, length, 4, dtype=torch.double).requires_grad_()
    value = torch.randn(2, 3, length, 5, dtype=torch.double, requires_grad=True)
    log_decay = (-3 * torch.rand(2, 3, length, dtype=torch.double)).requires_grad_()
    return query, key, value, log_decay


def step_by_step(query, key, value, log_decay):
    state, seen = torch.zeros(2, 3, 4, 5, dtype=torch.double), []
    for i in range(value.shape[2]):
        state = log_decay[:, :, i, None, None].exp() * state
        state = state + key[:, :, i, :, None] * value[:, :, i, None, :]
        seen.append((query[:, :, i, :, None] * state).sum(2))
    return torch.stack(seen, dim=2)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("groups", [1, 3])
def test_it_is_the_recurrence_in_value_and_gradient(length, groups):
    given = inputs(length, groups)
    actual, expected = decayed_attention(*given, chunk=4), step_by_step(*given)
    torch.testing.assert_close(actual, expected)
    upstream = torch.randn_like(actual)
    torch.testing.assert_close(
        torch.autograd.grad(actual, given, upstream), torch.autograd.grad(expected, given, upstream)
    )


@pytest.mark.parametrize("length", LENGTHS)
def test_a_fading_sum_is_attention_whose_queries_and_keys_are_1(length):
    _, _, value, log_decay = inputs(length)
    one = torch.ones(2, 1, length, 1, dtype=torch.double)
    torch.testing.assert_close(
        decayed_sum(value, log_decay, chunk=4), decayed_attention(one, one, value, log_decay)
    )


def test_nothing_fades_without_decay_and_all_is_forgotten_with_much():
    query, key, value, _ = inputs(40)
    none, much = torch.zeros(2, 3, 40).double(), torch.full((2, 3, 40), -1e4).double()
    causal = (query @ key.transpose(-2, -1)).tril()
    torch.testing.assert_close(decayed_attention(query, key, value, none, chunk=4), causal @ value)
    alone = (query * key).sum(-1, keepdim=True) * value
    torch.testing.assert_close(decayed_attention(query, key, value, much, chunk=4), alone)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("groups", [1, 3])
def test_closed_form_multiply_adds_are_what_a_counter_counts(length, groups):
    query, key, value, log_decay = (part[:1] for part in inputs(length, groups))
    with FlopCounterMode(display=False) as counter:
        decayed_attention(query, key, value, log_decay, chunk=4)
    counted = decayed_attention_macs(length, 3, 4, 5, groups=groups, chunk=4)
    assert counter.get_total_flops() == 2 * counted
    with FlopCounterMode(display=False) as counter:
        decayed_sum(value, log_decay, chunk=4)
    assert counter.get_total_flops() == 2 * decayed_sum_macs(length, 3, 5, chunk=4)


def test_cost_is_linear_in_the_length():
    short, long = (decayed_attention_macs(n, 4, 16, 16, groups=4) for n in (2**12, 2**20))
    assert long / short == pytest.approx(2**8, rel=0.01)
