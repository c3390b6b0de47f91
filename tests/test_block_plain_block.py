"""NAFNet's plain block and the ladder from it, whose ends are two other blocks."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F

import blocks
from tests.test_blocks import counted_macs, image, perturbed

LADDER = (
    {},
    {"norm": "layer"},
    {"norm": "layer", "activation": "gelu"},
    {"norm": "layer", "activation": "gelu", "attention": "channel"},
    {"norm": "layer", "activation": "gate", "attention": "channel"},
    {"norm": "layer", "activation": "gate", "attention": "simple"},
)
every_step = pytest.mark.parametrize("knobs", LADDER)


def plain(channels: int = 8, **knobs: object) -> torch.nn.Module:
    return blocks.make("plain_block", channels, **knobs)


def test_each_step_of_the_ladder_turns_one_knob():
    defaults = {"norm": "none", "activation": "relu", "attention": "none"}
    steps = [defaults | step for step in LADDER]
    turned = [
        [knob for knob in defaults if before[knob] != after[knob]]
        for before, after in itertools.pairwise(steps)
    ]
    assert turned == [["norm"], ["activation"], ["attention"], ["activation"], ["attention"]]


@pytest.mark.parametrize("expand", [1, 2])
def test_with_norm_gelu_and_channel_attention_it_is_the_baseline_block(expand):
    end = plain(**LADDER[3], expand=expand).eval()
    baseline, x = perturbed("baseline_block", expand=expand), image(2, 8, 9, 7)
    end.load_state_dict(baseline.state_dict())
    with torch.no_grad():
        assert torch.equal(end(x), baseline(x))
    assert end.macs(9, 7) == baseline.macs(9, 7)


@pytest.mark.parametrize("expand", [1, 2])
def test_with_norm_gate_and_simple_attention_it_is_the_nafblock(expand):
    end = plain(**LADDER[5], expand=expand).eval()
    naf, x = perturbed("nafblock", expand=2 * expand), image(2, 8, 9, 7)
    end.load_state_dict(naf.state_dict())
    with torch.no_grad():
        assert torch.equal(end(x), naf(x))
    assert end.macs(9, 7) == naf.macs(9, 7)


def test_plain_it_is_convolutions_relu_and_shortcuts():
    block, x = perturbed("plain_block", residual_scale="none"), image(1, 8, 6, 7)
    with torch.no_grad():
        y = x + block.leave(F.relu(block.depthwise(block.enter(x))))
        expected = y + block.mlp_leave(F.relu(block.mlp_enter(y)))
        torch.testing.assert_close(block(x), expected)
    assert {n.split(".")[0] for n, _ in block.named_parameters()} == {
        "enter",
        "depthwise",
        "leave",
        "mlp_enter",
        "mlp_leave",
    }


@every_step
def test_every_step_has_about_the_same_cost(knobs):
    macs = plain(32, **knobs).macs(64, 64)
    assert macs == counted_macs(plain(32, **knobs).to("meta"), 32, 64, 64)
    depthwise = 9 * 32 * (2 if knobs.get("activation") == "gate" else 1)
    assert macs == pytest.approx((6 * 32**2 + depthwise) * 64 * 64, rel=1e-3)


@every_step
def test_a_scale_that_starts_at_zero_makes_every_step_the_identity(knobs):
    x = image(2, 8, 6, 7)
    assert torch.equal(plain(**knobs)(x), x)
    assert not torch.equal(plain(**knobs, residual_scale="none")(x), x)


@every_step
def test_every_step_trains_in_every_parameter(knobs):
    block, x = perturbed("plain_block", **knobs), image(2, 8, 7, 6)
    (block(x) * image(2, 8, 7, 6, seed=2)).sum().backward()
    assert [n for n, p in block.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(
    ("channels", "knobs", "message"),
    [
        (8, {"expand": 0}, "expand must be at least 1; got expand=0"),
        (8, {"mlp_expand": 0}, "mlp_expand must be at least 1; got mlp_expand=0"),
        (
            7,
            {"activation": "gate", "mlp_expand": 1},
            "channels times mlp_expand must be even for a gate; got channels=7, mlp_expand=1",
        ),
        (
            1,
            {"attention": "channel"},
            "channels times expand must be at least 2; got channels times expand=1",
        ),
    ],
)
def test_what_cannot_be_built_says_why(channels, knobs, message):
    with pytest.raises(ValueError) as error:
        plain(channels, **knobs)
    assert str(error.value) == message
